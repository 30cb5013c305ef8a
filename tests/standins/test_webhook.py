import json
from pathlib import Path
from typing import Any

import pytest

from reflexarc.adapters.http.pool import Answer
from reflexarc.adapters.webhook import signature
from reflexarc.kernel.clock import system_clock
from samples.standins.server import HOOK_KEY
from samples.standins.webhook import SCHEMA, WebhookStandIn
from tests.standins.conftest import Client

EXAMPLE: dict[str, Any] = json.loads(
    Path(SCHEMA.parents[1], "examples", "page_event.json").read_text(encoding="utf-8")
)


def post(client: Client, event: object = None, key: str = HOOK_KEY, event_id: str = "") -> Answer:
    body = json.dumps(EXAMPLE if event is None else event).encode()
    headers = {
        signature.HEADER: signature.header(body, [key], system_clock()),
        "X-Reflexarc-Event-Id": event_id or EXAMPLE["id"],
    }
    return client.http.post_body(f"{client.standins.url}/hooks/pages", body, headers)


def test_an_event_is_kept_once_however_often_it_comes(client: Client) -> None:
    assert [post(client).status for _ in range(3)] == [202] * 3

    kept = client.control("/_webhook")

    assert [event["id"] for event in kept["events"]] == [EXAMPLE["id"]]
    assert kept["repeats"] == 2
    assert [entry["opened"] for entry in client.control("/_log")["log"]] == [True, False, False]


@pytest.mark.parametrize("header", ["", "v1=00", "t=1,v1=00", "t=x,v1=00", "t=1,t=2,v1=00"])
def test_what_is_not_signed_or_signed_long_ago_is_refused(client: Client, header: str) -> None:
    body = json.dumps(EXAMPLE).encode()

    answer = client.http.post_body(
        f"{client.standins.url}/hooks/pages", body, {signature.HEADER: header}
    )

    assert answer.status == 401


def test_a_signature_of_another_key_is_refused(client: Client) -> None:
    assert post(client, key="x" * 32).status == 401


@pytest.mark.parametrize(
    ("event", "event_id", "said"),
    [
        ({**EXAMPLE, "severity": "fatal"}, "", "'fatal' is not one of"),
        ([], "", "is a required property"),
        (EXAMPLE, "0" * 64, "another"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(
    client: Client, event: object, event_id: str, said: str
) -> None:
    answer = post(client, event, event_id=event_id)

    assert answer.status == 422
    assert said in answer.text()


def test_a_body_that_is_no_json_is_refused_though_it_is_signed() -> None:
    receiver = WebhookStandIn(HOOK_KEY, clock=lambda: system_clock().timestamp())
    signed = signature.header(b"<xml/>", [HOOK_KEY], system_clock())

    assert receiver.receive(b"<xml/>", {signature.HEADER: signed}).status == 422


def test_a_reset_forgets_events(client: Client) -> None:
    post(client)

    client.http.post(f"{client.standins.url}/_reset", {})

    assert client.control("/_webhook") == {"events": [], "repeats": 0}
