"""Finds many byte patterns in a payload at once, in time that hardly grows with their number.

A few patterns that cannot overlap are one automaton with a SIMD prefilter. Many are an automaton
for each first byte: with one first byte the prefilter holds, so that 10,000 patterns cost what ten
do; with many it would be lost. An automaton that reports the leftmost and longest of overlapping
matches hides the others. Patterns that a longer one begins with are known from it; where patterns
can overlap otherwise, every match is asked for.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_FEW = 40
# A DFA is half as fast again; of 10,000 patterns it takes 30 MB, and of more too much.
_DFA_MAX = 12_000
# Patterns without a common first byte are sought one by one up to so many.
_SINGLE_MAX = 12
# Comparing all pairs costs more than reporting all matches.
_PAIRS_MAX = 100_000
_COMMON = (b"\x0a", b"\x2a", b"\0")


class PatternIndex:
    """Finds patterns, none given twice, each by its number in the sequence."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._automata = [_Automaton(patterns, group) for group in _groups(patterns)]

    def hits(self, payload: bytes) -> tuple[Numbers, Numbers]:
        """Return the numbers of the patterns found and where each begins.

        Those of one pattern come from left to right, those of several in any order.
        """
        found = [automaton.hits(payload) for automaton in self._automata]
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if len(found) == 1:
            return found[0]
        return (
            np.concatenate([numbers for numbers, _ in found]),
            np.concatenate([places for _, places in found]),
        )


class _Automaton:
    def __init__(self, patterns: Sequence[bytes], group: Sequence[int]) -> None:
        members = [patterns[number] for number in group]
        self._all = _may_overlap(members)
        self._numbers = np.array(group, np.int64)
        self._beginnings = {} if self._all else _beginnings(members)
        self._longer = np.zeros(len(members), np.bool_)
        self._longer[list(self._beginnings)] = True
        self._matcher = BytesAhoCorasick(
            members,
            matchkind=MatchKind.Standard if self._all else MatchKind.LeftmostLongest,
            implementation=Implementation.DFA if len(members) < _DFA_MAX else None,
        )

    def hits(self, payload: bytes) -> tuple[Numbers, Numbers]:
        found = self._matcher.find_matches_as_indexes(payload, overlapping=self._all)
        table = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found)).reshape(-1, 3)
        members, places = table[:, 0], table[:, 1]
        longer = np.flatnonzero(self._longer[members])
        if longer.size:
            members, places = self._with_beginnings(members, places, longer)
        return self._numbers[members], places

    def _with_beginnings(
        self, members: Numbers, places: Numbers, longer: Numbers
    ) -> tuple[Numbers, Numbers]:
        """Add the patterns that longer ones begin with: of those the longest alone was reported."""
        more = [
            (beginning, place)
            for member, place in zip(members[longer].tolist(), places[longer].tolist(), strict=True)
            for beginning in self._beginnings[member]
        ]
        table = np.array(more, np.int64)
        places = np.concatenate([places, table[:, 1]])
        order = np.argsort(places, kind="stable")
        return np.concatenate([members, table[:, 0]])[order], places[order]


def _beginnings(patterns: Sequence[bytes]) -> dict[int, list[int]]:
    """Return for each pattern that begins with others which these are."""
    found: dict[int, list[int]] = {}
    open_: list[int] = []
    # In the order of bytes, what begins with a pattern stands right behind it.
    for number in sorted(range(len(patterns)), key=patterns.__getitem__):
        while open_ and not patterns[number].startswith(patterns[open_[-1]]):
            open_.pop()
        if open_:
            found[number] = list(open_)
        open_.append(number)
    return found


def _groups(patterns: Sequence[bytes]) -> Iterable[Sequence[int]]:
    everything = range(len(patterns))
    if not patterns:
        return []
    if len(patterns) <= _FEW and not _may_overlap(patterns):
        return [everything]
    groups: list[Sequence[int]] = [
        [number for number in everything if patterns[number][:1] == first] for first in _COMMON
    ]
    bare = [number for number in everything if patterns[number][:1] not in _COMMON]
    groups += [[number] for number in bare] if len(bare) < _SINGLE_MAX else [bare]
    return [group for group in groups if group]


def _may_overlap(patterns: Sequence[bytes]) -> bool:
    """Return whether a match of one may begin behind the start of another's; doubt is yes.

    It may only where another's first two bytes stand within one, or its last byte is a first byte.
    """
    if len(patterns) > 1 and min(map(len, patterns)) == 1:
        return True
    heads = {pattern[:2] for pattern in patterns}
    firsts = {pattern[:1] for pattern in patterns}
    loose = [pattern for pattern in patterns if _holds_a_head(pattern, heads, firsts)]
    if len(loose) * len(patterns) > _PAIRS_MAX:
        return True
    return any(_overlap(one, other) for one in loose for other in patterns)


def _holds_a_head(pattern: bytes, heads: set[bytes], firsts: set[bytes]) -> bool:
    inner = (pattern[at : at + 2] for at in range(1, len(pattern) - 1))
    return pattern[-1:] in firsts or any(pair in heads for pair in inner)


def _overlap(one: bytes, other: bytes) -> bool:
    """Return whether `other` may begin within `one`, behind its start."""
    return any(other.startswith(one[at:]) or one.startswith(other, at) for at in range(1, len(one)))
