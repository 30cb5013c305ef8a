"""Cuts an export request into parts that a backend takes: between items, byte for byte. Pure.

Items keep their own bytes, and each part repeats the resources and scopes of its items. A metric
may hold more points than a backend takes at once; then its points are divided, each as it was.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.engines.otlp.framing import Framed, ResourcePart, ScopePart, framed
from reflexarc.engines.otlp.shadow import POINTS, headers
from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.otlp.wire import field_of
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.backends import Limits

# A tag and a length of what stands above items.
_FRAME = 12
# Numbers of fields: a request's resources; a resource's scopes, and a scope's items.
_RESOURCES, _INNER = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A request that a backend takes, and how many items it holds."""

    payload: bytes
    items: int


@dataclass(slots=True)
class Cut:
    """A request cut up; `misfits` are items that no request may hold, each on its own."""

    parts: list[Part] = field(default_factory=list)
    misfits: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Item:
    number: int
    size: int
    count: int
    resource: ResourcePart
    scope: ScopePart

    @property
    def above(self) -> int:
        """Return the bytes of what stands above it."""
        return len(self.resource.rest) + len(self.scope.rest) + 2 * _FRAME

    def after(self, before: "_Item | None") -> int:
        """Return the bytes that it adds to a part behind another item."""
        if before is None:
            return self.size + self.above
        added = self.size
        if self.scope is not before.scope:
            added += len(self.scope.rest) + _FRAME
        if self.resource is not before.resource:
            added += len(self.resource.rest) + _FRAME
        return added


def counts_of(signal: OtlpSignal, payload: bytes) -> list[int]:
    """Return how much each item counts: a metric counts its points."""
    if signal != "metrics":
        return [1] * len(framed(payload).starts)
    request = headers("metrics", POINTS)(payload)
    return [
        sum(len(getattr(item, kind).points) for kind in POINTS if item.HasField(kind))
        for resource in request.x
        for scope in resource.x
        for item in scope.x
    ]


def fits(payload: bytes, items: int, limits: Limits) -> bool:
    """Return whether a request goes as it is; one whose items are surely small enough."""
    size = len(payload)
    return (
        size <= limits.max_bytes
        and (limits.max_items is None or items <= limits.max_items)
        and (limits.max_item_bytes is None or size <= limits.max_item_bytes)
    )


def cut(signal: OtlpSignal, payload: bytes, items: int, limits: Limits) -> Cut:
    """Return the parts of a request in order; the request itself where it fits."""
    if fits(payload, items, limits):
        return Cut(parts=[Part(payload=payload, items=items)])
    if signal == "metrics":
        payload = _with_points_divided(payload, limits)
    request = framed(payload)
    made = Cut()
    for group in _groups(_items(request, counts_of(signal, payload)), limits):
        misfit = len(group) == 1 and _is_misfit(group[0], limits)
        (made.misfits if misfit else made.parts).append(_part(request, group))
    return made


def halves(signal: OtlpSignal, part: Part) -> tuple[Part, ...]:
    """Return a request in two, none where it is one item: for a backend that says it is too large.

    Its limits are lower than the configuration says.
    """
    request = framed(part.payload)
    items = list(_items(request, counts_of(signal, part.payload)))
    middle = len(items) // 2
    if not middle:
        return ()
    return _part(request, items[:middle]), _part(request, items[middle:])


def chosen(signal: OtlpSignal, request: Framed, numbers: Collection[int]) -> Part:
    """Return a request of some items alone."""
    wanted = frozenset(numbers)
    items = _items(request, counts_of(signal, request.data))
    return _part(request, [item for item in items if item.number in wanted])


def _items(request: Framed, counts: Sequence[int]) -> Iterator[_Item]:
    for resource in request.resources:
        for scope in resource.scopes:
            for number in range(scope.first, scope.last):
                yield _Item(number, request.size(number), counts[number], resource, scope)


def _groups(items: Iterator[_Item], limits: Limits) -> Iterator[list[_Item]]:
    """Yield runs of items that stay within the limits together; one that does not stands alone."""
    run: list[_Item] = []
    size = count = 0
    for item in items:
        size, count = size + item.after(run[-1] if run else None), count + item.count
        alone = run and any(_is_misfit(each, limits) for each in (run[0], item))
        if run and (alone or _exceed(size, count, limits)):
            yield run
            run, size, count = [], item.after(None), item.count
        run.append(item)
    if run:
        yield run


def _exceed(size: int, count: int, limits: Limits) -> bool:
    return size > limits.max_bytes or (limits.max_items is not None and count > limits.max_items)


def _is_misfit(item: _Item, limits: Limits) -> bool:
    too_large = limits.max_item_bytes is not None and item.size > limits.max_item_bytes
    return too_large or _exceed(item.after(None), item.count, limits)


def _part(request: Framed, items: Sequence[_Item]) -> Part:
    """Return a request of these items alone."""
    resources: list[tuple[ResourcePart, list[tuple[ScopePart, list[memoryview]]]]] = []
    data = memoryview(request.data)
    for item in items:
        if not resources or resources[-1][0] is not item.resource:
            resources.append((item.resource, []))
        scopes = resources[-1][1]
        if not scopes or scopes[-1][0] is not item.scope:
            scopes.append((item.scope, []))
        scopes[-1][1].append(data[request.starts[item.number] : request.ends[item.number]])
    pieces: list[bytes | memoryview] = []
    for resource, scopes in resources:
        before, after = _around(resource, resource.scopes[0].start, resource.scopes[-1].end, data)
        inner: list[bytes | memoryview] = []
        for scope, cuts in scopes:
            first, last = request.starts[scope.first], request.ends[scope.last - 1]
            begin, end = _around(scope, first, last, data)
            inner += field_of(_INNER, begin, *cuts, end)
        pieces += field_of(_RESOURCES, before, *inner, after)
    return Part(payload=b"".join(pieces), items=sum(item.count for item in items))


def _around(
    part: ResourcePart | ScopePart, first: int, last: int, data: memoryview
) -> tuple[bytes | memoryview, bytes | memoryview]:
    """Return what stands before and behind what a part holds; in front, where it is in between."""
    before, after = data[part.body : first], data[last : part.end]
    if len(before) + len(after) == len(part.rest):
        return before, after
    return part.rest, b""


def _with_points_divided(payload: bytes, limits: Limits) -> bytes:
    """Return the request with metrics of too many points written as several of the same name."""
    request = framed(payload)
    replaced: dict[int, bytes | None] = {}
    for number, count in enumerate(counts_of("metrics", payload)):
        most = _points_at_once(request.size(number), count, limits)
        if most < count:
            replaced[number] = _divided(Metric.FromString(request.item(number)), most)
    return spliced(request, replaced)


def _points_at_once(size: int, count: int, limits: Limits) -> int:
    """Return how many points of a metric may go together, half of the room left for the rest."""
    most = count if limits.max_items is None else min(count, limits.max_items)
    room = min(limits.max_bytes, limits.max_item_bytes or limits.max_bytes) // 2
    return max(1, most if size <= room else min(most, count * room // size))


def _divided(metric: Metric, most: int) -> bytes:
    kind = str(metric.WhichOneof("data"))
    points = list(getattr(metric, kind).data_points)
    del getattr(metric, kind).data_points[:]
    written: list[bytes | memoryview] = []
    for start in range(0, len(points), most):
        each = Metric()
        each.CopyFrom(metric)
        getattr(each, kind).data_points.extend(points[start : start + most])
        written += field_of(_INNER, each.SerializeToString())
    return b"".join(written)
