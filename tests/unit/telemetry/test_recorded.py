"""What a recorded export request is of, told by what stands in it."""

import json
from io import BytesIO
from typing import Any

import pytest

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.recorded import of_json, of_protobuf, signal_named, signal_of

SPAN = {"traceId": "74" * 16, "spanId": "73" * 8, "name": "a"}
SUM = {"name": "requests", "sum": {"dataPoints": [{"asInt": "1"}]}}
REQUESTS: dict[OtlpSignal, dict[str, Any]] = {
    "traces": {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]},
    "metrics": {"resourceMetrics": [{"scopeMetrics": [{"metrics": [SUM]}]}]},
    "logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]},
}


SIGNALS = tuple(REQUESTS)


def protobuf(signal: OtlpSignal) -> bytes:
    return protobuf_of(json.dumps(REQUESTS[signal]).encode(), signal)


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_request_tells_its_signal(signal: OtlpSignal) -> None:
    assert signal_of(protobuf(signal)) == signal


@pytest.mark.parametrize("content", [b"", b"no protobuf", b"\x0a\x05\x12\x03\x12\x01\xff"])
def test_what_is_no_request_with_items_tells_nothing(content: bytes) -> None:
    assert signal_of(content) is None


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("spans.pb", "traces"),
        ("logs/2026/traces_17.binpb", "traces"),
        ("archive/metrics/dt=2026-11-24/hour=03/01J.pb.zst", "metrics"),
        ("/var/log.pb", "logs"),
        ("catalogs/prologue.pb", None),
    ],
)
def test_a_name_tells_the_signal_by_whole_words(name: str, signal: str | None) -> None:
    assert signal_named(name) == signal


@pytest.mark.parametrize("signal", SIGNALS)
def test_json_says_what_it_is(signal: OtlpSignal) -> None:
    (batch,) = of_json([json.dumps(REQUESTS[signal]).encode()], "file")

    assert (batch.signal, batch.payload, batch.where) == (signal, protobuf(signal), "file:1")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([b"{}"], "file:1: an export request has one of resourceSpans"),
        ([b"[]"], "file:1: an export request has one of resourceSpans"),
        ([b"{}", b"{"], "file:1: an export request"),
        ([b'{"resourceSpans": [],', b"oops"], "file: not JSON: "),
        ([b'{"resourceSpans": 7}'], "file:1: .*resourceSpans"),
        ([json.dumps(REQUESTS["logs"]).encode(), b"{oops"], "file:2: not JSON: "),
        ([], "file: not JSON: "),
    ],
)
def test_what_is_no_request_is_refused_with_its_line(lines: list[bytes], problem: str) -> None:
    with pytest.raises(Rejected, match=f"^{problem}"):
        list(of_json(lines, "file"))


def test_what_stands_in_it_comes_before_who_asks() -> None:
    (known,) = of_protobuf(BytesIO(protobuf("traces")), "metrics.pb", "logs")
    (unknown,) = of_protobuf(BytesIO(), "file", "logs")

    assert (known.signal, unknown.signal) == ("traces", "logs")


def test_the_name_is_asked_where_the_content_tells_nothing() -> None:
    (batch,) = of_protobuf(BytesIO(), "metrics.pb", None)

    assert batch.signal == "metrics"


def test_requests_behind_their_lengths_are_cut_and_numbered() -> None:
    one = protobuf("traces")

    batches = list(of_protobuf(BytesIO((len(one).to_bytes(4, "big") + one) * 2), "file", None))

    assert [(each.payload, each.where) for each in batches] == [(one, "file:1"), (one, "file:2")]


def test_a_document_over_several_lines_is_one_request() -> None:
    lines = json.dumps(REQUESTS["traces"], indent=1).encode().splitlines(keepends=True)

    (batch,) = of_json(lines, "file")

    assert (batch.payload, batch.where) == (protobuf("traces"), "file")


def test_empty_lines_are_passed_over_and_counted() -> None:
    line = json.dumps(REQUESTS["traces"]).encode()

    assert [each.where for each in of_json([line, b"\n", line], "file")] == ["file:1", "file:3"]


def test_what_nothing_tells_must_be_said() -> None:
    with pytest.raises(Rejected, match="file: nothing tells whether these are traces, metrics or"):
        list(of_protobuf(BytesIO(), "file", None))


@pytest.mark.parametrize("content", [b"\0\0\0\x05ab", b"\0\0\0\0\0\0", b"text, and no protobuf"])
def test_what_is_no_protobuf_is_refused(content: bytes) -> None:
    with pytest.raises(Rejected, match="neither an export request nor requests behind"):
        list(of_protobuf(BytesIO(content), "logs.pb", None))
