"""Walks through a request in protobuf and collects what must change in it, byte by byte.

Nothing is decoded that no candidate touches, and nothing is encoded anew but the changed texts and
the lengths of what holds them: unknown fields, their order and odd encodings stay as they came.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from reflexarc.engines.otlp.wire import LENGTH, Malformed, read_tag, read_varint, skip_field, varint
from reflexarc.engines.redact import schema
from reflexarc.engines.redact.model import Interval
from reflexarc.engines.redact.names import EVENT_NAME, Names
from reflexarc.engines.redact.schema import Message, Role
from reflexarc.engines.redact.text import UNREADABLE, TextRedactor

# Protobuf's readers refuse the hundredth message inside messages (the request is the first), and a
# map's value lies three inside the map's: deeper values than this are replaced where they stand.
DEEPEST = 96
_MORE = 0x80
_TEXT_TAG = b"\x0a"  # AnyValue.string_value


class Field(NamedTuple):
    """A length-delimited field: where its length, its content and whatever follows it start."""

    number: int
    size_at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the walk asks about names, events and texts."""

    texts: TextRedactor
    secret: Names
    content: Names
    allowed: Names
    events: Names
    event_content: Names


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield the length-delimited fields of a message; raises Malformed where it is none."""
    at = start
    while at < end:
        # Nearly all tags have one byte and nearly all lengths one or two.
        tag = data[at]
        if tag & 7 == LENGTH and tag < _MORE and at + 3 <= end:
            size_at = at + 1
            size, at = data[size_at], at + 2
            if size >= _MORE:
                size, at = (size & 0x7F) | data[at] << 7, at + 1
                if size >= _MORE << 7:
                    size, at = read_varint(data, size_at)
        else:
            tag, size_at = read_tag(data, at)
            if tag & 7 != LENGTH:
                at = skip_field(data, size_at, tag)
                if at > end:
                    raise Malformed("a field is longer than what holds it")
                continue
            size, at = read_varint(data, size_at)
        if at + size > end:
            raise Malformed("a field is longer than what holds it")
        if tag >> 3 == 0:
            raise Malformed("no field has the number 0")
        yield Field(tag >> 3, size_at, at, at + size)
        at += size


class Walk:
    """One walk through one request."""

    def __init__(self, rules: Rules, data: bytes, candidates: list[Interval]) -> None:
        self.counts: Counter[str] = Counter()
        self._rules = rules
        self._data = data
        self._starts = [start for start, _ in candidates]
        self._ends = [end for _, end in candidates]
        self._edits: list[tuple[int, int, bytes]] = []
        self._roles: dict[Role, Callable[[Message, Field, int], None]] = {
            Role.PLAIN: self._plain,
            Role.ATTRIBUTE: self._attribute,
            Role.VALUE: self._value,
            Role.EVENT: self._event if rules.events else self._plain,
            Role.RECORD: self._record if rules.events else self._plain,
        }
        self._inside_value = 0
        self._inside_content_event = False

    def through(self, request: Message) -> bytes:
        """Return the request as it may leave; the very same object where nothing changes."""
        self._plain(request, Field(0, 0, 0, len(self._data)), 1)
        if not self._edits:
            return self._data
        parts: list[bytes | memoryview] = []
        view, done = memoryview(self._data), 0
        for start, end, new in self._edits:
            parts += (view[done:start], new)
            done = end
        return b"".join((*parts, view[done:]))

    def _touched(self, field: Field) -> bool:
        index = bisect_right(self._ends, field.start)
        return index < len(self._starts) and self._starts[index] < field.end

    def _plain(self, message: Message, field: Field, depth: int) -> None:
        for inner in fields(self._data, field.start, field.end):
            if self._touched(inner):
                self._part(message, inner, depth)

    def _part(self, message: Message, field: Field, depth: int) -> None:
        if field.number in message.texts:
            self._text(field)
        elif (inner := message.messages.get(field.number)) is not None:
            self._nested(inner, field, depth + 1)

    def _nested(self, message: Message, field: Field, depth: int) -> None:
        """Walk through a message inside, and state its length anew where it changed."""
        slot = len(self._edits)
        self._edits.append((field.size_at, field.start, b""))
        self._roles[message.role](message, field, depth)
        if len(self._edits) == slot + 1:
            del self._edits[slot]
            return
        inner = self._edits[slot + 1 :]
        size = field.end - field.start + sum(len(new) - end + start for start, end, new in inner)
        self._edits[slot] = (field.size_at, field.start, varint(size))

    def _text(self, field: Field, *, binary: bool = False) -> None:
        text = self._data[field.start : field.end]
        new = self._rules.texts.redacted(text, self.counts, binary=binary)
        if new is not None:
            self._edits.append((field.size_at, field.end, varint(len(new)) + new))

    def _value(self, message: Message, field: Field, depth: int) -> None:
        if depth > DEEPEST:
            self._replace(field, UNREADABLE)
            return
        self._inside_value += 1
        for inner in fields(self._data, field.start, field.end):
            if not self._touched(inner):
                continue
            if inner.number == schema.BYTES_VALUE:
                self._text(inner, binary=True)
            else:
                self._part(message, inner, depth)
        self._inside_value -= 1

    def _replace(self, field: Field, kind: str) -> None:
        """Put our text in the place of all that a value holds; `field` is the AnyValue's."""
        value = self._data[field.start : field.end]
        said = _said(value)
        if said is not None and self._rules.texts.is_ours(said):
            return
        new = self._rules.texts.replacement(kind, value if said is None else said)
        self._edits.append((field.start, field.end, _TEXT_TAG + varint(len(new)) + new))
        self.counts[kind] += 1

    def _attribute(self, _message: Message, field: Field, depth: int) -> None:
        names, values = [], []
        for inner in fields(self._data, field.start, field.end):
            if inner.number == schema.KEY:
                names.append(self._data[inner.start : inner.end])
            elif inner.number == schema.VALUE:
                values.append(inner)
        kind = self._kind_of(names)
        top = not self._inside_value
        if kind is None and top and names and all(name in self._rules.allowed for name in names):
            return
        for value in values:
            if kind is not None:
                if value.end > value.start:
                    self._whole(value, kind)
            elif self._touched(value):
                self._nested(schema.VALUE_MESSAGE, value, depth + 1)

    def _whole(self, value: Field, kind: str) -> None:
        slot = len(self._edits)
        self._replace(value, kind)
        if len(self._edits) > slot:
            new = self._edits[slot][2]
            self._edits[slot] = (value.size_at, value.end, varint(len(new)) + new)

    def _kind_of(self, names: list[bytes]) -> str | None:
        """Return why an attribute of this name goes whole; its name may have been written twice."""
        rules = self._rules
        in_event = self._inside_content_event and not self._inside_value
        for name in names:
            if name in rules.secret:
                return "attribute"
            if name in rules.content or (in_event and name in rules.event_content):
                return "content"
        return None

    def _event(self, message: Message, field: Field, depth: int) -> None:
        names = [
            self._data[inner.start : inner.end]
            for inner in fields(self._data, field.start, field.end)
            if inner.number == schema.EVENT_NAME
        ]
        self._as_event(names, message, field, depth)

    def _record(self, message: Message, field: Field, depth: int) -> None:
        names = []
        for inner in fields(self._data, field.start, field.end):
            if inner.number == schema.RECORD_EVENT_NAME:
                names.append(self._data[inner.start : inner.end])
            elif inner.number == schema.RECORD_ATTRIBUTES:
                names += self._event_names_in(inner)
        self._as_event(names, message, field, depth)

    def _event_names_in(self, attribute: Field) -> list[bytes]:
        """Return what an attribute says its record's event is called."""
        names, said = [], []
        for inner in fields(self._data, attribute.start, attribute.end):
            content = self._data[inner.start : inner.end]
            if inner.number == schema.KEY:
                names.append(content)
            elif inner.number == schema.VALUE:
                said.append(_said(content))
        return [name for name in said if name is not None] if EVENT_NAME in names else []

    def _as_event(self, names: list[bytes], message: Message, field: Field, depth: int) -> None:
        if not any(name in self._rules.events for name in names):
            self._plain(message, field, depth)
            return
        self._inside_content_event = True
        for inner in fields(self._data, field.start, field.end):
            if message.role is Role.RECORD and inner.number == schema.RECORD_BODY:
                if inner.end > inner.start:
                    self._whole(inner, "content")
            elif inner.number in message.messages or self._touched(inner):
                self._part(message, inner, depth)
        self._inside_content_event = False


def _said(value: bytes) -> bytes | None:
    """Return the text that a value is, None where it is anything else."""
    found = next(fields(value, 0, len(value)), None)
    if found is None or not value.startswith(_TEXT_TAG) or found.end < len(value):
        return None
    return value[found.start : found.end]
