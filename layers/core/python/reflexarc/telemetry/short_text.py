"""A span, metric or log record in one line, for people who know their telemetry. Pure."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from reflexarc.engines.ottl.plain_values import any_value
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.condition_tree import shown

LONGEST = 160
_VALUE_LONGEST = 40
_MICROSECOND, _MILLISECOND, _SECOND = 1_000, 1_000_000, 1_000_000_000
# What tells most about an item comes first, by its usual names.
_TELLING = (
    "http.request.method", "http.method", "url.path", "http.route", "http.target", "url.full",
    "http.response.status_code", "http.status_code", "rpc.method", "db.operation.name",
    "messaging.destination.name", "gen_ai.request.model", "user_agent.original", "exception.type",
)  # fmt: skip
_ORDER = {key: place for place, key in enumerate(_TELLING)}


def in_short(signal: OtlpSignal, item: Any) -> str:
    """Return an item in one line, its most telling attributes last."""
    match signal:
        case "traces":
            text = f"{item.name}{_status(item)} {_duration(item)}{_attributes(item.attributes)}"
        case "metrics":
            points = _points(item)
            text = f"{item.name} {len(points)} x {item.WhichOneof('data') or 'nothing'}"
            text += _attributes(points[0].attributes) if points else ""
        case _:
            level = item.severity_text or str(item.severity_number or "")
            body = shown(any_value(item.body))
            text = f"{level} {body}{_attributes(item.attributes)}".lstrip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _points(metric: Any) -> list[Any]:
    kind = metric.WhichOneof("data")
    return list(getattr(metric, kind).data_points) if kind else []


def _status(span: Any) -> str:
    return " ERROR" if span.status.code == Status.STATUS_CODE_ERROR else ""


def _duration(span: Any) -> str:
    nanoseconds = span.end_time_unix_nano - span.start_time_unix_nano
    if nanoseconds < 0:
        return "ends before it starts"
    if nanoseconds < _MILLISECOND:
        return f"{nanoseconds / _MICROSECOND:.0f} us"
    if nanoseconds < _SECOND:
        return f"{nanoseconds / _MILLISECOND:.3g} ms"
    return f"{nanoseconds / _SECOND:,.3g} s"


def _attributes(attributes: Iterable[Any]) -> str:
    ordered = sorted(attributes, key=lambda each: (_ORDER.get(each.key, len(_ORDER)), each.key))
    texts = (f"{each.key}={shown(any_value(each.value))[:_VALUE_LONGEST]}" for each in ordered)
    return "".join(f" {text}" for text in texts)
