"""adapters.http.gpu_ingest fills Queue: what each answer means to an agent."""

import json
import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import urllib3

from reflexarc.adapters.http.gpu_ingest import GpuIngest, address_of, pool_for, region_of
from reflexarc.adapters.http.signers import SigV4Signer, TokenFile
from reflexarc.kernel.errors import RateLimited, Rejected, Unavailable
from tests.agent.ingest_standin import Answer, IngestStandIn, listening, ok, refused, told
from tests.support.incidents import ulid_of
from tests.unit.ingest.fakes import made, message

FUNCTION_URL = "https://abc123.lambda-url.eu-west-1.on.aws/"
_, TOKEN = made()


class Nobody:
    """Fills Signer without a proof."""

    def headers(self, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        del url, body
        return headers

    def advice(self) -> str:
        return "do this"


@pytest.fixture
def standin() -> Iterator[IngestStandIn]:
    with listening() as running:
        yield running


def queue_to(url: str, signer: Any = None) -> GpuIngest:
    url = address_of(url)
    return GpuIngest(url=url, signer=signer or Nobody(), pool=pool_for(url))


def entries(count: int) -> list[tuple[str, str]]:
    return [(ulid_of(number), message(number)) for number in range(count)]


def test_messages_go_in_one_request_byte_for_byte_and_in_order(standin: IngestStandIn) -> None:
    problems = queue_to(standin.url).send(entries(3))

    assert problems == {}
    assert standin.requests == [[json.loads(body) for _, body in entries(3)]]
    assert standin.headers[0]["path"] == "/v1/gpu"
    assert standin.headers[0]["Content-Encoding"] == "gzip"
    assert standin.headers[0]["Content-Type"] == "application/octet-stream"


def test_the_connection_is_kept(standin: IngestStandIn) -> None:
    queue = queue_to(standin.url)

    for _ in range(5):
        queue.send(entries(1))

    assert len(standin.connections) == 1


def test_each_message_has_its_own_fate(standin: IngestStandIn) -> None:
    one, two, three, four = (ulid_of(number) for number in range(4))
    standin.script = lambda _: told(
        (one, "accepted"), (two, "rejected"), (three, "retry"), (four, "perhaps")
    )

    problems = queue_to(standin.url).send(entries(4))

    assert problems.keys() == {two, three, four}
    assert isinstance(problems[two], Rejected)
    assert "because" in str(problems[two])
    assert isinstance(problems[three], Unavailable)
    assert isinstance(problems[four], Unavailable)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"results": []}',
        b'{"results": 1}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_does_not_say_what_became_of_each_is_none(
    standin: IngestStandIn, body: bytes
) -> None:
    standin.script = lambda _: (200, {}, body)

    with pytest.raises(Unavailable, match="same ids"):
        queue_to(standin.url).send(entries(1))


@pytest.mark.parametrize("results", ['["accepted"]', '[{"status": "accepted", "id": "another"}]'])
def test_a_result_that_is_not_this_messages_accepts_nothing(
    standin: IngestStandIn, results: str
) -> None:
    standin.script = lambda _: (200, {}, f'{{"results": {results}}}'.encode())

    problems = queue_to(standin.url).send(entries(1))

    assert isinstance(problems[ulid_of(0)], Unavailable)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refused(401, "token 1 expired"), r"refuses this node \(token 1 expired\): do this"),
        ((403, {}, b'{"Message":"Forbidden"}'), r"\(Forbidden\): do this; nothing is lost"),
        (
            (403, {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}, b""),
            r"this node's clock is \+\d+ s off",
        ),
        (refused(404), "stack's output IngestUrl"),
        (refused(405), "stack's output IngestUrl"),
        (refused(500), r"HTTP 500 \(words\)"),
        (refused(503), r"HTTP 503 \(words\)"),
        ((502, {}, b"Bad Gateway"), "HTTP 502"),
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""), "HTTP 302"),
    ],
)
def test_an_answer_says_what_to_do_and_loses_nothing(
    standin: IngestStandIn, answer: Answer, says: str
) -> None:
    standin.script = lambda _: answer

    with pytest.raises(Unavailable, match=says):
        queue_to(standin.url).send(entries(2))
    assert len(standin.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({}, 1),
        ({"Retry_After": "-1"}, 1),
        ({"Retry_After": "x"}, 1),
        ({"Retry_After": "99999999999"}, 60),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(
    standin: IngestStandIn, header: dict[str, str], seconds: int
) -> None:
    standin.script = lambda _: refused(429, **header)

    with pytest.raises(RateLimited) as limited:
        queue_to(standin.url).send(entries(1))

    assert limited.value.retry_after == timedelta(seconds=seconds)


def test_what_is_too_large_together_goes_in_parts(standin: IngestStandIn) -> None:
    standin.script = lambda messages: ok(messages) if len(messages) < 3 else refused(413)

    assert queue_to(standin.url).send(entries(7)) == {}

    taken = [each for request in standin.ids if len(request) < 3 for each in request]
    assert taken == [message_id for message_id, _ in entries(7)]


@pytest.mark.parametrize("status", [400, 413])
def test_one_message_that_is_refused_for_ever_holds_up_no_other(
    standin: IngestStandIn, status: int
) -> None:
    poisoned = ulid_of(2)
    standin.script = lambda messages: (
        refused(status) if poisoned in [each["id"] for each in messages] else ok(messages)
    )

    problems = queue_to(standin.url).send(entries(5))

    assert problems.keys() == {poisoned}
    assert isinstance(problems[poisoned], Rejected)


def test_a_failure_in_the_second_part_forgets_nothing_of_the_first(
    standin: IngestStandIn,
) -> None:
    status = iter([413, 200, 503])

    def script(messages: list[Any]) -> Answer:
        now = next(status)
        return ok(messages) if now == 200 else refused(now)

    standin.script = script

    problems = queue_to(standin.url).send(entries(4))

    assert problems.keys() == {ulid_of(2), ulid_of(3)}
    assert all(isinstance(each, Unavailable) for each in problems.values())


def test_no_answer_is_sent_again_under_the_same_id(standin: IngestStandIn) -> None:
    queue = queue_to(standin.url)
    standin.script = lambda _: None

    with pytest.raises(Unavailable, match="same id"):
        queue.send(entries(1))
    standin.script = ok
    assert queue.send(entries(1)) == {}

    assert standin.ids == [[ulid_of(0)], [ulid_of(0)]]


def test_nobody_listening_says_what_to_check() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        with pytest.raises(Unavailable, match="check DNS, the route and the proxy"):
            queue_to(f"http://127.0.0.1:{taken.getsockname()[1]}").send(entries(1))


def test_a_certificate_that_is_not_there_says_what_to_check(standin: IngestStandIn) -> None:
    with pytest.raises(Unavailable, match="check its certificate"):
        queue_to(standin.url.replace("http:", "https:")).send(entries(1))


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (FUNCTION_URL, f"{FUNCTION_URL}v1/gpu"),
        (FUNCTION_URL.rstrip("/"), f"{FUNCTION_URL}v1/gpu"),
        (f"{FUNCTION_URL}v1/gpu/", f"{FUNCTION_URL}v1/gpu"),
        ("http://localhost:4566", "http://localhost:4566/v1/gpu"),
        ("http://[::1]:4566/x", "http://[::1]:4566/x/v1/gpu"),
    ],
)
def test_the_stacks_output_is_enough(given: str, address: str) -> None:
    assert address_of(given) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://abc123.lambda-url.eu-west-1.on.aws/",
        "http://127.0.0.1.example.com/",
        "ftp://localhost/",
        "localhost:4566",
        "https://",
        "https://user:secret@host/",
        "https://host/?x=1",
        "https://host:port/",
        "",
    ],
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(Rejected):
        address_of(url)


def test_the_region_is_the_one_that_the_url_names() -> None:
    assert region_of(FUNCTION_URL) == "eu-west-1"
    assert region_of("https://ingest.example.com/") is None


def test_the_nodes_proxy_is_used_unless_it_is_bypassed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "inside.example.com")

    assert isinstance(pool_for(FUNCTION_URL), urllib3.ProxyManager)
    assert not isinstance(pool_for("https://inside.example.com"), urllib3.ProxyManager)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDNODE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return monkeypatch


@pytest.mark.usefixtures("credentials")
def test_a_signature_is_lambdas_and_covers_the_body(standin: IngestStandIn) -> None:
    queue = queue_to(standin.url, SigV4Signer(region="eu-west-1"))

    queue.send(entries(1))

    header = standin.headers[0]["Authorization"]
    assert header.startswith("AWS4-HMAC-SHA256 Credential=AKIDNODE/")
    assert "/eu-west-1/lambda/aws4_request" in header
    signer = SigV4Signer(region="eu-west-1")
    signed = [signer.headers(FUNCTION_URL, body, {})["Authorization"] for body in (b"1", b"2")]
    assert signed[0] != signed[1]


def test_credentials_are_asked_for_at_each_request(
    standin: IngestStandIn, credentials: pytest.MonkeyPatch
) -> None:
    session = botocore.session.get_session()
    queue = queue_to(standin.url, SigV4Signer(region="eu-west-1", session=session))
    queue.send(entries(1))

    session.set_credentials("AKIDNEW", "testing", "session-token")
    queue.send(entries(1))

    del credentials
    assert "AKIDNEW" in standin.headers[1]["Authorization"]
    assert standin.headers[1]["X-Amz-Security-Token"] == "session-token"


def test_no_credentials_say_what_to_do(credentials: pytest.MonkeyPatch) -> None:
    credentials.delenv("AWS_ACCESS_KEY_ID")
    credentials.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(Unavailable, match="no AWS credentials on this node: attach the policy"):
        SigV4Signer(region="eu-west-1").headers(FUNCTION_URL, b"", {})


def token_file(folder: Path, text: str = TOKEN, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_token_is_presented_and_read_again_when_it_changed(
    standin: IngestStandIn, tmp_path: Path
) -> None:
    path = token_file(tmp_path, f"{TOKEN}\n")
    queue = queue_to(standin.url, TokenFile(path))
    queue.send(entries(1))
    _, new = made(number=2)
    token_file(tmp_path, new)

    queue.send(entries(1))

    assert [each["Authorization"] for each in standin.headers] == [
        f"Bearer {TOKEN}",
        f"Bearer {new}",
    ]


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666])
def test_a_token_that_everybody_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    signer = TokenFile(token_file(tmp_path, mode=mode))

    with pytest.raises(Unavailable, match="chmod 600") as refusal:
        signer.headers(FUNCTION_URL, b"", {})
    assert TOKEN not in str(refusal.value)


def test_a_file_that_was_opened_up_later_is_not_used_either(tmp_path: Path) -> None:
    signer = TokenFile(token_file(tmp_path))
    signer.headers(FUNCTION_URL, b"", {})

    (tmp_path / "token").chmod(0o644)

    with pytest.raises(Unavailable, match="chmod 600"):
        signer.headers(FUNCTION_URL, b"", {})


@pytest.mark.parametrize(
    "text", ["", "xoxb-another-secret", TOKEN[:-1], f"{TOKEN}\n{TOKEN}", "\xe4"]
)
def test_another_files_content_is_neither_sent_nor_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unavailable, match="holds no reflexarc token") as refusal:
        TokenFile(token_file(tmp_path, text)).headers(FUNCTION_URL, b"", {})

    assert not text or text not in str(refusal.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="reflexarc token create --source NODE"):
        TokenFile(tmp_path / "none").headers(FUNCTION_URL, b"", {})


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_a_token_is_in_no_error_and_no_repr(
    standin: IngestStandIn, tmp_path: Path, status: int
) -> None:
    standin.script = lambda _: refused(status)
    queue = queue_to(standin.url, TokenFile(token_file(tmp_path)))

    with pytest.raises(Unavailable) as refusal:
        queue.send(entries(1))

    assert TOKEN.rpartition("_")[2] not in f"{refusal.value!r}{queue!r}"
