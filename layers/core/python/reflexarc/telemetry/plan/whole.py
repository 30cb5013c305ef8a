"""Items, scopes and resources as plain OTLP messages, decoded when something asks for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from reflexarc.engines.otlp.framing import Framed, ResourcePart, ScopePart
from reflexarc.engines.otlp.wire import Malformed
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.plain_attributes import plain_attributes

ITEMS: dict[OtlpSignal, type[Message]] = {"traces": Span, "metrics": Metric, "logs": LogRecord}
SCOPES: dict[OtlpSignal, type[Message]] = {
    "traces": ScopeSpans,
    "metrics": ScopeMetrics,
    "logs": ScopeLogs,
}
RESOURCES: dict[OtlpSignal, type[Message]] = {
    "traces": ResourceSpans,
    "metrics": ResourceMetrics,
    "logs": ResourceLogs,
}
# How many messages are remembered, and of how many bytes: decoded they take several times that.
REMEMBERED = 1_024
REMEMBERED_SIZE = 4 * 1024 * 1024


@dataclass(slots=True)
class Decoder:
    """Decodes one kind of message and remembers what it decoded: resources come again and again."""

    parse: Callable[[bytes], Any]
    _known: dict[bytes, Any] = field(default_factory=dict)
    _size: int = 0

    def __call__(self, data: bytes) -> Any:
        """Return the message; raises Malformed where the bytes are none."""
        known = self._known.get(data)
        if known is None:
            try:
                known = self.parse(data)
            except DecodeError as error:
                raise Malformed(f"not OTLP: {error}") from error
            self._size += len(data)
            if len(self._known) >= REMEMBERED or self._size > REMEMBERED_SIZE:
                self._known.clear()
                self._size = len(data)
            self._known[data] = known
        return known


@dataclass(slots=True, eq=False)
class Owner:
    """A scope of a request and its resource: what the items of the scope belong to."""

    resources: Decoder
    scopes: Decoder
    signal: OtlpSignal
    parts: Framed
    resource_part: ResourcePart
    scope_part: ScopePart

    @property
    def resource(self) -> Any:
        """Return the resource and its schema URL, without scopes."""
        return self.resources(self.resource_part.rest)

    @property
    def scope(self) -> Any:
        """Return the scope and its schema URL, without items."""
        return self.scopes(self.scope_part.rest)


class Whole:
    """One item and what it belongs to."""

    __slots__ = ("_attributes", "_item", "number", "owner")

    def __init__(self, owner: Owner, number: int) -> None:
        self.owner = owner
        self.number = number
        self._item: Any = None
        self._attributes: Mapping[str, bytes] | None = None

    @property
    def item(self) -> Any:
        """Return the span, metric or log record; raises EvaluationError where it is none."""
        if self._item is None:
            owner = self.owner
            try:
                self._item = ITEMS[owner.signal].FromString(owner.parts.item(self.number))
            except DecodeError as error:
                raise EvaluationError("the item cannot be decoded") from error
        return self._item

    @property
    def parts(self) -> int:
        """Return how many events a span has, or points a metric; raises as `item` does."""
        item = self.item
        if self.owner.signal == "traces":
            return len(item.events)
        kind = item.WhichOneof("data")
        return len(getattr(item, kind).data_points) if kind else 0

    def find(self, key: str) -> bytes | None:
        """Return the bytes of an attribute's value by the plain schema, None where it is absent."""
        if self._attributes is None:
            self._attributes = plain_attributes(self.item)
        return self._attributes.get(key)
