"""The index finds every place of every pattern: it never decides, so it must never miss."""

import random
from collections.abc import Sequence

import pytest

from reflexarc.telemetry.plan.index import PatternIndex

Hits = list[tuple[int, int]]


def hits(patterns: Sequence[bytes], payload: bytes) -> Hits:
    numbers, places = PatternIndex(patterns).hits(payload)
    found = list(zip(numbers.tolist(), places.tolist(), strict=True))
    # Whoever counts the places of one pattern relies on their order.
    assert sorted(found, key=lambda hit: hit[0]) == sorted(found)
    return sorted(found)


def naive(patterns: Sequence[bytes], payload: bytes) -> Hits:
    found = []
    for number, pattern in enumerate(patterns):
        at = payload.find(pattern)
        while at >= 0:
            found.append((number, at))
            at = payload.find(pattern, at + 1)
    return sorted(found)


def distinct(rng: random.Random, count: int, alphabet: bytes, longest: int) -> list[bytes]:
    """Return patterns, each once, of which many begin with, end with or hold another."""
    found: dict[bytes, None] = {}
    for _ in range(count):
        pattern = bytes(rng.choices(alphabet, k=rng.randint(1, longest)))
        if found and rng.random() < 0.3:
            other = rng.choice(list(found)[-20:])
            cut = rng.randint(1, len(other))
            pattern = rng.choice(
                (other[:cut] + pattern, pattern + other[:cut], other[-cut:] + pattern)
            )
        found[pattern] = None
    patterns = list(found)
    rng.shuffle(patterns)
    return patterns


def payload_of(rng: random.Random, patterns: Sequence[bytes], alphabet: bytes) -> bytes:
    """Return patterns side by side and into each other, with noise between."""
    pieces = [
        rng.choice(patterns)[: rng.randint(1, 30)]
        if rng.random() < 0.6
        else bytes(rng.choices(alphabet, k=rng.randint(1, 6)))
        for _ in range(rng.randint(0, 200))
    ]
    return b"".join(pieces)


@pytest.mark.parametrize("seed", range(120))
def test_few_patterns_that_overlap_are_all_found(seed: int) -> None:
    rng = random.Random(seed)
    alphabet = rng.choice((b"ab", b"ab\0\n", b"abcdef\n*\0"))
    patterns = distinct(rng, rng.randint(1, 45), alphabet, rng.choice((3, 8)))
    payload = payload_of(rng, patterns, alphabet)

    assert hits(patterns, payload) == naive(patterns, payload)


@pytest.mark.parametrize("seed", range(12))
def test_many_patterns_that_overlap_are_all_found(seed: int) -> None:
    rng = random.Random(seed)
    alphabet = b"abcdefgh\n*\0"
    patterns = distinct(rng, rng.choice((60, 300, 3_000)), alphabet, 12)
    payload = payload_of(rng, patterns, alphabet)

    assert hits(patterns, payload) == naive(patterns, payload)


@pytest.mark.parametrize("count", [1, 10, 13, 14, 41, 400, 2_100])
@pytest.mark.parametrize("prefix", [b"\n\x0c", b"\0\x0c", b"*\x0c", b""])
def test_patterns_as_rules_have_them_are_found_in_any_number(count: int, prefix: bytes) -> None:
    patterns = [prefix + b"tenant-%05d" % number for number in range(count)]
    payload = b"-".join(patterns[::3]) + b"tenant-00001" + b"".join(patterns[-2:])

    assert hits(patterns, payload) == naive(patterns, payload)


@pytest.mark.parametrize(
    "patterns",
    [
        [b"tenant", b"tenants"],
        [b"tenants", b"tenant"],
        [b"nant", b"tenants"],
        [b"s", b"tenants"],
        [b"tenants", b"\xff"],
        [b"enx", b"tenant"],
        [b"tena", b"nant"],
        [b"tt"],
        [b"tenant", b"tenan", b"tena", b"ten", b"te", b"t"],
    ],
)
def test_a_pattern_hides_no_other(patterns: list[bytes]) -> None:
    payload = b"tttenants tenant\xfftenants\xff enx tenanttenant"

    assert hits(patterns, payload) == naive(patterns, payload)


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 100])
def test_nothing_is_found_where_nothing_is_sought(payload: bytes) -> None:
    assert hits([], payload) == []
    assert hits([b"ab", b"\nab"], payload) == []


def test_every_byte_may_stand_in_a_pattern() -> None:
    payload = bytes(range(256)) * 2
    patterns = [payload[at : at + 3] for at in range(256)]

    assert hits(patterns, payload) == naive(patterns, payload)


def test_patterns_too_many_to_compare_in_pairs_are_all_found() -> None:
    patterns = [b"\n%03d\n" % number for number in range(400)]
    payload = b"\n001\n002\n003\n" + b"".join(patterns)

    assert hits(patterns, payload) == naive(patterns, payload)
