import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.wire import field_of
from reflexarc.telemetry.backends import Limits
from reflexarc.telemetry.parts import Part, chosen, counts_of, cut, halves
from tests.support.otlp import add_spans, gauge, logs, metrics, record, span, span_ids, traces

SPANS = [span(number, "work", blob="x" * 2_000) for number in range(1, 31)]
PAYLOAD = traces(*SPANS)


def limits(**given: int) -> Limits:
    return Limits(**{"max_bytes": 10_000_000, **given})


def spans_of(parts: Sequence[Part]) -> list[Span]:
    return [
        each
        for part in parts
        for resource in ExportTraceServiceRequest.FromString(part.payload).resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    ]


def test_what_fits_goes_as_the_very_bytes_that_came() -> None:
    made = cut("traces", PAYLOAD, 30, limits(max_items=30))

    assert [part.payload for part in made.parts] == [PAYLOAD]
    assert made.parts[0].payload is PAYLOAD
    assert made.misfits == []


def test_no_part_has_more_items_than_the_backend_takes() -> None:
    made = cut("traces", PAYLOAD, 30, limits(max_items=7))

    assert [part.items for part in made.parts] == [7, 7, 7, 7, 2]
    assert spans_of(made.parts) == SPANS


def test_no_part_has_more_bytes_than_the_backend_takes() -> None:
    made = cut("traces", PAYLOAD, 30, limits(max_bytes=10_000))

    assert max(len(part.payload) for part in made.parts) <= 10_000
    assert min(len(part.payload) for part in made.parts[:-1]) > 7_000
    assert spans_of(made.parts) == SPANS


def test_every_part_says_of_which_resource_and_scope_its_items_are() -> None:
    request = ExportTraceServiceRequest()
    add_spans(request, SPANS[:10], {"service.name": "a"}, "one")
    add_spans(request, SPANS[10:], {"service.name": "b"}, "two")

    made = cut("traces", request.SerializeToString(), 30, limits(max_items=8))

    said = [
        [
            (
                resource.resource.attributes[0].value.string_value,
                resource.schema_url,
                scope.scope.name,
                len(scope.spans),
            )
            for resource in ExportTraceServiceRequest.FromString(part.payload).resource_spans
            for scope in resource.scope_spans
        ]
        for part in made.parts
    ]
    url = "https://opentelemetry.io/schemas/1.37.0"
    assert said == [
        [("a", url, "one", 8)],
        [("a", url, "one", 2), ("b", url, "two", 6)],
        [("b", url, "two", 8)],
        [("b", url, "two", 6)],
    ]


def test_an_item_that_no_request_may_hold_is_set_apart_and_the_others_go_on() -> None:
    large = span(99, "large", blob="x" * 5_000)
    payload = traces(*SPANS[:2], large, *SPANS[2:4])

    made = cut("traces", payload, 5, limits(max_item_bytes=4_000))

    assert [each.name for each in spans_of(made.misfits)] == ["large"]
    assert spans_of(made.parts) == SPANS[:4]


def test_an_item_that_is_larger_than_a_request_is_set_apart() -> None:
    made = cut("traces", traces(SPANS[0], span(99, blob="x" * 20_000)), 2, limits(max_bytes=10_000))

    assert span_ids(made.misfits[0].payload) == {((99).to_bytes(16), (99).to_bytes(8))}
    assert spans_of(made.parts) == SPANS[:1]


def test_a_request_of_small_items_is_looked_at_and_stays_whole() -> None:
    made = cut("traces", PAYLOAD, 30, limits(max_item_bytes=4_000))

    assert spans_of(made.parts) == SPANS
    assert len(made.parts) == 1


def test_resources_without_items_make_no_part() -> None:
    request = ExportTraceServiceRequest()
    add_spans(request, SPANS[:1])
    for _ in range(50):
        request.resource_spans.add(schema_url="x" * 1_000)

    made = cut("traces", request.SerializeToString(), 1, limits(max_bytes=10_000))

    assert [part.items for part in made.parts] == [1]
    assert len(made.parts[0].payload) < 3_000
    assert cut("traces", b"\x0a\x00" * 50_000, 0, limits(max_bytes=10_000)).parts == []


def test_log_records_are_cut_between_records() -> None:
    payload = logs(*(record(f"line {number}") for number in range(5)))

    assert [part.items for part in cut("logs", payload, 5, limits(max_items=2)).parts] == [2, 2, 1]


def series(name: str, points: int) -> Metric:
    return gauge(name, *((float(number), {"n": number}) for number in range(points)))


def points_of(parts: Sequence[Part]) -> list[tuple[str, float]]:
    return [
        (metric.name, point.as_double)
        for part in parts
        for resource in ExportMetricsServiceRequest.FromString(part.payload).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.gauge.data_points
    ]


def test_a_metric_counts_its_points() -> None:
    payload = metrics(series("a", 3), Metric(name="empty"), series("b", 2))

    assert counts_of("metrics", payload) == [3, 0, 2]


def test_points_of_a_metric_are_divided_where_they_are_too_many() -> None:
    payload = metrics(series("a", 25), series("b", 3))

    made = cut("metrics", payload, 28, limits(max_items=10))

    assert all(part.items <= 10 for part in made.parts)
    assert points_of(made.parts) == points_of([Part(payload=payload, items=28)])
    assert made.misfits == []


def test_points_of_a_metric_are_divided_where_they_are_too_large() -> None:
    payload = metrics(series("a", 1_000))

    made = cut("metrics", payload, 1_000, limits(max_bytes=10_000))

    assert max(len(part.payload) for part in made.parts) <= 10_000
    assert points_of(made.parts) == points_of([Part(payload=payload, items=1_000)])


def test_halves_hold_all_items_and_one_item_has_none() -> None:
    two = halves("traces", Part(payload=PAYLOAD, items=30))

    assert [part.items for part in two] == [15, 15]
    assert spans_of(two) == SPANS
    assert halves("traces", Part(payload=traces(SPANS[0]), items=1)) == ()


def test_what_stands_in_between_is_kept_wherever_its_writer_put_it() -> None:
    one, two = (framed(traces(each)) for each in SPANS[:2])
    scopes = [
        each.data[each.resources[0].scopes[0].start : each.resources[0].scopes[0].end]
        for each in (one, two)
    ]
    # A schema URL between two scopes: protobuf leaves the order of fields to the writer.
    odd = scopes[0] + b"\x1a\x01u" + scopes[1]
    payload = b"".join(field_of(1, odd))

    (first, second) = cut("traces", payload, 2, limits(max_items=1)).parts

    urls = [
        ExportTraceServiceRequest.FromString(part.payload).resource_spans[0].schema_url
        for part in (first, second)
    ]
    assert urls == ["u", "u"]
    assert spans_of([first, second]) == SPANS[:2]


def test_chosen_items_are_cut_out_with_what_stands_above_them() -> None:
    request = framed(PAYLOAD)

    part = chosen("traces", request, [3, 17])

    assert spans_of([part]) == [SPANS[3], SPANS[17]]
    assert part.items == 2


@given(
    seed=st.integers(0, 10_000),
    max_items=st.one_of(st.none(), st.integers(1, 40)),
    max_bytes=st.integers(10_000, 40_000),
    max_item_bytes=st.one_of(st.none(), st.integers(1_000, 12_000)),
)
def test_whatever_the_limits_every_item_is_there_once_and_in_its_order(
    seed: int, max_items: int | None, max_bytes: int, max_item_bytes: int | None
) -> None:
    dice = random.Random(seed)
    request = ExportTraceServiceRequest()
    for number in range(dice.randrange(1, 6)):
        spans = [
            span(number * 100 + each + 1, blob="x" * dice.choice([10, 900, 3_000, 11_000]))
            for each in range(dice.randrange(0, 12))
        ]
        add_spans(request, spans, {"r": number, "pad": "y" * dice.choice([0, 2_000])})
    payload = request.SerializeToString()
    whole = spans_of([Part(payload=payload, items=0)])
    given_limits = Limits(max_bytes=max_bytes, max_items=max_items, max_item_bytes=max_item_bytes)

    made = cut("traces", payload, len(whole), given_limits)

    kept, apart = spans_of(made.parts), spans_of(made.misfits)
    assert sorted(each.span_id for each in kept + apart) == [each.span_id for each in whole]
    assert [each for each in whole if each in kept] == kept
    for part in made.parts:
        assert len(part.payload) <= max_bytes
        assert max_items is None or part.items <= max_items
        assert part.items == len(spans_of([part]))


@pytest.mark.parametrize("most", [1, 2, 3])
def test_parts_are_cut_the_same_way_each_time(most: int) -> None:
    once = cut("traces", PAYLOAD, 30, limits(max_items=most)).parts

    assert cut("traces", PAYLOAD, 30, limits(max_items=most)).parts == once
