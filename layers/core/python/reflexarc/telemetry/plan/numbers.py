"""Which items may hold an attribute with a number that meets a comparison, without decoding them.

A key that nearly every item has, as the number of output tokens, would make every item a candidate.
So the bytes behind each place of the key are read, all places at once with numpy. A place is left
out only where it is certain that no comparison holds there: the KeyValue has the one form that
every encoder writes, its value is a number and meets none, the key is nowhere else in the item,
and a walk over the item's fields arrives exactly at it (a KeyValue with unknown fields could
otherwise hide another value behind the one that was read). All else is a candidate.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from reflexarc.events.otlp_batch import OtlpSignal

Numbers = NDArray[np.int64]
Truths = NDArray[np.bool_]

_COMPARE: Mapping[str, Callable[[NDArray[np.float64], float], Truths]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KEY_MAX = 100  # with its value the KeyValue's length fits one byte
_LENGTH_MAX = 127
# Bytes behind a key: a tag, a length, a tag and at most eight bytes of a number.
_BEHIND = 11
KEY_TAG, _VALUE_TAG = 0x0A, 0x12  # KeyValue.key, KeyValue.value
_INT_TAG, _DOUBLE_TAG = 0x18, 0x21  # AnyValue.int_value, AnyValue.double_value
_INT_BYTES = 4  # longer numbers are candidates; four bytes hold 268 million, exact as a float
_STEPS = 48
_UNKNOWN = 1 << 20
# Three bytes of tag and length, and what two bytes of length can say.
_FIELD_MAX = 3 + (1 << 14) - 1


@dataclass(frozen=True, slots=True)
class Wire:
    """The tags that items of a signal have: what the walk knows to step over."""

    attribute: int
    lengths: tuple[int, ...]
    varints: tuple[int, ...]
    eights: tuple[int, ...]
    fours: tuple[int, ...]


WIRES: Mapping[OtlpSignal, Wire] = {
    "traces": Wire(
        0x4A,
        (0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x4A, 0x5A, 0x6A, 0x7A),
        (0x30, 0x50, 0x60, 0x70),
        (0x39, 0x41),
        (),
    ),
    "logs": Wire(
        0x32,
        (0x1A, 0x2A, 0x32, 0x4A, 0x52, 0x62),
        (0x10, 0x38),
        (0x09, 0x59),
        (0x45,),
    ),
}
_FLAGS = 0x0185  # Span.flags: field 16 has a tag of two bytes


@dataclass(frozen=True, slots=True)
class Places:
    """Where texts equal to a key begin, and the bounds of the item that each is in."""

    at: Numbers
    item: Numbers
    begin: Numbers
    end: Numbers

    def where(self, chosen: Truths) -> "Places":
        """Return some of the places."""
        return Places(self.at[chosen], self.item[chosen], self.begin[chosen], self.end[chosen])


@dataclass(slots=True)
class NumberIndex:
    """The comparisons of one key, each with the number of its clause."""

    key: bytes
    comparisons: list[tuple[str, float, int]] = field(default_factory=list)

    @staticmethod
    def takes(key: str, number: float) -> bool:
        """Return whether a comparison can be indexed."""
        # Beyond 2^53 a float is not exact.
        return 0 < len(key.encode()) <= _KEY_MAX and -(2**53) < number < 2**53


def candidates(
    index: NumberIndex, payload: bytes, signal: OtlpSignal, places: Places
) -> dict[int, list[int]]:
    """Return the clauses that may hold, by the number of the item."""
    data = np.frombuffer(payload, np.uint8)
    size = len(index.key)
    before = data[places.at - 1]
    # Before a key stands its length, or a zero where the length has more bytes than it takes.
    places = places.where((before == size) | (before == 0))
    found: dict[int, list[int]] = {}
    if not places.at.size:
        return found
    if data.size < _BEHIND:
        return {
            item: [clause for _, _, clause in index.comparisons] for item in places.item.tolist()
        }
    certain, values = _read(data, WIRES[signal].attribute, size, places)
    # Places come in their order, so that one item's stand side by side.
    again = places.item[1:] == places.item[:-1]
    certain[1:] &= ~again
    certain[:-1] &= ~again
    doubtful = np.flatnonzero(certain)
    there = _boundary(data, signal, places.begin[doubtful], places.at[doubtful] - 4)
    certain[doubtful[~there]] = False
    clauses = [clause for _, _, clause in index.comparisons]
    for item in places.item[~certain].tolist():
        found[item] = clauses
    with np.errstate(invalid="ignore"):
        for comparator, number, clause in index.comparisons:
            met = certain & _COMPARE[comparator](values, number)
            for item in places.item[met].tolist():
                found[item] = [*found.get(item, ()), clause]
    return found


def _read(
    data: NDArray[np.uint8], attribute: int, size: int, places: Places
) -> tuple[Truths, NDArray[np.float64]]:
    """Return where a KeyValue has the usual form and holds a number, and the numbers."""
    # A key so near to the end of the payload that less stands behind it is in doubt.
    behind = np.minimum(places.at + size, max(data.size - _BEHIND, 0))
    # What stands in front of a key, and behind it, as one number each.
    head = _words(data, "<u4")[places.at - 4]
    tail = _words(data, "<u8")[behind]
    value_size = (tail >> np.uint64(8) & np.uint64(0xFF)).astype(np.int64)
    kind = tail >> np.uint64(16) & np.uint64(0xFF)
    length = size + 4 + value_size
    usual = (
        (behind == places.at + size)
        & (places.begin <= places.at - 4)
        & (length <= _LENGTH_MAX)
        & (head == (attribute | length << 8 | KEY_TAG << 16 | size << 24))
        & (tail & np.uint64(0xFF) == _VALUE_TAG)
        & (behind + 2 + value_size <= places.end)
    )
    digits = (tail >> np.uint64(24)).astype(np.int64)
    number = (kind == _INT_TAG) & (digits & _MORE[value_size] == _ENDS[value_size])
    whole = (
        digits & 0x7F | digits >> 1 & 0x3F80 | digits >> 2 & 0x1F_C000 | digits >> 3 & 0xFE0_0000
    ) & _SEVENS[value_size]
    values = whole.astype(np.float64)
    double = (kind == _DOUBLE_TAG) & (value_size == 9)  # noqa: PLR2004 - tag and 8 bytes
    if double.any():
        values[double] = _words(data, "<f8")[behind[double] + 3]
    return usual & (number | double), values


def _words(data: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    """Return the words of a kind that begin at each byte."""
    size = np.dtype(kind).itemsize
    return as_strided(data[:size].view(kind), (data.size - size + 1,), (1,))


def _by_size() -> tuple[Numbers, Numbers, Numbers]:
    """Return by the size of an AnyValue with an int: its bits of "more follows", and how they are.

    And which bits its value takes. A size that is none of ours has bits that never fit.
    """
    more, ends, sevens = (np.zeros(256, np.int64) for _ in range(3))
    ends[:] = -1
    for count in range(1, _INT_BYTES + 1):
        more[count + 1] = sum(0x80 << 8 * place for place in range(count))
        ends[count + 1] = sum(0x80 << 8 * place for place in range(count - 1))
        sevens[count + 1] = (1 << 7 * count) - 1
    return more, ends, sevens


_MORE, _ENDS, _SEVENS = _by_size()


def _boundary(data: NDArray[np.uint8], signal: OtlpSignal, begin: Numbers, goal: Numbers) -> Truths:
    """Return where a walk over an item's fields arrives exactly at its goal.

    All walks go in step. One that meets a field it does not know, or a very long one, is in doubt.
    """
    advance, more = _TABLES[signal]
    words = _words(data, "<u4")
    at, longest, beyond = begin.copy(), np.zeros_like(begin), goal + 1
    for _ in range(_STEPS):
        word = words[at]
        head = word & 0xFFFF
        step = advance[head] + ((word >> 9) & more[head])
        step *= at < goal
        np.maximum(longest, step, out=longest)
        at += step
        np.minimum(at, beyond, out=at)
        if (at >= goal).all():
            break
    arrived: Truths = (at == goal) & (longest <= _FIELD_MAX)
    return arrived


def _tables(wire: Wire) -> tuple[Numbers, Numbers]:
    """Return how far to step for each tag and the byte behind it, and which bits of length follow.

    A length of two bytes has its upper seven bits in the third byte of the field.
    """
    advance = np.full(1 << 16, _UNKNOWN, np.int64)
    more = np.zeros(1 << 16, np.int64)
    low = np.arange(128) << 8
    for tag in wire.lengths:
        advance[tag | low] = 2 + np.arange(128)
        advance[tag | 0x8000 | low] = 3 + np.arange(128)
        more[tag | 0x8000 | low] = 0x7F80
    for tag in wire.varints:
        advance[tag | low] = 2
    for tag in wire.eights:
        advance[tag | np.arange(256) << 8] = 9
    for tag in wire.fours:
        advance[tag | np.arange(256) << 8] = 5
    return advance, more


_TABLES = {signal: _tables(wire) for signal, wire in WIRES.items()}
_TABLES["traces"][0][_FLAGS] = 6
