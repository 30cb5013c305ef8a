"""Values of OTTL out of plain OTLP messages, as pdata gives them to the Collector. Pure."""

import re
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.engines.ottl.rendering import field_text
from reflexarc.engines.ottl.values import Id, Records, Time, int64

_METRIC_TYPES = {
    "gauge": 1, "sum": 2, "histogram": 3, "exponential_histogram": 4, "summary": 5,
}  # fmt: skip
_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
# https://www.w3.org/TR/trace-context/#tracestate-header
_TRACE_STATE_KEY = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})\Z"
)
_TRACE_STATE_VALUE = re.compile(r"[ -+\--<>-~]{0,255}[!-+\--<>-~]\Z")
_TRACE_STATE_MEMBERS = 32


def any_value(value: AnyValue) -> object:
    """Return what an AnyValue holds, nil where it holds nothing."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return mapping(value.kvlist_value.values)
    if kind == "array_value":
        return [any_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def mapping(attributes: Iterable[KeyValue]) -> dict[str, object]:
    """Return attributes as a map; of equal keys the first counts."""
    result: dict[str, object] = {}
    for attribute in attributes:
        if attribute.key not in result:
            result[attribute.key] = any_value(attribute.value)
    return result


def attribute(attributes: Iterable[KeyValue], key: str) -> object:
    """Return the value of the first attribute of a key, nil where there is none."""
    for each in attributes:
        if each.key == key:
            return any_value(each.value)
    return None


def trace_id(octets: bytes) -> Id:
    """Return a trace id; one that is not set is zeroes."""
    return Id(octets or bytes(16))


def span_id(octets: bytes) -> Id:
    """Return a span id; one that is not set is zeroes."""
    return Id(octets or bytes(8))


def trace_id_text(octets: bytes) -> str:
    """Return a trace id in hexadecimal."""
    return (octets or bytes(16)).hex()


def span_id_text(octets: bytes) -> str:
    """Return a span id in hexadecimal."""
    return (octets or bytes(8)).hex()


def time(nanoseconds: int) -> Time:
    """Return a moment."""
    return Time(int64(nanoseconds))


def kind_text(kind: int) -> str:
    """Return the name of a span's kind, nothing for one that is unknown."""
    return _KINDS[kind] if 0 <= kind < len(_KINDS) else ""


def kind_constant(kind: int) -> str:
    """Return the name of a span's kind as OTLP writes it."""
    return f"SPAN_KIND_{kind_text(kind).upper()}" if kind_text(kind) else ""


def trace_state(text: str, key: str) -> str | None:
    """Return one member of a trace state: empty where it lacks it, nil where it is malformed."""
    members: dict[str, str] = {}
    for member in filter(None, text.split(",")):
        name, found, value = member.partition("=")
        name, value = name.lstrip(" \t"), value.rstrip(" \t")
        valid = found and _TRACE_STATE_KEY.match(name) and _TRACE_STATE_VALUE.match(value)
        if not valid or name in members or len(members) >= _TRACE_STATE_MEMBERS:
            return None
        members[name] = value
    return members.get(key, "")


def body_text(body: AnyValue) -> str:
    """Return a body as text."""
    return field_text(any_value(body))


def metric_type(metric: Metric) -> int:
    """Return the number that OTTL gives to a metric's type."""
    return _METRIC_TYPES.get(metric.WhichOneof("data") or "", 0)


def metric_field(metric: Metric, name: str) -> Any:
    """Return a field of a metric's data, nil where its type has none."""
    kind = metric.WhichOneof("data")
    return getattr(getattr(metric, kind), name, None) if kind else None


def data_points(metric: Metric) -> Records | None:
    """Return how many points a metric has."""
    points = metric_field(metric, "data_points")
    return None if points is None else Records(len(points))


def point_attributes(metric: Metric) -> list[dict[str, object]] | None:
    """Return the attributes of each point; nil where the metric has no type."""
    points = metric_field(metric, "data_points")
    return None if points is None else [mapping(point.attributes) for point in points]


def number(point: Any, kind: str) -> Any:
    """Return a point's number if it is of this kind, else zero; nil for other points."""
    if not hasattr(point, kind):
        return None
    return getattr(point, kind)


def count(point: Any, name: str) -> int | None:
    """Return an unsigned count of a point, nil where its type has none."""
    found = getattr(point, name, None)
    return None if found is None else int64(found)


def numbers(holder: Any, name: str) -> list[object] | None:
    """Return a list of numbers, nil where the point has none."""
    found = getattr(holder, name, None)
    return None if found is None else [int64(n) if type(n) is int else n for n in found]


def records(point: Any, name: str) -> Records | None:
    """Return how many records a point has of a kind, nil where its type has none."""
    found = getattr(point, name, None)
    return None if found is None else Records(len(found) if hasattr(found, "__len__") else 1)
