"""Requests that are cut off, garbage, too deep, too large, or no text where text should be."""

from time import process_time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.wire import field_of
from reflexarc.engines.redact.model import Redacted
from reflexarc.engines.redact.payload import Redactor
from reflexarc.engines.redact.policy import RedactionPolicy
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from tests.support.otlp_requests import attribute, nested, spans

MAIL = "write to bob@example.com now"
GONE = "write to [redacted:email] now"
PLAIN = Redactor(RedactionPolicy())


def cut_off() -> list[bytes]:
    whole = spans(Span(name=MAIL, attributes=[attribute("a", string_value=MAIL)]))
    payload = whole.SerializeToString()
    return [payload[:size] for size in range(1, len(payload))]


def test_a_request_that_is_cut_off_is_rejected_wherever_it_is_cut() -> None:
    for payload in cut_off():
        with pytest.raises(Rejected, match="no OTLP request of traces"):
            PLAIN.apply("traces", payload)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 20,
        b"\x0a\x80",
        b"\x0a" + b"\x80" * 10 + b"\x01",
        b"\x0f\x01",
        b"\x02\x01a",
        b"\x0a\x02\x12\x05",
        nested(b"\x09\x01", 1),
        nested(b"\x09\x01", 1) + b"\x0a\x00" * 8,
        nested(b"\x0a\x80\x80\x04" + b"x", 1, 2),
        nested(b"\x82\x00\x01a", 1),
        b"\x0a\x05abc",
        b'{"resourceSpans":[]}',
    ],
)
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_garbage_is_rejected(garbage: bytes, signal: OtlpSignal) -> None:
    with pytest.raises(Rejected, match="no OTLP request"):
        PLAIN.apply(signal, garbage)


def test_an_empty_request_is_a_request() -> None:
    assert PLAIN.apply("logs", b"") == Redacted(b"", {})


def test_a_name_of_an_attribute_that_is_no_utf8_is_rejected() -> None:
    payload = nested(b"".join(field_of(1, b"\xff")), 1, 2, 2, 9)

    with pytest.raises(Rejected, match="in protobuf"):
        PLAIN.apply("traces", payload)


@pytest.mark.parametrize("numbers", [(1, 2, 2, 5), (1, 2, 2, 9, 2, 1), (1, 2, 2, 9, 2, 5, 1, 1)])
def test_a_text_that_is_no_utf8_goes_whole(numbers: tuple[int, ...]) -> None:
    payload = nested(b"caf\xe9 and more", *numbers)

    result = PLAIN.apply("traces", payload)

    assert result.counts == {"unreadable": 1}
    assert result.payload == nested(b"[redacted:unreadable]", *numbers)
    ExportTraceServiceRequest.FromString(result.payload)


def value_of_depth(depth: int, *, arrays: bool) -> bytes:
    value = nested(MAIL.encode(), 1)
    for _ in range(depth):
        value = nested(value, 5, 1) if arrays else nested(b"\x0a\x01k" + nested(value, 2), 6, 1)
    return value


@pytest.mark.parametrize("arrays", [True, False])
def test_nesting_is_searched_as_deep_as_it_can_be_read_and_goes_whole_below(
    *, arrays: bool
) -> None:
    seen = set()
    for depth in (*range(25, 60), 3_000):
        payload = nested(value_of_depth(depth, arrays=arrays), 1, 2, 2, 9, 2)

        result = PLAIN.apply("traces", payload)

        ExportTraceServiceRequest.FromString(result.payload)
        assert b"example" not in result.payload
        assert sum(result.counts.values()) == 1
        seen |= set(result.counts)
    assert seen == {"email", "unreadable"}


@pytest.mark.parametrize("piece", ["a@b.cc ", "4111 1111 1111 1111 ", "x", "sk-", "\\u0040", "+1 "])
def test_a_huge_attribute_takes_linear_time(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    payload = spans(Span(attributes=[attribute("a", string_value=text)])).SerializeToString()
    started = process_time()

    result = PLAIN.apply("traces", payload)

    assert process_time() - started < 4
    assert ExportTraceServiceRequest.FromString(result.payload).resource_spans


def test_more_candidates_than_are_counted_hide_nothing() -> None:
    span = Span(name="a@b.c" * 25_000, attributes=[attribute("z", string_value=MAIL)])

    result = PLAIN.apply("traces", spans(span).SerializeToString())

    assert GONE.encode() in result.payload
    assert b"b.cb.c" not in result.payload
