"""Tells, from raw protobuf, where there may be something to redact: at the cost of a memory scan.

A string of a message is one stretch of bytes, so whatever a detector finds in it stands there as it
is, and a gate that asks for less than the detector (none of what must stand around it) cannot miss
it. What a gate reports in numbers, ids and framing is no harm: it costs a look.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, MatchKind

from reflexarc.engines.redact import email_address, escapes, keys, phone
from reflexarc.engines.redact.linear import Pattern, compile_pattern, relaxed
from reflexarc.engines.redact.model import Interval
from reflexarc.engines.redact.names import (
    CONTENT_EVENTS,
    CONTENT_NAMES,
    LITERAL_MAX,
    Names,
    folded,
    shortest,
)
from reflexarc.engines.redact.numbers import NumberGate
from reflexarc.engines.redact.policy import RedactionPolicy

# More candidates than this are one: the walk through everything costs less than their sum.
MANY = 20_000
# An automaton finds so many literals at once with vector instructions, on x86 and on ARM; measured:
# with more, or with few different first bytes, its other ways cost up to thirty times as much. What
# no text holds, put beside the literals, keeps it from those.
_AT_ONCE = 24
_CHUNK = 1 << 19
_NEVER = tuple(bytes([byte]) * 4 for byte in range(0xF5, 0xF9))


class Gates:
    """What a policy could find, as cheap questions to a whole request."""

    def __init__(self, policy: RedactionPolicy) -> None:
        on = policy.detectors
        self._patterns = _patterns(policy)
        self._everything = any(relaxed(p.pattern) is None for p in policy.patterns)
        self._numbers = NumberGate(card=on.card, phone=on.phone) if on.card or on.phone else None
        self._rare = _automata(_rare(policy))
        self._tokens = _automata(keys.LITERALS) if on.keys else ()
        names = Names((*policy.attributes, *policy.also)).literals()
        if policy.content == "remove":
            names |= Names((*CONTENT_NAMES, *CONTENT_EVENTS)).literals()
        if on.keys:
            names |= set(keys.NAMES)
        self._everything = self._everything or b"" in names
        self._names = _automata(folded(name) for name in shortest(names) if name)

    def candidates(self, data: bytes) -> list[Interval]:
        """Return stretches that touch every text in which something could be found, in order."""
        if self._everything:
            return [(0, len(data))]
        found = []
        for candidates in self._each(data):
            some = list(islice(candidates, MANY))
            if len(some) == MANY:
                some.append((some[-1][1], len(data)))
            found += some
        return _merged(found)

    def _each(self, data: bytes) -> Iterator[Iterable[Interval]]:
        for pattern in self._patterns:
            yield (match.span() for match in pattern.finditer(data))
        if self._numbers is not None:
            yield self._numbers.candidates(data)
        for automaton in self._rare:
            yield _hits(automaton, data)
        for automaton in self._tokens:
            yield _tokens(automaton, data)
        if self._names:
            yield _folded_hits(self._names, data)


def _patterns(policy: RedactionPolicy) -> tuple[Pattern, ...]:
    on = policy.detectors
    found: list[Pattern] = []
    for wanted, candidates in (
        (on.email, email_address.CANDIDATES),
        (on.keys, keys.CANDIDATES),
        (on.phone, phone.CANDIDATES),
        (_any(policy), escapes.CANDIDATES),
        (bool(policy.patterns), escapes.ANY),
    ):
        found += candidates * wanted
    loose = (relaxed(pattern.pattern) for pattern in policy.patterns)
    return (*found, *(compile_pattern(pattern) for pattern in loose if pattern is not None))


def _rare(policy: RedactionPolicy) -> list[bytes]:
    on = policy.detectors
    return [
        *email_address.RARE * on.email,
        *keys.RARE * on.keys,
        *phone.RARE * on.phone,
        *escapes.RARE * _any(policy),
    ]


def _any(policy: RedactionPolicy) -> bool:
    on = policy.detectors
    return on.email or on.card or on.keys or on.phone


def _automata(literals: Iterable[bytes]) -> tuple[BytesAhoCorasick, ...]:
    ordered = sorted(literals)
    count = -(-len(ordered) // _AT_ONCE)
    size = -(-len(ordered) // max(count, 1))
    return tuple(
        BytesAhoCorasick(
            (*ordered[first : first + size], *_NEVER), matchkind=MatchKind.LeftmostFirst
        )
        for first in range(0, len(ordered), max(size, 1))
    )


def _hits(automaton: BytesAhoCorasick, data: bytes | memoryview) -> Iterator[Interval]:
    """Yield where literals stand; by chunks, so that a message made of them fills no memory."""
    view = memoryview(data)
    for offset in range(0, len(view), _CHUNK):
        chunk = view[offset : offset + _CHUNK + LITERAL_MAX]
        for _, start, end in automaton.find_matches_as_indexes(chunk):
            yield offset + start, offset + end


def _folded_hits(automata: Iterable[BytesAhoCorasick], data: bytes) -> Iterator[Interval]:
    """Yield where literals stand, in either case of letters; a copy of one chunk at a time."""
    every = np.frombuffer(data, np.uint8)
    for offset in range(0, len(data), _CHUNK):
        lowered = np.bitwise_or(every[offset : offset + _CHUNK + LITERAL_MAX], 0x20)
        for automaton in automata:
            for _, start, end in automaton.find_matches_as_indexes(lowered.data):
                yield offset + start, offset + end


def _tokens(automaton: BytesAhoCorasick, data: bytes) -> Iterator[Interval]:
    for number, (start, end) in enumerate(_hits(automaton, data)):
        if number == MANY:
            yield start, len(data)
            return
        if keys.CONFIRMED.match(data, start, end + keys.CONFIRMED_LENGTH) is not None:
            yield start, end


def _merged(intervals: list[Interval]) -> list[Interval]:
    """Return the same stretches, in order, none of which touches another."""
    intervals.sort()
    merged: list[Interval] = []
    for start, end in intervals:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
