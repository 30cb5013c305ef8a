"""What is wrong with an export request ends here; what is right goes on, byte for byte."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.sorting import ITEM_MAX, sorted_out
from reflexarc.engines.otlp.validity import LISTED_MAX, judged
from reflexarc.engines.otlp.verdicts import PARTS_MAX, NotOtlp, TooManyParts, Verdict
from reflexarc.engines.otlp.wire import field_of
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.random_otlp import SIGNALS, random_request

UNREADABLE = b"\x0a\x05ab"
NOT_UTF8 = field_of(5, b"\xff")
SPANS = "resource_spans[0].scope_spans[0].spans"


def message(number: int, *parts: bytes) -> bytes:
    return b"".join(field_of(number, b"".join(parts)))


def span(number: int = 1, **fields: Any) -> bytes:
    ids = {"trace_id": number.to_bytes(16, "big"), "span_id": number.to_bytes(8, "big")}
    return Span(**{**ids, "name": "a", **fields}).SerializeToString()


def traces(*spans: bytes) -> bytes:
    return message(1, message(2, *(message(2, each) for each in spans)))


def spans_in(verdict: Verdict) -> list[bytes]:
    request = ExportTraceServiceRequest.FromString(verdict.payload)
    return [
        each.SerializeToString()
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    ]


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("seed", range(5))
def test_a_request_without_a_fault_goes_on_as_the_object_that_came(
    signal: OtlpSignal, seed: int
) -> None:
    data = random_request(signal, seed).SerializeToString()

    verdict = judged(data, signal)

    assert verdict.payload is data
    assert (verdict.rejected, verdict.said) == (0, "")


@pytest.mark.parametrize("signal", SIGNALS)
def test_taking_a_request_apart_for_nothing_changes_nothing(signal: OtlpSignal) -> None:
    data = random_request(signal, 7).SerializeToString()

    assert sorted_out(data, signal) == judged(data, signal)


def test_an_empty_request_has_nothing_wrong() -> None:
    assert judged(b"", "logs") == Verdict(b"", 0)


def test_items_are_counted_over_all_resources_and_scopes() -> None:
    assert judged(traces(span(1), span(2)) + traces(span(3)) + message(1), "traces").items == 3


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"trace_id": b""}, "there is no trace_id"),
        ({"trace_id": bytes(16)}, "trace_id is all zeros"),
        ({"trace_id": b"x" * 15}, "trace_id has 15 bytes, not 16"),
        ({"trace_id": b"x" * 17}, "trace_id has 17 bytes, not 16"),
        ({"trace_id": b"5b8efff798038103d269b633813fc60c"}, "trace_id has 32 bytes, not 16"),
        ({"span_id": b""}, "there is no span_id"),
        ({"span_id": bytes(8)}, "span_id is all zeros"),
        ({"span_id": b"x" * 16}, "span_id has 16 bytes, not 8"),
        ({"parent_span_id": b"x"}, "parent_span_id has 1 bytes, not 8"),
        ({"links": [Span.Link(trace_id=b"x" * 32)]}, "trace_id has 32 bytes, not 16"),
        ({"links": [Span.Link(), Span.Link(span_id=b"x")]}, "span_id has 1 bytes, not 8"),
    ],
)
def test_a_span_with_a_wrong_id_is_rejected_and_the_others_go_on(
    fields: dict[str, Any], says: str
) -> None:
    good = [span(1), span(2)]

    verdict = judged(traces(good[0], span(3, **fields), good[1]), "traces")

    assert spans_in(verdict) == good
    assert (verdict.items, verdict.rejected) == (2, 1)
    assert verdict.said == f"{says} ({SPANS}[1])"


def test_wrong_ids_whose_lengths_make_up_for_each_other_are_seen() -> None:
    verdict = judged(traces(span(1, trace_id=b""), span(2, trace_id=b"x" * 32), span(3)), "traces")

    assert (verdict.items, verdict.rejected) == (1, 2)


def test_an_id_written_twice_is_the_last_one_and_none_may_be_wrong() -> None:
    twice = span(1) + message(1, b"y" * 16)
    wrong = message(1, b"short") + span(2)

    verdict = judged(traces(twice, wrong), "traces")

    assert spans_in(verdict) == [Span.FromString(twice).SerializeToString()]
    assert "trace_id has 5 bytes" in verdict.said


@pytest.mark.parametrize(
    "fields",
    [
        {"start_time_unix_nano": 20, "end_time_unix_nano": 10},
        {"attributes": [{"key": "k", "value": AnyValue(string_value="x" * 100_000)}]},
        {"name": ""},
        {"kind": 99},
        {"parent_span_id": bytes(8)},
        {"links": [Span.Link(), Span.Link(trace_id=bytes(16), span_id=bytes(8))]},
        {"flags": 0xFFFFFFFF, "trace_state": "not a list of members"},
    ],
    ids=["ends before it starts", "long", "nameless", "new kind", "zero parent", "links", "flags"],
)
def test_what_is_odd_and_valid_goes_on_untouched(fields: dict[str, Any]) -> None:
    data = traces(span(1, **fields))

    assert judged(data, "traces").payload is data


def test_unknown_fields_are_kept_byte_for_byte_where_others_go() -> None:
    later = message(99, b"later \xff")
    kept = span(1) + later
    data = (
        message(1, message(1, later), message(2, message(2, kept), message(2, b"")), later) + later
    )

    verdict = judged(data, "traces")

    assert verdict.items == 1
    assert kept in verdict.payload
    assert verdict.payload.count(later) == 4
    assert (
        ExportTraceServiceRequest.FromString(verdict.payload).resource_spans[0].HasField("resource")
    )


def test_one_bad_resource_is_named_and_the_good_ones_go_on() -> None:
    good = [traces(span(1)), traces(span(2), span(3))]
    bad = message(1, message(1, UNREADABLE), message(2, message(2, span(4)), message(2, span(5))))

    verdict = judged(good[0] + bad + good[1], "traces")

    assert verdict.payload == b"".join(good)
    assert (verdict.items, verdict.rejected) == (3, 2)
    assert verdict.said == "the protobuf is cut off or garbled (resource_spans[1])"


def test_a_resource_that_is_garbage_counts_as_one_at_least() -> None:
    verdict = judged(traces(span(1)) + message(1, b"\xff\xff"), "traces")

    assert (verdict.items, verdict.rejected) == (1, 1)


def test_one_bad_scope_takes_its_items_along_and_no_others() -> None:
    scope = message(2, message(1, UNREADABLE), *(message(2, span(n)) for n in (1, 2)))
    good = message(2, message(2, span(3)))

    verdict = judged(message(1, scope, good), "traces")

    assert spans_in(verdict) == [span(3)]
    assert verdict.rejected == 2
    assert "(resource_spans[0].scope_spans[0])" in verdict.said


def test_text_that_is_not_utf8_is_said_to_be_that() -> None:
    bad = span(2) + b"".join(NOT_UTF8)

    verdict = judged(traces(span(1), bad, bad), "traces")

    assert spans_in(verdict) == [span(1)]
    assert verdict.said == f"a text is not UTF-8 ({SPANS}[1] and 1 more)"


def nested(depth: int) -> AnyValue:
    value = AnyValue(int_value=1)
    for _ in range(depth):
        outer = AnyValue()
        outer.array_value.values.append(value)
        value = outer
    return value


def test_values_nested_too_deeply_are_rejected_as_protobuf_counts_from_the_request() -> None:
    spans = [span(1)]
    for depth in range(35, 50):
        deep = span(2, attributes=[{"key": "k"}])
        attribute = message(9, message(1, b"k"), message(2, nested(depth).SerializeToString()))
        spans.append(deep + attribute)

    verdict = judged(traces(*spans), "traces")

    assert 0 < verdict.rejected < 15
    assert len(spans_in(verdict)) == verdict.items == 16 - verdict.rejected
    assert "values are nested too deeply" in verdict.said


@pytest.mark.parametrize("depth", [100_000, 1_000_000])
def test_nesting_costs_next_to_nothing_however_deep(depth: int) -> None:
    # Not valid all the way down: the parser gives up long before it would notice.
    deep = message(9, message(2, b"\x2a\x80\x80\x40" * depth))
    began = time.process_time()

    verdict = judged(traces(span(1), span(2) + deep), "traces")

    assert (verdict.items, verdict.rejected) == (1, 1)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "data",
    [
        traces(span(1))[:-1],
        b"\xff" * 40,
        b"\x0a",
        b"plain text",
        b'{"resourceSpans":[]}',
        b"\x0a\xff\xff\xff\xff\x7f",
        b"\0",
    ],
)
def test_what_is_truncated_or_garbage_is_no_request(data: bytes) -> None:
    with pytest.raises(NotOtlp, match="cut off or garbled"):
        judged(data, "traces")


def test_metrics_posted_as_traces_leave_nothing() -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="up").gauge.SetInParent()

    verdict = judged(request.SerializeToString(), "traces")

    assert (verdict.payload, verdict.items, verdict.rejected) == (b"", 0, 1)


@pytest.mark.parametrize("level", [0, 1, 2], ids=["resources", "scopes", "items"])
@pytest.mark.parametrize("flaw", [b"", message(1, UNREADABLE)], ids=["sound", "flawed"])
def test_more_parts_than_anybody_takes_are_refused_in_no_time(level: int, flaw: bytes) -> None:
    wrap: Callable[[bytes], bytes] = {
        0: lambda crowd: crowd,
        1: lambda crowd: message(1, crowd),
        2: lambda crowd: message(1, message(2, crowd)),
    }[level]
    crowd = message((1, 2, 2)[level]) * (10 * PARTS_MAX)
    began = time.process_time()

    with pytest.raises(TooManyParts, match="100,000"):
        judged(wrap(crowd) + flaw, "metrics")

    assert time.process_time() - began < 2


def test_a_crowd_in_a_part_that_cannot_be_read_is_not_counted_one_by_one() -> None:
    crowd = message(2) * (2 * PARTS_MAX)

    with pytest.raises(TooManyParts):
        judged(message(1, message(1, UNREADABLE), crowd), "logs")


def test_a_crowd_spread_over_many_scopes_is_a_crowd() -> None:
    scope = message(2, message(2) * (PARTS_MAX // 3))

    with pytest.raises(TooManyParts):
        judged(message(1, scope * 4, message(1, UNREADABLE)) + traces(span(1)), "logs")
    with pytest.raises(TooManyParts):
        judged(message(1, scope * 4) + message(1, UNREADABLE), "logs")


def test_a_large_request_made_of_nothing_is_not_listed() -> None:
    with pytest.raises(TooManyParts):
        judged(message(1) * 5_000_000, "logs")


def logs(*records: bytes) -> bytes:
    return message(1, message(2, *(message(2, each) for each in records)))


def test_a_log_record_loses_a_wrong_id_and_nothing_else() -> None:
    text = message(5, message(1, b"kernel: NVRM: Xid"))
    good = message(9, b"t" * 16) + message(10, b"s" * 8) + text
    later = message(99, b"later")

    verdict = judged(
        logs(message(9, b"short") + text + message(10, b"s" * 8) + later, good, text), "logs"
    )

    assert (verdict.items, verdict.rejected) == (3, 0)
    assert verdict.said == (
        "trace_id has 5 bytes, not 16, and was taken out "
        "(resource_logs[0].scope_logs[0].log_records[0])"
    )
    records = (
        ExportLogsServiceRequest.FromString(verdict.payload)
        .resource_logs[0]
        .scope_logs[0]
        .log_records
    )
    assert [each.body.string_value for each in records] == ["kernel: NVRM: Xid"] * 3
    assert [each.trace_id for each in records] == [b"", b"t" * 16, b""]
    assert text + message(10, b"s" * 8) + later in verdict.payload


def test_an_exemplar_loses_a_wrong_id_and_its_point_stays() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        metric = metrics.add(name=kind)
        points = getattr(metric, kind).data_points
        for _ in range(2):
            point = points.add(time_unix_nano=5)
            if kind != "summary":
                point.exemplars.add(trace_id=b"t" * 16, span_id=b"s" * 8)
                point.exemplars.add(trace_id=b"t", span_id=b"s" * 9, as_double=1.5)

    verdict = judged(request.SerializeToString(), "metrics")

    assert (verdict.items, verdict.rejected) == (5, 0)
    assert "taken out" in verdict.said
    for metric in metrics:
        for point in getattr(metric, metric.name).data_points if metric.name != "summary" else ():
            point.exemplars[1].ClearField("trace_id")
            point.exemplars[1].ClearField("span_id")
    assert ExportMetricsServiceRequest.FromString(verdict.payload) == request


def test_of_metrics_data_points_are_counted_as_rejected() -> None:
    metric = message(5, *(message(1, b"\x19" + bytes(8)) for _ in range(3)))
    bad = metric + b"".join(field_of(1, b"\xff"))
    empty = b"".join(field_of(1, b"\xff"))

    verdict = judged(
        message(1, message(2, *(message(2, m) for m in (metric, bad, empty)))), "metrics"
    )

    assert (verdict.items, verdict.rejected) == (1, 3 + 1)


def test_a_metric_that_is_garbage_counts_as_one_point() -> None:
    metrics = message(1, message(2, message(2, b"\x0a\x01a"), message(2, b"\xff\xff")))

    verdict = judged(metrics, "metrics")

    assert (verdict.items, verdict.rejected) == (1, 1)


def test_packed_numbers_of_varying_size_are_gone_through() -> None:
    # Buckets of an exponential histogram: 2, 300, and one that is cut off.
    def metric(counts: bytes) -> bytes:
        return message(10, message(1, message(8, message(2, counts))))

    good, bad = metric(b"\x02\xac\x02"), metric(b"\x02\xac")

    verdict = judged(message(1, message(2, message(2, good), message(2, bad))), "metrics")

    assert (verdict.items, verdict.rejected) == (1, 1)


def test_a_request_too_large_for_lists_is_looked_at_item_by_item() -> None:
    text = "x" * 1_000_000
    good = [span(n, name=text) for n in range(1, 9)]
    bad = span(9, name=text, trace_id=b"short")

    whole = traces(*good, *good)

    assert len(whole) > LISTED_MAX
    assert judged(whole, "traces").payload is whole
    assert judged(traces(*good, bad, *good), "traces").payload == whole


def test_an_item_that_no_backend_takes_is_rejected() -> None:
    large = span(1, name="x" * ITEM_MAX)

    verdict = judged(traces(large, span(2)), "traces")

    assert spans_in(verdict) == [span(2)]
    assert verdict.said == f"it has more than {ITEM_MAX:,} bytes ({SPANS}[0])"


def test_a_log_record_that_no_backend_takes_is_rejected_too() -> None:
    large = message(5, message(1, b"x" * ITEM_MAX))

    verdict = judged(logs(large, message(3, b"INFO")), "logs")

    assert (verdict.items, verdict.rejected) == (1, 1)


def test_many_kinds_of_fault_are_told_in_few_words() -> None:
    spans = [span(n + 1, trace_id=b"x" * n) for n in range(1, 13)]

    said = judged(traces(*spans), "traces").said

    assert said.endswith("; and 7 other reasons")
    assert len(said) < 700
