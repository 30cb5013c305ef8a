import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import pytest

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.kernel.errors import Ambiguous
from samples.standins.server import WEBHOOK_PATH
from tests.standins.conftest import Client

ROOT = Path(__file__).parents[2]


def order(client: Client, *faults: dict[str, object]) -> int:
    url = f"{client.standins.url}/_faults"
    return client.http.post(url, faults[0] if len(faults) == 1 else list(faults)).status  # type: ignore[arg-type]


def test_the_log_keeps_every_request_with_its_time(client: Client) -> None:
    before = time.time()
    client.slack("chat.postMessage", channel="C0A", text="hello")
    client.slack("auth.test", token="wrong")

    first, second = client.control("/_log")["log"]

    assert before <= first["at"] <= time.time()
    assert (first["n"], first["vendor"], first["kind"]) == (1, "slack", "chat.postMessage")
    assert (first["status"], first["opened"], first["text"]) == (200, True, "hello")
    assert second["error"] == "invalid_auth"
    assert client.control("/_log", since="1")["log"] == [second]


def test_a_reader_can_wait_for_the_next_request(client: Client) -> None:
    def later() -> None:
        time.sleep(0.1)
        client.standins.journal.add({"kind": "late"})

    threading.Thread(target=later).start()

    [entry] = client.control("/_log", wait="5")["log"]

    assert entry["kind"] == "late"


def test_scripted_trouble_strikes_as_often_as_ordered(client: Client) -> None:
    order(
        client,
        {"vendor": "slack", "method": "chat.postMessage", "do": "status", "status": 500},
        {"vendor": "slack", "do": "error", "error": "token_revoked", "times": 2},
    )
    url = f"{client.standins.url}/api/chat.postMessage"

    assert client.slack("auth.test")["error"] == "token_revoked"
    assert client.http.post(url, {}).status == 500
    assert client.slack("auth.test")["error"] == "token_revoked"
    assert client.slack("auth.test")["ok"]


def test_a_dropped_answer_is_done_or_not_as_ordered(client: Client) -> None:
    for do, posted in (("drop_before", 0), ("drop_after", 1)):
        order(client, {"vendor": "slack", "do": do})
        with pytest.raises(Ambiguous):
            client.slack("chat.postMessage", channel="C0A", text="x")
        assert len(client.control("/_slack")["channels"].get("C0A", [])) == posted
    assert [entry["fault"] for entry in client.control("/_log")["log"]] == [
        "drop_before",
        "drop_after",
    ]


def test_a_hanging_answer_comes_late(client: Client) -> None:
    order(client, {"vendor": "slack", "do": "hang", "seconds": 0.2})
    started = time.monotonic()

    assert client.slack("auth.test")["ok"]
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("fault", [{"do": "explode", "vendor": "slack"}, {"nonsense": 1}])
def test_trouble_that_makes_no_sense_is_refused(client: Client, fault: dict[str, object]) -> None:
    assert order(client, fault) == 400


def test_a_reset_forgets_everything(client: Client) -> None:
    for _ in range(3):
        client.slack("chat.postMessage", channel="C0A", text="x")
    order(client, {"vendor": "slack", "do": "status"})

    client.http.post(f"{client.standins.url}/_reset", {})

    assert client.control("/_log")["log"] == []
    assert client.control("/_slack")["channels"] == {}
    assert client.slack("chat.postMessage", channel="C0A", text="x")["ok"]


def test_bodies_without_sense_get_the_vendor_s_own_refusal(client: Client) -> None:
    def post(path: str, body: bytes) -> tuple[int, bytes]:
        answer = client.http._request("POST", client.standins.url + path, body, {})
        return answer.status, answer.body

    assert post("/v2/enqueue", b"{")[0] == 400
    assert post(WEBHOOK_PATH, b"[]") == (400, b"invalid_payload")
    assert b"invalid_json" in post("/api/chat.postMessage", b"nope")[1]
    assert post("/elsewhere", b"{}")[0] == 404
    assert post("/_elsewhere", b"{}")[0] == 404
    assert post("/api/chat.postMessage", b"x" * (5 * 1024 * 1024))[0] == 413
    assert client.http.get(f"{client.standins.url}/_elsewhere", {}).status == 404


def test_the_program_says_where_it_is_and_ends_with_its_parent() -> None:
    faults = json.dumps([{"vendor": "slack", "do": "status", "status": 503}])
    program = [sys.executable, "-m", "samples.standins", "--until-stdin-closes"]
    child = subprocess.Popen(  # noqa: S603 - our own program
        [*program, "--faults", faults, "--slack-burst", "9"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stdin, stdout = _pipes(child)
    http = HttpPool()
    with child:
        addresses = json.loads(stdout.readline())
        status = http.post(f"{addresses['slack_api_url']}/auth.test", {}).status
        http.close()
        stdin.close()

        assert child.wait(timeout=10) == 0
    assert status == 503
    assert addresses["pagerduty_url"].startswith("http://127.0.0.1:")
    assert addresses["slack_secret"]["webhook_url"].startswith(addresses["url"])


def _pipes(child: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert child.stdin is not None
    assert child.stdout is not None
    return child.stdin, child.stdout
