"""OTLP over real HTTP: what backends take, what they say, and what is made of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.otlp_http.answers import PROTOBUF, error_of, taken
from reflexarc.adapters.otlp_http.exporter import OtlpHttpExporter
from reflexarc.adapters.otlp_http.keys import BackendKeys
from reflexarc.events.packed import Encoding
from reflexarc.kernel.errors import RateLimited, ReflexError, Rejected, Unavailable
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.errors import TooLarge
from reflexarc.telemetry.packing import packed
from samples.standins.server import StandIns
from tests.support.otlp import NOW, span, traces
from tests.support.standins import HeldSecret, running

PAYLOAD = traces(span(1), span(2))


@dataclass
class Wired:
    """An exporter and the stand-ins that it speaks to."""

    standins: StandIns
    exporter: OtlpHttpExporter
    secret: HeldSecret[BackendKeys]

    def backend(self, **more: Any) -> Backend:
        given = {"name": "a", "endpoint": f"{self.standins.url}/otlp/a/", **more}
        return Backend.model_validate(given)

    def send(self, body: bytes = PAYLOAD, encoding: Encoding = "identity", **more: Any) -> Any:
        return self.exporter.send(self.backend(**more), "traces", body, encoding)

    def trouble(self, **order: Any) -> None:
        http = HttpPool()
        orders = [{"vendor": "otlp", "method": "a", **order}]
        http.post_body(f"{self.standins.url}/_faults", json.dumps(orders).encode())
        http.close()

    @property
    def told(self) -> dict[str, Any]:
        return self.standins.otlp.backends["a"].told()


def keys(**values: str) -> BackendKeys:
    return BackendKeys.model_validate(values)


@pytest.fixture
def wired() -> Iterator[Wired]:
    secret = HeldSecret(keys(honeycomb="right"))
    with running() as standins:
        yield Wired(standins, OtlpHttpExporter(secret=secret, clock=lambda: NOW), secret)


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_a_request_is_posted_as_it_is_packed(wired: Wired, encoding: Encoding) -> None:
    assert wired.send(packed(PAYLOAD, encoding), encoding) == (0, "")

    assert wired.told["spans"] == 2


def test_items_that_a_backend_rejects_are_told_with_its_words(wired: Wired) -> None:
    rejected, said = wired.send(traces(span(1), span(2, blob="x" * 200_001)))

    assert (rejected, said) == (1, "1 items are larger than 200000 bytes")


def test_a_key_comes_from_the_secret_and_other_headers_as_they_stand(wired: Wired) -> None:
    wired.standins.otlp.configure("a", key="right")
    headers = {"x-api-key": {"secret": "honeycomb"}, "x-dataset": "prod"}

    assert wired.send(headers=headers) == (0, "")


def test_a_key_that_is_refused_is_read_again_once(wired: Wired) -> None:
    wired.standins.otlp.configure("a", key="rotated")
    wired.secret.next_value = keys(honeycomb="rotated")
    headers = {"x-api-key": {"secret": "honeycomb"}}

    assert wired.send(headers=headers) == (0, "")

    assert wired.secret.renewals == 1


@pytest.mark.parametrize("name", ["honeycomb", "absent"])
def test_a_key_that_does_not_serve_waits_for_an_operator(wired: Wired, name: str) -> None:
    wired.standins.otlp.configure("a", key="another")

    with pytest.raises(Unavailable) as told:
        wired.send(headers={"x-api-key": {"secret": name}})

    assert not isinstance(told.value, Rejected)
    assert "put a new one there" in str(told.value)
    assert "right" not in str(told.value)


def test_a_key_that_no_header_may_hold_is_not_sent(wired: Wired) -> None:
    wired.secret.value = keys(honeycomb="a\r\nx-other: b")

    with pytest.raises(Unavailable, match="no usable 'honeycomb' for a"):
        wired.send(headers={"x-api-key": {"secret": "honeycomb"}})


def test_keys_never_show() -> None:
    assert "right" not in repr(keys(honeycomb="right"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, Unavailable),
        (404, Unavailable),
        (413, TooLarge),
        (422, Rejected),
        (500, Rejected),
        (502, Unavailable),
        (301, Unavailable),
    ],
)
def test_what_may_succeed_later_is_told_from_what_never_will(
    wired: Wired, status: int, error: type[ReflexError]
) -> None:
    wired.trouble(do="status", status=status)

    with pytest.raises(error, match=f"HTTP {status}: scripted"):
        wired.send()


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_how_long_a_backend_is_left_alone(wired: Wired, status: int) -> None:
    wired.trouble(do="status", status=status, retry_after=90)

    with pytest.raises(RateLimited) as told:
        wired.send()

    assert told.value.retry_after == timedelta(seconds=90)


def test_the_words_of_a_status_are_told(wired: Wired) -> None:
    wired.standins.otlp.configure("a", max_items=1)

    with pytest.raises(Rejected, match="HTTP 400: more than 1 items"):
        wired.send()


@pytest.mark.parametrize("do", ["drop_before", "drop_after"])
def test_no_answer_is_waited_out(wired: Wired, do: str) -> None:
    wired.trouble(do=do)

    with pytest.raises(Unavailable, match="no answer"):
        wired.send()


def test_a_backend_that_is_slow_is_not_waited_for_longer_than_it_may_take(wired: Wired) -> None:
    wired.trouble(do="hang", seconds=1.5)

    with pytest.raises(Unavailable, match="no answer"):
        wired.send(timeout_s=1.0)

    assert wired.send(timeout_s=5.0) == (0, "")


def test_plain_http_goes_to_this_machine_alone_unless_it_is_asked_for(wired: Wired) -> None:
    with pytest.raises(Unavailable, match="other than by https"):
        wired.send(endpoint="http://collector.internal:4318")
    with pytest.raises(Unavailable, match="cannot reach"):
        wired.send(endpoint="http://collector.invalid:4318", insecure=True)


def test_a_signed_request_names_the_service_and_covers_the_body(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str] = {}
    post = HttpPool.post_body

    def watched(self: HttpPool, url: str, body: bytes, headers: Any, **more: Any) -> Answer:
        seen.update(headers)
        return post(self, url, body, headers, **more)

    monkeypatch.setattr(HttpPool, "post_body", watched)
    session = botocore.session.get_session()
    session.set_credentials("AKIA", "secret")
    object.__setattr__(wired.exporter, "session", lambda: session)

    wired.send(sign={"service": "xray", "region": "us-west-2"})

    assert "/us-west-2/xray/aws4_request" in seen["Authorization"]
    assert seen["Content-Type"] == PROTOBUF


def test_without_credentials_nothing_is_signed(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(Unavailable, match="no AWS credentials"):
        wired.send(sign={"service": "logs", "region": "us-west-2"})
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    with pytest.raises(Unavailable, match="no AWS credentials"):
        wired.send(sign={"service": "logs", "region": "us-west-2"})


# --- answers as they may come ---


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status=status, body=body, headers=told)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("999999999999", timedelta(days=1)),
        ("Tue, 24 Nov 2026 03:13:07 GMT", timedelta(seconds=60)),
        ("Tue, 24 Nov 2026 03:13:07 -0000", timedelta(seconds=60)),
        ("Tue, 24 Nov 2025 03:13:07 GMT", None),
        ("soon", None),
        ("", None),
        ("0", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(given: str, wait: timedelta | None) -> None:
    error = error_of(answer(503, retry_after=given), NOW)

    assert isinstance(error, Unavailable)
    assert (error.retry_after if isinstance(error, RateLimited) else None) == wait


def test_an_answer_that_cannot_be_read_was_still_a_success() -> None:
    assert taken(answer(body=b"\xff", content_type=PROTOBUF), "logs") == (
        0,
        "its answer cannot be read",
    )
    assert taken(answer(body=b"ok", content_type="text/plain"), "logs") == (0, "")


def test_a_negative_number_of_rejected_items_is_none() -> None:
    body = ExportLogsServiceResponse(
        partial_success=ExportLogsPartialSuccess(rejected_log_records=-5, error_message="a warning")
    ).SerializeToString()

    assert taken(answer(body=body, content_type=PROTOBUF), "logs") == (0, "a warning")


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"\x08\x03", "HTTP 400"), (b"\xff\xff", "HTTP 400"), (b"\x12\x02no", "HTTP 400: no")],
)
def test_a_status_may_say_nothing(body: bytes, said: str) -> None:
    assert str(error_of(answer(400, body, content_type=PROTOBUF), NOW)) == said
