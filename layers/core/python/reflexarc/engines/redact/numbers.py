"""Finds where a card or telephone number may stand in raw protobuf, at the cost of a memory scan.

Every such number without a "+" is a run of 11 characters or more from `0-9 ().-`, all of which lie
from 0x20 to 0x3F. So two neighbouring words of four bytes that start at multiples of four lie
inside it, whatever its offset: at most three bytes come before the first. numpy compares whole
words; what it leaves is looked at more closely.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from reflexarc.engines.redact.card import may_be_card
from reflexarc.engines.redact.linear import compile_bytes
from reflexarc.engines.redact.model import Interval

SHORTEST, NATIONAL_SHORTEST = 11, 10
_LONGEST = 48  # a card in groups: 37; a telephone number with separators and parentheses
_WORD = 4
_OTHERS = SHORTEST - 2 * _WORD
_IN_RUN = np.zeros(256, np.uint8)
_IN_RUN[list(b"0123456789 ().-")] = 1

# What the exact rules ask for, without what stands around it. Windows are joined by a byte that no
# number holds, so that one search looks through all of them.
_CARD = compile_bytes(rb"[0-9](?:[ -]?[0-9]){12,}")
_PHONE = compile_bytes(
    rb"[2-9][0-9]{2}\)?[ .-]?[2-9][0-9]{2}[ .-][0-9]{4}|"
    + b"|".join(
        rb"0[0-9]{%d}\)?[ .-](?:[0-9][ .-]?){%d}" % (first, NATIONAL_SHORTEST - 1 - first)
        for first in range(1, 5)
    )
)
_BETWEEN = b"\0"
_ZERO, _OPEN = b"0("


class NumberGate:
    """Tells where numbers may stand."""

    def __init__(self, *, card: bool, phone: bool) -> None:
        self._card, self._phone = card, phone

    def candidates(self, data: bytes) -> Iterator[Interval]:
        """Yield stretches that touch every number in the data."""
        stretches = _stretches(data)
        joined = _BETWEEN.join([data[start:end] for start, end in stretches])
        ends = list(accumulate(end - start + 1 for start, end in stretches))
        for pattern, wanted in ((_CARD, self._card), (_PHONE, self._phone)):
            for match in pattern.finditer(joined) if wanted else ():
                if pattern is _PHONE or may_be_card(match.group()):
                    yield stretches[bisect_right(ends, match.start())]


def _stretches(data: bytes) -> list[Interval]:
    """Return what is near words that lie inside a run: whole numbers, each in one stretch."""
    at = _runs(data)
    breaks = np.flatnonzero(np.diff(at) > _LONGEST)
    starts = at[np.concatenate(([0], breaks + 1))] if at.size else at
    ends = at[np.concatenate((breaks, [-1]))] if at.size else at
    return list(zip((starts - _WORD).clip(0).tolist(), (ends + _LONGEST).tolist(), strict=True))


def _runs(data: bytes) -> NDArray[np.intp]:
    """Return where two words start that lie inside a run that is long enough."""
    words = np.frombuffer(data, "<u4", len(data) // _WORD)
    near = (words & 0xE0E0E0E0) == 0x20202020  # noqa: PLR2004 - each byte is 0x20 to 0x3F
    at = np.flatnonzero(near[1:] & near[:-1]) * _WORD
    return _long_enough(np.frombuffer(data, np.uint8), at) if at.size else at


def _long_enough(data: NDArray[np.uint8], at: NDArray[np.intp]) -> NDArray[np.intp]:
    for offset in range(2 * _WORD):
        at = at[_IN_RUN[data[at + offset]] == 1]
    before = _unbroken(data, at, range(-1, -_WORD - 1, -1))
    around = before + _unbroken(data, at, range(2 * _WORD, 3 * _WORD))
    # The shortest has a trunk prefix, which a date with a digit behind it has not.
    first = data[at - before]
    enough = (around > _OTHERS) | ((around == _OTHERS) & ((first == _ZERO) | (first == _OPEN)))
    return np.compress(enough, at)


def _unbroken(
    data: NDArray[np.uint8], at: NDArray[np.intp], offsets: Iterable[int]
) -> NDArray[np.intp]:
    """Return how many of the bytes at these offsets go on with the run, one after the other."""
    count = np.zeros(at.size, np.intp)
    going_on = np.ones(at.size, np.uint8)
    for offset in offsets:
        place = at + offset
        known = (place >= 0) & (place < data.size)
        going_on &= _IN_RUN[data[place.clip(0, data.size - 1)]] & known
        count += going_on
    return count
