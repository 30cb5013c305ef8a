"""Spans, metrics and log records as people write them in a test, and as OTLP has them. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from reflexarc.engines.ottl.contexts import ENUMS
from reflexarc.telemetry.aggregation import FIELDS

Attributes = Mapping[str, Any]
TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
SpanId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

# A moment for items that do not say theirs: what rules decide does not hang on it.
NOON = 1_795_521_600_000_000_000
# The example of W3C's recommendation: a trace that a sample of under 71 % does not hold.
# https://www.w3.org/TR/trace-context/#traceparent-header
TRACE = "0af7651916cd43dd8448eb211c80319c"
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ns|us|ms|s)")
_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_KINDS = {"unspecified": 0, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUS = {"unset": 0, "ok": 1, "error": 2}
_TEMPORALITY = {"delta": 1, "cumulative": 2}
_VALUES = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
_SEVERITY = "SEVERITY_NUMBER_"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShortEvent(_Part):
    """An event of a span."""

    name: str = ""
    attributes: Attributes = {}


class ShortSpan(_Part):
    """A span."""

    name: str = ""
    kind: Literal["unspecified", "internal", "server", "client", "producer", "consumer"] = (
        "internal"
    )
    status: Literal["unset", "ok", "error"] = "unset"
    duration: str = Field(default="1ms", description="such as 250us, 3ms or 1.5s")
    attributes: Attributes = {}
    events: tuple[ShortEvent, ...] = ()
    trace_id: TraceId = TRACE
    span_id: SpanId = "b7ad6b7169203331"
    parent_span_id: SpanId | None = None
    trace_state: str = ""

    @field_validator("duration")
    @classmethod
    def _lasts(cls, duration: str) -> str:
        if not _DURATION.fullmatch(duration):
            raise ValueError("write a duration as 250us, 3ms or 1.5s")
        return duration

    def message(self) -> Span:
        """Return it as OTLP has it."""
        amount, unit = _DURATION.findall(self.duration)[0]
        made = Span(
            name=self.name,
            kind=_KINDS[self.kind],  # type: ignore[arg-type]
            trace_id=bytes.fromhex(self.trace_id),
            span_id=bytes.fromhex(self.span_id),
            parent_span_id=bytes.fromhex(self.parent_span_id or ""),
            trace_state=self.trace_state,
            start_time_unix_nano=NOON,
            end_time_unix_nano=NOON + round(float(amount) * _NANOSECONDS[unit]),
            attributes=key_values(self.attributes),
        )
        made.status.code = _STATUS[self.status]  # type: ignore[assignment]
        for event in self.events:
            made.events.add(
                name=event.name, time_unix_nano=NOON, attributes=key_values(event.attributes)
            )
        return made


class ShortLog(_Part):
    """A log record."""

    body: Any = None
    severity: str | int = Field(default="", description="TRACE, DEBUG, INFO, WARN, ERROR, FATAL")
    attributes: Attributes = {}
    event_name: str = ""
    trace_id: TraceId | None = None
    span_id: SpanId | None = None

    @field_validator("severity")
    @classmethod
    def _is_known(cls, severity: str | int) -> str | int:
        if isinstance(severity, str) and severity and f"{_SEVERITY}{severity}" not in ENUMS["log"]:
            raise ValueError("severities are TRACE, DEBUG, INFO, WARN, ERROR, FATAL, or a number")
        return severity

    def message(self) -> LogRecord:
        """Return it as OTLP has it."""
        known = isinstance(self.severity, str) and self.severity
        number = ENUMS["log"][f"{_SEVERITY}{self.severity}"] if known else self.severity or 0
        return LogRecord(
            time_unix_nano=NOON,
            severity_number=int(number),  # type: ignore[arg-type]
            severity_text=self.severity if isinstance(self.severity, str) else "",
            body=None if self.body is None else value_of(self.body),
            attributes=key_values(self.attributes),
            event_name=self.event_name,
            trace_id=bytes.fromhex(self.trace_id or ""),
            span_id=bytes.fromhex(self.span_id or ""),
        )


class ShortPoint(_Part):
    """A data point: of a value, or of a histogram's count, sum and buckets."""

    attributes: Attributes = {}
    value: int | float | None = None
    count: int | None = Field(default=None, ge=0)
    sum: float | None = None
    buckets: tuple[int, ...] = ()
    bounds: tuple[float, ...] = ()


class ShortMetric(_Part):
    """A metric."""

    name: str
    type: Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"] = "gauge"
    temporality: Literal["delta", "cumulative"] = "delta"
    monotonic: bool = True
    unit: str = ""
    description: str = ""
    points: tuple[ShortPoint, ...] = (ShortPoint(),)

    @model_validator(mode="after")
    def _points_fit(self) -> Self:
        valued = self.type in {"gauge", "sum"}
        if any((point.value is not None) and not valued for point in self.points):
            raise ValueError(f"points of a {self.type} have a count and a sum, not a value")
        if any(point.count is not None and valued for point in self.points):
            raise ValueError(f"points of a {self.type} have a value, not a count")
        return self

    def message(self) -> Metric:
        """Return it as OTLP has it."""
        made = Metric(name=self.name, unit=self.unit, description=self.description)
        assert self.type in FIELDS  # noqa: S101 - the two are one fact
        data: Any = getattr(made, self.type)
        data.SetInParent()
        if self.type not in {"gauge", "summary"}:
            data.aggregation_temporality = _TEMPORALITY[self.temporality]
        if self.type == "sum":
            data.is_monotonic = self.monotonic
        for point in self.points:
            _fill(data.data_points.add(), point, self.type)
        return made


def _fill(made: Any, point: ShortPoint, kind: str) -> None:
    made.attributes.extend(key_values(point.attributes))
    made.start_time_unix_nano, made.time_unix_nano = NOON, NOON
    if kind in {"gauge", "sum"}:
        value = point.value or 0
        setattr(made, "as_int" if isinstance(value, int) else "as_double", value)
        return
    made.count = point.count or 0
    if point.sum is not None:
        made.sum = point.sum
    if kind == "histogram":
        made.bucket_counts.extend(point.buckets)
        made.explicit_bounds.extend(point.bounds)


def key_values(attributes: Attributes) -> list[KeyValue]:
    """Return attributes as OTLP has them."""
    return [KeyValue(key=str(key), value=value_of(value)) for key, value in attributes.items()]


def value_of(value: object) -> AnyValue:
    """Return a value of YAML as OTLP has it; null is a value that is not there."""
    made = AnyValue()
    if isinstance(value, Mapping):
        made.kvlist_value.SetInParent()
        made.kvlist_value.values.extend(key_values(value))
    elif isinstance(value, list | tuple):
        made.array_value.SetInParent()
        made.array_value.values.extend(map(value_of, value))
    elif value is not None:
        setattr(made, _VALUES[type(value)], value)
    return made
