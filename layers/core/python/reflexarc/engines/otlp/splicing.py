"""An export request without some of its items, or with others in their place. Pure.

What stays is copied byte for byte; only the lengths above a change are written anew. A scope or
resource that loses its last item goes with it, as the Collector's filter processor has it; one
that came in empty stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reflexarc.engines.otlp.framing import Framed, ResourcePart, ScopePart
from reflexarc.engines.otlp.wire import varint

Piece = bytes | memoryview


@dataclass(slots=True)
class _Change:
    """What becomes of items: `replaced[n]` stands for item n, None where it goes."""

    data: memoryview
    parts: Framed
    replaced: Mapping[int, bytes | None]
    order: Sequence[int] = field(default_factory=tuple)
    at: int = 0

    def within(self, last: int) -> list[int]:
        """Take the changed items up to an item's number."""
        begin = self.at
        order, size = self.order, len(self.order)
        while self.at < size and order[self.at] < last:
            self.at += 1
        return list(order[begin : self.at])


def spliced(parts: Framed, replaced: Mapping[int, bytes | None]) -> bytes:
    """Return the request with changed items; the object that came in where there is no change.

    A replacement is a whole item: tag, length and message.
    """
    if not replaced:
        return parts.data
    change = _Change(memoryview(parts.data), parts, replaced, sorted(replaced))
    pieces: list[Piece] = []
    at = 0
    for resource in parts.resources:
        body = _resource(change, resource)
        if body is None:
            continue
        pieces.append(change.data[at : resource.start])
        if body:
            pieces += (b"\x0a", varint(sum(map(len, body))), *body)
        at = resource.end
    pieces.append(change.data[at:])
    return b"".join(pieces)


def _resource(change: _Change, resource: ResourcePart) -> list[Piece] | None:
    """Return the new body of a resource, none where it goes, None where it stays as it is."""
    pieces: list[Piece] = []
    at, changed, left = resource.body, False, 0
    for scope in resource.scopes:
        numbers = change.within(scope.last)
        if not numbers:
            left += 1
            continue
        changed = True
        pieces.append(change.data[at : scope.start])
        body = _scope(change, scope, numbers)
        if body:
            pieces += (b"\x12", varint(sum(map(len, body))), *body)
            left += 1
        at = scope.end
    if not changed:
        return None
    if not left:
        return []
    pieces.append(change.data[at : resource.end])
    return pieces


def _scope(change: _Change, scope: ScopePart, numbers: Sequence[int]) -> list[Piece]:
    """Return the new body of a scope, nothing where it lost all its items."""
    replaced, parts = change.replaced, change.parts
    if len(numbers) == scope.last - scope.first and not any(map(replaced.get, numbers)):
        return []
    starts, ends = parts.starts, parts.ends
    pieces: list[Piece] = []
    at = scope.body
    for number in numbers:
        if starts[number] > at:
            pieces.append(change.data[at : starts[number]])
        if replacement := replaced[number]:
            pieces.append(replacement)
        at = ends[number]
    pieces.append(change.data[at : scope.end])
    return pieces
