"""Export requests as tests write them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NOW = datetime(2026, 11, 24, 3, 12, 7, tzinfo=UTC)
Value = str | int | float | bool | Mapping[str, "Value"]


def nanos(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)


def any_value(value: "Value") -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))


def attributes(values: Mapping[str, "Value"]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(number: int, name: str = "GET /", **values: "Value") -> Span:
    """Return a span; keyword arguments are attributes, `__` stands for a dot."""
    said = {key.replace("__", "."): value for key, value in values.items()}
    return Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=name,
        start_time_unix_nano=nanos(NOW),
        end_time_unix_nano=nanos(NOW) + 1_000_000,
        attributes=attributes(said),
    )


def traces(
    *spans: Span, resource: Mapping[str, "Value"] | None = None, scope: str = "lib"
) -> bytes:
    request = ExportTraceServiceRequest()
    add_spans(request, spans, resource, scope)
    return request.SerializeToString()


def add_spans(
    request: ExportTraceServiceRequest,
    spans: Iterable[Span],
    resource: Mapping[str, "Value"] | None = None,
    scope: str = "lib",
) -> None:
    part = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.37.0")
    part.resource.attributes.extend(attributes(resource or {"service.name": "shop"}))
    inner = part.scope_spans.add()
    inner.scope.name = scope
    inner.spans.extend(spans)


def logs(*records: LogRecord, resource: Mapping[str, "Value"] | None = None) -> bytes:
    request = ExportLogsServiceRequest()
    part = request.resource_logs.add()
    part.resource.attributes.extend(attributes(resource or {}))
    part.scope_logs.add().log_records.extend(records)
    return request.SerializeToString()


def record(body: "Value", at: datetime = NOW, **values: "Value") -> LogRecord:
    said = {key.replace("__", "."): value for key, value in values.items()}
    return LogRecord(time_unix_nano=nanos(at), body=any_value(body), attributes=attributes(said))


def gauge(name: str, *points: tuple[float, Mapping[str, "Value"]], at: datetime = NOW) -> Metric:
    metric = Metric(name=name)
    for value, labels in points:
        metric.gauge.data_points.append(
            NumberDataPoint(
                as_double=value, attributes=attributes(labels), time_unix_nano=nanos(at)
            )
        )
    return metric


def metrics(*given: Metric, resource: Mapping[str, "Value"] | None = None) -> bytes:
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add()
    part.resource.attributes.extend(attributes(resource or {}))
    part.scope_metrics.add().metrics.extend(given)
    return request.SerializeToString()


def span_ids(payload: bytes) -> set[tuple[bytes, bytes]]:
    """Return the (trace id, span id) of every span of a request."""
    return {
        (each.trace_id, each.span_id)
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
        for scope in resource.scope_spans
        for each in scope.spans
    }
