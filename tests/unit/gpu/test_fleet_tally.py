import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.gpu.fleet_tally import ANEW_MS, GAPS_KEPT, JUMP, Merged, Tally, merge

BOOT = "boot-a"


def known(**more: object) -> Tally:
    facts: dict[str, object] = {"boot_id": BOOT, "seq": 10, "queued_ms": 1_000}
    return Tally(**(facts | more))  # type: ignore[arg-type]  # a test's own words


def merged(tally: Tally | None, *seqs: int, boot: str = BOOT, queued_ms: int = 2_000) -> Merged:
    found = merge(tally, boot, seqs, queued_ms)
    assert found is not None
    return found


def test_the_first_message_is_the_newest_and_nothing_is_lost() -> None:
    first = merged(None, 42)

    assert (first.fresh, first.lost, first.tally.seq, first.tally.lost) == (True, 0, 42, 0)


def test_the_next_message_loses_nothing() -> None:
    assert merged(known(), 11).tally == known(seq=11, queued_ms=2_000)


def test_numbers_that_are_missing_are_lost() -> None:
    after = merged(known(), 14, 12)

    assert (after.lost, after.tally.lost, after.tally.gaps) == (2, 2, frozenset({11, 13}))


def test_a_gap_inside_the_first_batch_counts_as_well() -> None:
    assert merged(None, 5, 8).tally.gaps == {6, 7}


def test_one_that_comes_late_is_taken_off_the_count_and_is_not_the_newest() -> None:
    gap = merged(known(), 13).tally

    late = merged(gap, 12)

    assert (late.fresh, late.recovered, late.tally.lost, late.tally.gaps) == (
        False,
        1,
        1,
        frozenset({11}),
    )


def test_one_that_comes_late_with_the_newest_counts_once() -> None:
    gap = merged(known(), 13).tally

    both = merged(gap, 11, 14)

    assert (both.fresh, both.lost, both.recovered, both.tally.gaps) == (True, 0, 1, frozenset({12}))


@pytest.mark.parametrize("seq", [10, 3])
def test_what_was_seen_or_never_missed_changes_nothing(seq: int) -> None:
    assert merge(known(), BOOT, {seq}, 2_000) is None


def test_a_new_boot_wins_by_the_queues_clock_and_keeps_what_was_lost() -> None:
    newer = merged(known(lost=3, gaps=frozenset({7})), 1, boot="boot-b")

    assert (newer.fresh, newer.tally.boot_id, newer.tally.lost) == (True, "boot-b", 3)
    assert newer.tally.gaps == frozenset()
    assert merge(known(), "boot-0", {99}, 1_000) is None


def test_a_counter_that_jumps_or_begins_anew_is_no_loss() -> None:
    jumped = merged(known(), 11 + JUMP)
    anew = merged(known(), 1, queued_ms=1_001 + ANEW_MS)

    assert (jumped.lost, jumped.tally.seq) == (0, 11 + JUMP)
    assert (anew.fresh, anew.tally.seq) == (True, 1)


def test_only_the_newest_gaps_are_remembered() -> None:
    wide = merged(known(), 11 + JUMP - 1)

    assert wide.tally.lost == JUMP - 1
    assert len(wide.tally.gaps) == GAPS_KEPT
    assert max(wide.tally.gaps) == 11 + JUMP - 2


@given(st.sets(st.integers(1, 35), min_size=1), st.randoms(use_true_random=False))
def test_any_order_with_any_repeats_counts_exactly_what_never_came(
    seqs: set[int], order: random.Random
) -> None:
    sent = [*seqs, *order.sample(sorted(seqs), len(seqs) // 2)]
    order.shuffle(sent)

    tally: Tally | None = Tally(boot_id=BOOT, seq=0, queued_ms=0)
    lost = recovered = 0
    for seq in sent:
        step = merge(tally, BOOT, {seq}, seq)
        if step is not None:
            tally, lost, recovered = step.tally, lost + step.lost, recovered + step.recovered

    assert tally is not None
    assert tally.seq == max(seqs)
    assert tally.lost == lost - recovered == max(seqs) - len(seqs)
