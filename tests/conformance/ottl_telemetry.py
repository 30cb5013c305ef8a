"""Telemetry of the case files, as they write it, becomes plain OTLP messages."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import unknown_fields
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from reflexarc.engines.otlp.wire import VARINT, tag, varint

Row = Mapping[str, Any]

_IDS = {"trace_id", "span_id", "parent_span_id"}
_TIMES = {"time", "observed_time", "start_time", "end_time"}
_METRIC_TYPES = ("", "gauge", "sum", "histogram", "exponential_histogram", "summary")
# A field that OTLP does not have, kept by protobuf: the place that a point had before filtering.
_PLACE = 1000


_SCALARS = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}


def any_value(value: Any) -> AnyValue:
    """Return a value of JSON as an AnyValue."""
    result = AnyValue()
    if type(value) in _SCALARS:
        setattr(result, _SCALARS[type(value)], value)
    elif isinstance(value, list):
        result.array_value.SetInParent()
        result.array_value.values.extend(map(any_value, value))
    elif isinstance(value, dict):
        result.kvlist_value.SetInParent()
        fill_attributes(result.kvlist_value.values, value)
    return result


def fill_attributes(attributes: Any, values: Row) -> None:
    """Add attributes to a message."""
    for key, value in values.items():
        attributes.add(key=key).value.CopyFrom(any_value(value))


def fill(message: Any, row: Row) -> Any:
    """Set the fields of a message that a row names, as OTTL names them; return the message."""
    for name, value in row.items():
        if name in {"attributes", "metadata"}:
            fill_attributes(getattr(message, name), value)
        elif name == "body":
            message.body.CopyFrom(any_value(value))
        elif name in {"events", "links"}:
            for each in value:
                fill(getattr(message, name).add(), each)
        elif isinstance(value, dict):
            fill(getattr(message, name), value)
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            own = f"{name}_unix_nano" if name in _TIMES else name
            setattr(message, own, bytes.fromhex(value) if name in _IDS else value)
    return message


def point(points: Any, row: Row, place: int = 0) -> Any:
    """Add a data point that remembers its place."""
    numbers = {"value_double": "as_double", "value_int": "as_int"}
    made = fill(points.add(), {numbers.get(name, name): value for name, value in row.items()})
    made.MergeFromString(tag(_PLACE, VARINT) + varint(place))
    return made


def place_of(made: Any) -> int:
    """Return the place that a data point had."""
    found: Any = unknown_fields.UnknownFieldSet(made)
    return int(next(each.data for each in found if each.field_number == _PLACE))


def metric(row: Row) -> Metric:
    """Return a metric with its points."""
    made = Metric()
    data = dict(row)
    kind = _METRIC_TYPES[data.pop("type", 0)]
    points = data.pop("dps", [])
    of_data: Row = {
        name: data.pop(name) for name in ("aggregation_temporality", "is_monotonic") if name in data
    }
    fill(made, data)
    if kind:
        getattr(made, kind).SetInParent()
        fill(getattr(made, kind), of_data)
        for place, each in enumerate(points):
            point(getattr(made, kind).data_points, each, place)
    return made


def messages(context: str, given: Row) -> tuple[Any, ...]:
    """Return the messages that a condition of a context takes."""
    resource, scope = given.get("resource", {}), given.get("scope", {})
    if context in {"metric", "datapoint"}:
        above = _above(ResourceMetrics(), ScopeMetrics(), resource, scope)
        found = metric(given.get("metric", {"type": 1}))
        if context == "metric":
            return (*above, found)
        kind = found.WhichOneof("data") or "gauge"
        return (*above, found, point(getattr(found, kind).data_points, given["datapoint"]))
    if context == "log":
        return (
            *_above(ResourceLogs(), ScopeLogs(), resource, scope),
            fill(LogRecord(), given["log"]),
        )
    above = _above(ResourceSpans(), ScopeSpans(), resource, scope)
    span = fill(Span(), given.get("span", {}))
    if context == "spanevent":
        event = fill(span.events.add(), given["spanevent"])
        return (*above, span, event, len(span.events) - 1)
    return {"resource": above[:1], "scope": above}.get(context, (*above, span))


def _above(resources: Any, scopes: Any, resource: Row, scope: Row) -> tuple[Any, Any]:
    resource, scope = dict(resource), dict(scope)
    resources.schema_url = resource.pop("schema_url", "")
    scopes.schema_url = scope.pop("schema_url", "")
    resources.resource.CopyFrom(fill(Resource(), resource))
    scopes.scope.CopyFrom(fill(InstrumentationScope(), scope))
    return resources, scopes


_REQUESTS: Mapping[str, tuple[Any, Any, Any, str, str, str, str]] = {
    "traces": (
        *(TracesData, ResourceSpans, ScopeSpans),
        *("resource_spans", "scope_spans", "spans", "spans"),
    ),
    "metrics": (
        *(MetricsData, ResourceMetrics, ScopeMetrics),
        *("resource_metrics", "scope_metrics", "metrics", "metrics"),
    ),
    "logs": (
        *(LogsData, ResourceLogs, ScopeLogs),
        *("resource_logs", "scope_logs", "log_records", "logs"),
    ),
}


def request(fixture: Row) -> Any:
    """Return a request of many items."""
    data, resource_kind, scope_kind, resources, scopes, items, listed = _REQUESTS[fixture["signal"]]
    made = data()
    for row in fixture["resources"]:
        own = {name: value for name, value in row.items() if name != "scopes"}
        resource, _ = _above(resource_kind(), scope_kind(), own, {})
        for each in row["scopes"]:
            named = {name: value for name, value in each.items() if name != listed}
            _, scope = _above(resource_kind(), scope_kind(), {}, named)
            for item in each.get(listed, []):
                target = getattr(scope, items).add()
                if listed == "metrics":
                    target.CopyFrom(metric(item))
                else:
                    fill(target, item)
            getattr(resource, scopes).append(scope)
        getattr(made, resources).append(resource)
    return made


def kept(signal: str, made: Any) -> list[str]:
    """Return what is left of a request, as the case files name it."""
    if signal == "traces":
        return [f"{scope}/{span.name}" for scope, span in _items(made.resource_spans, "spans")]
    if signal == "logs":
        return [
            f"{scope}/{log.body.string_value}"
            for scope, log in _items(made.resource_logs, "log_records")
        ]
    return [
        f"{each.name}/{place_of(dot)}"
        for _, each in _items(made.resource_metrics, "metrics")
        for dot in getattr(each, each.WhichOneof("data")).data_points
    ]


def events_kept(made: Any) -> list[str]:
    """Return the span events that are left."""
    return [
        f"{scope}/{span.name}/{event.name}"
        for scope, span in _items(made.resource_spans, "spans")
        for event in span.events
    ]


def _items(resources: Any, items: str) -> list[tuple[str, Any]]:
    scopes = {"spans": "scope_spans", "metrics": "scope_metrics", "log_records": "scope_logs"}
    return [
        (scope.scope.name, item)
        for resource in resources
        for scope in getattr(resource, scopes[items])
        for item in getattr(scope, items)
    ]
