"""Thresholds and randomness are read and written as OpenTelemetry specifies them.

https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.telemetry.sampling import (
    WHOLE,
    TraceState,
    adjusted_count,
    is_trace,
    randomness_from,
    randomness_of,
    read_trace_state,
    threshold_from,
    threshold_of,
    written,
)

THRESHOLDS = st.integers(0, WHOLE - 1)
NOTHING = TraceState()


# Thresholds


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("0", 0),
        ("8", 0x80_0000_0000_0000),
        ("c", 0xC0_0000_0000_0000),
        ("1000", 0x10_0000_0000_0000),
        ("fd70a4", 0xFD_70A4_0000_0000),
        ("abcdefabcdefab", 0xAB_CDEF_ABCD_EFAB),
        ("ffffffffffffff", WHOLE - 1),
        ("00000000000001", 1),
    ],
)
def test_a_threshold_is_read_with_zeros_at_its_end(text: str, threshold: int) -> None:
    assert threshold_from(text) == threshold


@pytest.mark.parametrize(
    "text", ["", "g", "F", "0x8", "-1", "14.5", "8 ", " 8", "٣", "8\n", "100000000000000"]
)
def test_what_is_no_threshold_says_none(text: str) -> None:
    assert threshold_from(text) is None


@given(THRESHOLDS)
def test_a_threshold_is_read_as_it_was_written(threshold: int) -> None:
    text = written(threshold)

    assert threshold_from(text) == threshold
    assert text == "0" or not text.endswith("0")


# The specification's own table, in digits of precision 5.
@pytest.mark.parametrize(
    ("one_in", "digits"),
    [
        (1, "0"),
        (2, "8"),
        (3, "aaaab"),
        (4, "c"),
        (5, "ccccd"),
        (8, "e"),
        (10, "e6666"),
        (16, "f"),
        (100, "fd70a4"),
        (1_000, "ffbe76d"),
        (10_000, "fff97247"),
        (100_000, "ffff583a5"),
        (1_000_000, "ffffef391"),
    ],
)
def test_a_probability_is_the_threshold_of_the_specification(one_in: int, digits: str) -> None:
    threshold = threshold_of(1 / one_in)

    unit = 1 << 56 - 4 * len(digits)
    assert abs(threshold - (threshold_from(digits) or 0)) <= unit / 2


@given(st.integers(1, WHOLE - 1))
def test_the_smallest_probabilities_are_exact(parts: int) -> None:
    probability = parts / WHOLE

    assert adjusted_count(threshold_of(probability)) == pytest.approx(1 / probability, rel=1e-9)


@pytest.mark.parametrize(
    ("probability", "threshold"),
    [(1, 0), (1.5, 0), (2**-56, WHOLE - 1), (2**-55, WHOLE - 2), (0, WHOLE - 1), (-1, WHOLE - 1)],
)
def test_a_threshold_stays_within_fifty_six_bits(probability: float, threshold: int) -> None:
    assert threshold_of(probability) == threshold


@given(THRESHOLDS, THRESHOLDS)
def test_a_higher_threshold_stands_for_more(one: int, other: int) -> None:
    low, high = sorted((one, other))

    assert 1 <= adjusted_count(low) <= adjusted_count(high)


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("8", 2), ("c", 4), ("f", 16), ("e", 8)])
def test_an_item_stands_for_as_many_as_its_threshold_says(text: str, count: float) -> None:
    assert adjusted_count(threshold_from(text) or 0) == count


# Tracestates


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", NOTHING),
        ("ot=th:8", TraceState(threshold=1 << 55)),
        ("ot=rv:6e6d1a75832a2f", TraceState(randomness=0x6E_6D1A_7583_2A2F)),
        ("ot=th:0;rv:00000000000000", TraceState(threshold=0, randomness=0)),
        ("ot=p:8;th:c;r:62", TraceState(3 << 54, None, ("p:8", "r:62"))),
        ("a=b,ot=th:8,c@d=e", TraceState(1 << 55, None, (), ("a=b", "c@d=e"))),
        (" a=b \t,, ot=th:8 ,", TraceState(1 << 55, None, (), ("a=b",))),
        ("a=th:8", TraceState(other_members=("a=th:8",))),
        ("xot=th:8,ot@x=th:8", TraceState(other_members=("xot=th:8", "ot@x=th:8"))),
        ("a=b=c", TraceState(other_members=("a=b=c",))),
        ("ot", NOTHING),
        ("ot=", NOTHING),
        ("ot=;;", NOTHING),
        ("ot=th;rv", NOTHING),
    ],
)
def test_a_tracestate_is_read(text: str, state: TraceState) -> None:
    assert read_trace_state(text) == state


@pytest.mark.parametrize(
    "text",
    [
        "ot=th:",
        "ot=th:F",
        "ot=th:100000000000000",
        "ot=rv:6e6d1a75832a2",
        "ot=rv:6e6d1a75832a2f0",
        "ot=rv:6E6D1A75832A2F",
        "ot=th:-1;rv:x",
    ],
)
def test_a_threshold_or_randomness_that_is_none_is_left_out(text: str) -> None:
    assert read_trace_state(text) == NOTHING
    assert read_trace_state(text).with_threshold(1 << 55) == "ot=th:8"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", "ot=th:8"),
        ("ot=th:4", "ot=th:8"),
        ("ot=rv:6e6d1a75832a2f", "ot=th:8;rv:6e6d1a75832a2f"),
        ("ot=a:b;th:4;rv:00000000000003;c:d", "ot=th:8;rv:00000000000003;a:b;c:d"),
        ("x=1,ot=th:0,y=2", "ot=th:8,x=1,y=2"),
        ("x=1", "ot=th:8,x=1"),
    ],
)
def test_a_new_threshold_keeps_all_else_and_stands_first(text: str, changed: str) -> None:
    assert read_trace_state(text).with_threshold(1 << 55) == changed


@given(THRESHOLDS, st.none() | st.integers(0, WHOLE - 1))
def test_a_tracestate_is_read_as_it_was_written(threshold: int, randomness: int | None) -> None:
    state = TraceState(None, randomness, ("a:b",), ("x=y",))

    assert read_trace_state(state.with_threshold(threshold)) == TraceState(
        threshold, randomness, ("a:b",), ("x=y",)
    )


def test_no_more_members_are_written_than_w3c_allows_the_last_go() -> None:
    members = [f"m{number}=x" for number in range(32)]

    assert read_trace_state(",".join(members)).with_threshold(0) == ",".join(
        ["ot=th:0", *members[:31]]
    )


@pytest.mark.parametrize("size", [100, 240, 249, 250, 251, 300])
def test_no_longer_value_is_written_than_is_read_and_the_threshold_stays(size: int) -> None:
    state = read_trace_state(f"ot=long:{'x' * (size - 5)};s:1,v=w")

    text = state.with_threshold(1 << 55)

    value = text.removeprefix("ot=").removesuffix(",v=w")
    assert value.startswith("th:8")
    assert len(value) <= 256
    assert ("long:" in value) == (size + len("th:8;") <= 256)
    assert ("s:1" in value) == (size > 251 or size + len("th:8;;s:1") <= 256)


# Randomness


@pytest.mark.parametrize(
    ("text", "number"),
    [("6e6d1a75832a2f", 0x6E_6D1A_7583_2A2F), ("0" * 14, 0), ("f" * 13, None), ("F" * 14, None)],
)
def test_randomness_is_fourteen_digits(text: str, number: int | None) -> None:
    assert randomness_from(text) == number


def test_randomness_is_the_traces_own_last_seven_bytes() -> None:
    trace_id = bytes.fromhex("5b8efff798038103d26e6d1a75832a2f")

    assert randomness_of(trace_id, NOTHING, b"one") == 0x6E_6D1A_7583_2A2F
    assert randomness_of(trace_id, NOTHING, b"other") == 0x6E_6D1A_7583_2A2F


def test_randomness_that_is_said_comes_before_the_traces() -> None:
    assert randomness_of(b"t" * 16, TraceState(randomness=5), b"item") == 5
    assert randomness_of(b"t" * 16, TraceState(randomness=0), b"item") == 0


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"t" * 8, b"t" * 17])
def test_what_has_no_trace_has_the_randomness_of_its_bytes(trace_id: bytes) -> None:
    numbers = [randomness_of(trace_id, NOTHING, item) for item in (b"one", b"other", b"one")]

    assert not is_trace(trace_id)
    assert numbers[0] == numbers[2] != numbers[1]
    assert all(0 <= number < WHOLE for number in numbers)


def test_randomness_of_bytes_is_even() -> None:
    numbers = [randomness_of(b"", NOTHING, b"%d" % number) for number in range(10_000)]

    # Five standard deviations of a fair share of a tenth: one failure in two million seeds.
    for begin in range(10):
        share = sum(begin <= number * 10 // WHOLE < begin + 1 for number in numbers) / len(numbers)
        assert abs(share - 0.1) < 5 * (0.1 * 0.9 / len(numbers)) ** 0.5


# What is kept


@given(THRESHOLDS, THRESHOLDS, st.integers(0, WHOLE - 1))
def test_what_a_sampler_keeps_every_more_generous_one_keeps(
    one: int, other: int, randomness: int
) -> None:
    low, high = sorted((one, other))

    assert randomness < high or randomness >= low


@pytest.mark.parametrize("probability", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("before", [None, 0.3])
def test_adjusted_counts_are_unbiased(probability: float, before: float | None) -> None:
    """Also where an earlier sampler kept fewer or more: the higher threshold is in force."""
    rng = random.Random(7)
    total = 20_000
    earlier = threshold_of(before) if before else 0
    threshold = max(threshold_of(probability), earlier)
    kept = 0
    for _ in range(total):
        randomness = randomness_of(rng.randbytes(16), NOTHING, b"")
        kept += randomness >= earlier and randomness >= threshold

    estimate = kept * adjusted_count(threshold)

    share = min(probability, before or 1)
    # Five standard deviations of a binomial share.
    assert abs(estimate - total) < 5 * (total * (1 - share) / share) ** 0.5
