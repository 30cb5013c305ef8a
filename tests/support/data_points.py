"""Metrics and their points as tests write them."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from reflexarc.telemetry.aggregation import Aggregated, Aggregation, Refused, aggregated

DELTA = AGGREGATION_TEMPORALITY_DELTA
SECOND = 1_000_000_000
BY_REGION = Aggregation(keep=frozenset({"region"}))


def labels(attributes: Mapping[str, str]) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()
    ]


def number(value: float | None, at: int = 0, start: int = 0, **attributes: str) -> NumberDataPoint:
    kind = "as_int" if isinstance(value, int) else "as_double"
    point = NumberDataPoint(
        attributes=labels(attributes),
        time_unix_nano=at * SECOND,
        start_time_unix_nano=start * SECOND,
    )
    if value is not None:
        setattr(point, kind, value)
    return point


def histogram(counts: Sequence[int], **fields: Any) -> HistogramDataPoint:
    fields = {"explicit_bounds": [1, 2], "count": sum(counts), **fields}
    attributes = labels({"region": fields.pop("region", "eu")})
    return HistogramDataPoint(bucket_counts=counts, attributes=attributes, **fields)


def sums(*points: NumberDataPoint, temporality: Any = DELTA) -> bytes:
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=True)
    return Metric(name="requests", sum=data).SerializeToString()


def gauges(*points: NumberDataPoint) -> bytes:
    return Metric(name="temperature", gauge=Gauge(data_points=points)).SerializeToString()


def histograms(*points: HistogramDataPoint, temporality: Any = DELTA) -> bytes:
    data = Histogram(data_points=points, aggregation_temporality=temporality)
    return Metric(name="duration", histogram=data).SerializeToString()


def merged(
    message: bytes, how: Aggregation = BY_REGION, chosen: Sequence[int] | None = None
) -> list[Any]:
    """Return the points that the chosen ones, or all, become."""
    metric = Metric.FromString(message)
    points = getattr(metric, metric.WhichOneof("data") or "").data_points
    made = aggregated(message, range(len(points)) if chosen is None else chosen, how)
    assert isinstance(made, Aggregated)
    return [type(points[0]).FromString(point) for point in made.points]


def refusal(message: bytes, how: Aggregation = BY_REGION) -> str:
    made = aggregated(message, [0, 1], how)
    assert isinstance(made, Refused)
    return made.reason


def values(points: Sequence[NumberDataPoint]) -> list[float]:
    return [getattr(point, point.WhichOneof("value") or "as_double") for point in points]


def keys(point: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in point.attributes}
