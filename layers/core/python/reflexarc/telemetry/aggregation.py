"""Many data points of a metric made few, where that is true to what they say. Pure.

A label is never just stripped: two series would then claim one identity. Points that are alike
without it are merged, within a batch and an interval. That is safe for sums and histograms of
deltas. It is not for cumulative ones: each of their points counts from the start of its series, and
a function that sees one batch can neither add series that came in different batches nor tell a
restart. Such metrics are left as they are, and the reason is counted.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Annotated, Literal, Self

from google.protobuf.message import DecodeError
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
    DataPointFlags,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from reflexarc.engines.otlp.wire import occurrences, without

Point = NumberDataPoint | HistogramDataPoint
Function = Literal["sum", "min", "max", "mean", "last"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]

_NANOSECONDS = 1_000_000_000
_INT_MAX = 2**63
_COUNT_MAX = 2**64 - 1
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
# Metric.sum and so on, and the points within each.
FIELDS = {"gauge": 5, "sum": 7, "histogram": 9, "exponential_histogram": 10, "summary": 11}
POINTS = 1


class Aggregation(BaseModel):
    """Which attributes go, how values are merged, and over what time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: frozenset[Name] | None = Field(default=None, description="attributes that stay")
    remove: frozenset[Name] | None = Field(default=None, description="attributes that go")
    function: Function | None = Field(
        default=None, description="how gauges are merged; sums and histograms are always summed"
    )
    interval_s: int = Field(
        default=60, ge=1, le=86_400, description="points of one interval are merged, in seconds"
    )

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.keep is None) == (self.remove is None):
            raise ValueError("say which attributes to keep, or which to remove")
        return self

    def keeps(self, attribute: str) -> bool:
        """Return whether an attribute stays."""
        return attribute in self.keep if self.keep is not None else attribute not in self._removed

    @property
    def _removed(self) -> frozenset[str]:
        return self.remove or frozenset()


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Which points were merged, and the messages of the points that they became."""

    taken: list[int]
    points: list[bytes]


@dataclass(frozen=True, slots=True)
class Refused:
    """The metric is left as it is, and why."""

    reason: str


def aggregated(message: bytes, chosen: Collection[int], how: Aggregation) -> Aggregated | Refused:
    """Merge the chosen points of a metric."""
    try:
        metric = Metric.FromString(message)
    except DecodeError:
        return Refused("a metric that cannot be read cannot be merged")
    kind = metric.WhichOneof("data") or ""
    if reason := _why_not(metric, kind, how):
        return Refused(reason)
    points = getattr(metric, kind).data_points
    taken = [number for number in chosen if _is_measured(points[number])]
    groups = _groups([points[number] for number in taken], how)
    met = set(chosen)
    others = (points[number] for number in range(len(points)) if number not in met)
    if any(_identity(point, how.interval_s) in groups for point in others):
        return Refused("a point that the rule does not meet has the labels of the merged ones")
    merged: list[bytes] = []
    for group in groups.values():
        made = _merged(group, how, "sum" if kind == "sum" else how.function or "last")
        if isinstance(made, Refused):
            return made
        merged.append(made.SerializeToString())
    return Aggregated(taken, merged)


def _why_not(metric: Metric, kind: str, how: Aggregation) -> str:
    if kind == "gauge":
        return "" if how.function else "a gauge needs a function: min, max, mean, last or sum"
    if kind not in {"sum", "histogram"}:
        return f"{kind.replace('_', ' ') or 'a metric without points'} cannot be merged"
    temporality = getattr(metric, kind).aggregation_temporality
    if temporality == AGGREGATION_TEMPORALITY_CUMULATIVE:
        return f"a cumulative {kind} cannot be merged across batches: send deltas"
    if temporality != AGGREGATION_TEMPORALITY_DELTA:
        return f"a {kind} that does not say whether it is delta or cumulative cannot be merged"
    return ""


def _is_measured(point: Point) -> bool:
    """Return whether a point has a value to merge: it may say that nothing was recorded."""
    if isinstance(point, NumberDataPoint) and point.WhichOneof("value") is None:
        return False
    return not point.flags & _NO_VALUE


_Identity = tuple[object, ...]


def _groups(points: Iterable[Point], how: Aggregation) -> dict[_Identity, list[Point]]:
    """Return points by what is left of their labels, and by interval."""
    groups: dict[_Identity, list[Point]] = {}
    for point in points:
        groups.setdefault(_identity(point, how.interval_s, how.keeps), []).append(point)
    return groups


def _identity(
    point: Point, interval_s: int, keeps: Callable[[str], bool] = lambda _: True
) -> _Identity:
    """Return what points that are merged have in common."""
    labels = sorted(
        (each.key, each.value.SerializeToString(deterministic=True))
        for each in point.attributes
        if keeps(each.key)
    )
    return (point.time_unix_nano // (interval_s * _NANOSECONDS), *labels)


def _merged(points: Sequence[Point], how: Aggregation, function: Function) -> Point | Refused:
    last = max(points, key=lambda point: point.time_unix_nano)
    made = type(last).FromString(last.SerializeToString())
    made.start_time_unix_nano = min(point.start_time_unix_nano for point in points)
    del made.exemplars[:]
    kept = [each for each in last.attributes if how.keeps(each.key)]
    del made.attributes[:]
    made.attributes.extend(kept)
    if isinstance(made, NumberDataPoint):
        return _number(made, points, function)
    return _histogram(made, [point for point in points if isinstance(point, HistogramDataPoint)])


def _number(
    made: NumberDataPoint, points: Sequence[Point], function: Function
) -> NumberDataPoint | Refused:
    numbers = [point for point in points if isinstance(point, NumberDataPoint)]
    values = [
        point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
        for point in numbers
    ]
    match function:
        case "last":
            return made
        case "mean":
            made.as_double = sum(values) / len(values)
            return made
        # What is no number counts only where there is none, wherever it stands.
        case "min":
            value = min(values, key=lambda each: (isnan(each), each))
        case "max":
            value = max(values, key=lambda each: (not isnan(each), each))
        case _:
            value = sum(values)
    if isinstance(value, float):
        made.as_double = value
    elif -_INT_MAX <= value < _INT_MAX:
        made.as_int = value
    else:
        return Refused("the sum does not fit a 64-bit integer")
    return made


def _histogram(
    made: HistogramDataPoint, points: Sequence[HistogramDataPoint]
) -> HistogramDataPoint | Refused:
    bounds = tuple(made.explicit_bounds)
    if any(tuple(point.explicit_bounds) != bounds for point in points):
        return Refused("histograms of different bounds cannot be merged")
    if len({len(point.bucket_counts) for point in points}) > 1:
        return Refused("histograms with different numbers of buckets cannot be merged")
    count = sum(point.count for point in points)
    counts = [sum(each) for each in zip(*(point.bucket_counts for point in points), strict=True)]
    if max(count, *counts, 0) > _COUNT_MAX:
        return Refused("the counts do not fit 64 bits")
    made.count = count
    del made.bucket_counts[:]
    made.bucket_counts.extend(counts)
    # What one of them does not say, the merged one cannot.
    made.sum = sum(point.sum for point in points)
    if not all(point.HasField("sum") for point in points):
        made.ClearField("sum")
    made.min = min(point.min for point in points)
    made.max = max(point.max for point in points)
    if not all(point.HasField("min") and point.HasField("max") for point in points):
        made.ClearField("min")
        made.ClearField("max")
    return made


def with_one_data_field(message: bytes) -> bytes:
    """Return a metric whose points stand in one field; the very bytes where they do, as always.

    Of several kinds of data the last one counts, and only what came of it since.
    """
    if sum(len(occurrences(message, field)) for field in FIELDS.values()) > 1:
        return Metric.FromString(message).SerializeToString()
    return message


def with_points(
    message: bytes, kind: str, gone: Collection[int], added: Sequence[bytes] = ()
) -> bytes:
    """Return a metric less some points, by their number, and with others; all else as it came."""
    data = b"".join(occurrences(message, FIELDS[kind]))
    return without(message, FIELDS[kind], None, [without(data, POINTS, gone, added)])
