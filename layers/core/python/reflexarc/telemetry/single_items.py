"""Items of an export request one by one, each with what it belongs to. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.otlp.framing import Framed, ResourcePart, ScopePart, framed
from reflexarc.engines.otlp.wire import Malformed, field_of
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.plan.whole import ITEMS, RESOURCES, SCOPES
from reflexarc.telemetry.recorded import Batch

_RESOURCE, _INNER = 1, 2


@dataclass(frozen=True)
class SingleItem:
    """One span, metric or log record, and the request that would hold it alone."""

    signal: OtlpSignal
    where: str
    number: int
    data: bytes
    resource_part: ResourcePart
    scope_part: ScopePart

    @cached_property
    def request(self) -> bytes:
        """Return an export request of this item alone."""
        item = field_of(_INNER, self.data)
        scope = field_of(_INNER, self.scope_part.rest, *item)
        return b"".join(field_of(_RESOURCE, self.resource_part.rest, *scope))

    @cached_property
    def message(self) -> Any:
        """Return the item; raises Rejected where it is none."""
        return _message(ITEMS[self.signal], self.data, self.where)

    @cached_property
    def resource(self) -> Any:
        """Return the resource and its schema URL."""
        return _message(RESOURCES[self.signal], self.resource_part.rest, self.where)

    @cached_property
    def scope(self) -> Any:
        """Return the scope and its schema URL."""
        return _message(SCOPES[self.signal], self.scope_part.rest, self.where)


def items_of(batch: Batch) -> Iterator[SingleItem]:
    """Yield the items of a request in order; raises Rejected where it is none."""
    try:
        parts = framed(batch.payload)
    except Malformed as error:
        raise Rejected(f"{batch.where}: the {batch.signal} cannot be read: {error}") from error
    for resource in parts.resources:
        for scope in resource.scopes:
            for number in range(scope.first, scope.last):
                yield _item(batch, parts, number, resource, scope)


def item_at(batch: Batch, parts: Framed, number: int) -> SingleItem:
    """Return one item of a request that was framed already."""
    resource = next(each for each in parts.resources if number in each.items)
    scope = next(each for each in resource.scopes if each.first <= number < each.last)
    return _item(batch, parts, number, resource, scope)


def _item(
    batch: Batch, parts: Framed, number: int, resource: ResourcePart, scope: ScopePart
) -> SingleItem:
    return SingleItem(batch.signal, batch.where, number, parts.item(number), resource, scope)


def _message(kind: Any, data: bytes, where: str) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Rejected(f"{where}: an item cannot be decoded: {error}") from error
