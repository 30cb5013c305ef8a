"""Where each item of an export request lies: offsets only, nothing is decoded or copied. Pure.

The three kinds of request have one form: resources (field 1), in each of them scopes (field 2), in
each of these items (field 2): spans, metrics or log records. What else stands beside them (the
resource, the scope, schema URLs, fields that no version of ours knows) is a part's `rest`.
"""

from array import array
from dataclasses import dataclass, field

from reflexarc.engines.otlp.wire import Malformed, read_tag, read_varint, skip_field

_RESOURCES, _INNER = 0x0A, 0x12  # tags of field 1 and of field 2, length-delimited
_MORE = 0x80


@dataclass(slots=True, eq=False)
class ScopePart:
    """One scope: its tag lies at `start`, its body at `body:end`, its items are `first:last`."""

    start: int
    body: int
    end: int
    first: int
    last: int
    rest: bytes


@dataclass(slots=True, eq=False)
class ResourcePart:
    """One resource and its scopes."""

    start: int
    body: int
    end: int
    scopes: list[ScopePart]
    rest: bytes

    @property
    def items(self) -> range:
        """Return the numbers of its items."""
        if not self.scopes:
            return range(0)
        return range(self.scopes[0].first, self.scopes[-1].last)


def _places() -> "array[int]":
    return array("q")


@dataclass(slots=True, eq=False)
class Framed:
    """An export request cut into parts. Item n is `data[starts[n]:ends[n]]`, tag included."""

    data: bytes
    resources: list[ResourcePart] = field(default_factory=list)
    # Arrays: of 100,000 items, lists of numbers would hold five times as much.
    starts: "array[int]" = field(default_factory=_places)
    bodies: "array[int]" = field(default_factory=_places)
    ends: "array[int]" = field(default_factory=_places)

    def item(self, number: int) -> bytes:
        """Return the message of one item, without its tag and length."""
        return self.data[self.bodies[number] : self.ends[number]]

    def size(self, number: int) -> int:
        """Return how many bytes of the request an item takes."""
        return self.ends[number] - self.starts[number]


def framed(data: bytes) -> Framed:
    """Cut an export request; raises Malformed where it is none."""
    parts = Framed(data)
    at, end = 0, len(data)
    while at < end:
        start = at
        tag, at = read_tag(data, at)
        if tag == _RESOURCES:
            size, at = read_varint(data, at)
            parts.resources.append(_resource(parts, start, at, at + size))
            at += size
        else:
            at = skip_field(data, at, tag)
    if at != end:
        raise Malformed("the request is cut off")
    return parts


def _resource(parts: Framed, start: int, body: int, end: int) -> ResourcePart:
    data, at = parts.data, body
    scopes: list[ScopePart] = []
    rest: list[bytes] = []
    while at < end:
        begin = at
        tag, at = read_tag(data, at)
        if tag == _INNER:
            size, at = read_varint(data, at)
            if at + size > end:
                raise Malformed("a scope is cut off")
            scopes.append(_scope(parts, begin, at, at + size))
            at += size
        else:
            at = skip_field(data, at, tag)
            rest.append(data[begin:at])
    if at != end:
        raise Malformed("a resource is cut off")
    return ResourcePart(start, body, end, scopes, b"".join(rest))


def _scope(parts: Framed, start: int, body: int, end: int) -> ScopePart:
    data = parts.data
    starts, bodies, ends = parts.starts.append, parts.bodies.append, parts.ends.append
    first, rest, at = len(parts.starts), [], body
    try:
        while at < end:
            # The usual item: a tag of one byte, a length of one or two. This loop is what framing
            # costs, so the general reader is kept for the rest.
            if data[at] == _INNER:
                size = data[at + 1]
                inner = at + 2
                if size >= _MORE:
                    high = data[inner]
                    inner += 1
                    if high < _MORE:
                        size = size & 0x7F | high << 7
                    else:
                        size, inner = read_varint(data, at + 1)
                starts(at)
                bodies(inner)
                at = inner + size
                ends(at)
            else:
                begin = at
                tag, inner = read_tag(data, at)
                at = skip_field(data, inner, tag)
                if tag == _INNER:  # a tag written with more bytes than it takes
                    starts(begin)
                    bodies(read_varint(data, inner)[1])
                    ends(at)
                else:
                    rest.append(data[begin:at])
    except IndexError:
        raise Malformed("an item is cut off") from None
    if at != end:
        raise Malformed("a scope is cut off")
    return ScopePart(start, body, end, first, len(parts.starts), b"".join(rest))
