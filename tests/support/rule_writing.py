"""Rules, and telemetry to try them on, in the fewest words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from reflexarc.engines.otlp.wire import field_of
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.short_form import ShortLog, ShortMetric, ShortSpan, key_values

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
_LISTS = {"span": "traces", "spanevent": "traces", "metric": "metrics", "datapoint": "metrics",
          "log_record": "logs"}  # fmt: skip


def stated(name: str, action: str = "drop", **more: Any) -> dict[str, Any]:
    """Return a rule as people write it; conditions by the names of a filter's lists."""
    block: dict[str, dict[str, list[str]]] = {}
    for key in [key for key in more if key in _LISTS]:
        texts = more.pop(key)
        listed = [texts] if isinstance(texts, str) else list(texts)
        block.setdefault(_LISTS[key], {})[key] = listed
    return {
        "name": name,
        "action": action,
        "filter": block,
        "owner": "sre@example.com",
        "reason": "nobody reads it",
        "expires": "2027-03-31",
        **more,
    }


def rule(name: str, action: str = "drop", **more: Any) -> Rule:
    """Return a rule."""
    return Rule.model_validate(stated(name, action, **more))


def span(name: str = "a", **more: Any) -> ShortSpan:
    """Return a span; ids of its own where they matter are said."""
    return ShortSpan(name=name, **more)


def batch(
    *items: ShortSpan | ShortLog | ShortMetric,
    resource: Mapping[str, Any] | None = None,
    where: str = "here",
    at: datetime | None = None,
) -> Batch:
    """Return an export request of items of one signal."""
    first = items[0] if items else ShortSpan()
    signal: OtlpSignal = "traces" if isinstance(first, ShortSpan) else "logs"
    if isinstance(first, ShortMetric):
        signal = "metrics"
    return Batch(signal=signal, payload=request(items, resource or {}), where=where, at=at)


def request(
    items: Sequence[ShortSpan | ShortLog | ShortMetric], resource: Mapping[str, Any]
) -> bytes:
    """Return the protobuf of an export request."""
    owner = Resource(attributes=key_values(resource)).SerializeToString()
    messages = [each.message().SerializeToString() for each in items]
    inside = [part for message in messages for part in field_of(2, message)]
    return b"".join(field_of(1, *field_of(1, owner), *field_of(2, *inside)))
