"""notify.ports.Outbox: what memory and DynamoDB both promise."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reflexarc.events.notice import Notice
from reflexarc.events.severity import Severity
from reflexarc.incidents.model import Change
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import LEASE, Busy, Lease
from reflexarc.notify.ports import Outbox
from tests.ports.conftest import Shelf
from tests.support.incidents import (
    GPU,
    NOW,
    at,
    attempt,
    change,
    clear,
    receipt,
    signal,
)

SLACK = "slack/C0PAGES"
EXPIRED = LEASE.total_seconds()


def take(outbox: Outbox, owner: str = "me", now: datetime = NOW, group: str = SLACK) -> Lease:
    lease = outbox.acquire(group, owner, now)
    assert isinstance(lease, Lease), lease
    return lease


def opened(shelf: Shelf) -> tuple[Notice, ...]:
    shelf.book.commit(change(signal(1)))
    return shelf.outbox.pending(SLACK)


# ---- pending ----


def test_unknown_group_owes_nothing(shelf: Shelf) -> None:
    assert shelf.outbox.pending("slack/C404") == ()


def test_notices_come_in_row_order(shelf: Shelf) -> None:
    first = change(signal(1, severity=Severity.WARNING))
    second = change(signal(2), after=first)
    third = change(clear(3), after=second)
    for step in (first, second, third):
        shelf.book.commit(step)

    pending = shelf.outbox.pending(SLACK)

    assert [notice.action for notice in pending] == ["trigger", "update", "resolve"]
    assert [notice.incident.version for notice in pending] == [1, 2, 3]


def test_more_notices_than_a_page_all_come(shelf: Shelf) -> None:
    wide = '"' * 1_000  # two bytes each in JSON
    fields: dict[str, Any] = {
        "meaning": wide,
        "action": wide,
        "evidence": (wide,) * 5,
        "labels": {str(number): wide for number in range(24)},
        "marks": tuple(f"{number}{wide}" for number in range(12)),
    }
    for number in range(40):
        entity = GPU.model_copy(update={"device": f"0000:{number:02x}:00"})
        shelf.book.commit(change(signal(number, entity=entity, **fields)))

    pending = shelf.outbox.pending(SLACK)

    rows = [notice.row for notice in pending]
    assert len(rows) == 40
    assert rows == sorted(rows)
    # A query answers at most 1 MB at once.
    assert sum(len(notice.model_dump_json()) for notice in pending) > 1_100_000


# ---- acquire ----


def test_free_lease_is_taken_for_its_time(shelf: Shelf) -> None:
    assert take(shelf.outbox) == Lease(group=SLACK, owner="me", until=NOW + LEASE)


def test_live_lease_is_busy_until_it_expires(shelf: Shelf) -> None:
    take(shelf.outbox)

    assert shelf.outbox.acquire(SLACK, "rival", at(1)) == Busy(until=NOW + LEASE)


def test_groups_do_not_block_each_other(shelf: Shelf) -> None:
    take(shelf.outbox)

    take(shelf.outbox, "rival", group="slack/C0OTHER")


def test_expired_lease_is_taken_over_as_suspect(shelf: Shelf) -> None:
    take(shelf.outbox)

    lease = take(shelf.outbox, "heir", at(EXPIRED))

    assert (lease.owner, lease.suspect, lease.until) == ("heir", True, at(2 * EXPIRED))


def test_suspicion_outlives_a_second_death(shelf: Shelf) -> None:
    take(shelf.outbox)
    take(shelf.outbox, "heir", at(EXPIRED))

    assert take(shelf.outbox, "third", at(2 * EXPIRED)).suspect


def test_released_lease_is_free_and_clean(shelf: Shelf) -> None:
    assert shelf.outbox.release(take(shelf.outbox)) is True

    assert take(shelf.outbox, "next", at(1)) == Lease(
        group=SLACK, owner="next", until=at(1) + LEASE
    )


# ---- wake, release ----


def test_wake_up_that_met_a_live_lease_makes_the_holder_look_again(shelf: Shelf) -> None:
    lease = take(shelf.outbox)
    shelf.outbox.acquire(SLACK, "rival", at(1))

    assert shelf.outbox.release(lease) is False

    assert shelf.outbox.acquire(SLACK, "rival", at(2)) == Busy(until=NOW + LEASE)
    assert shelf.outbox.release(lease) is False
    assert shelf.outbox.release(lease) is True


def test_word_left_to_a_dead_holder_is_heard_by_taking_over(shelf: Shelf) -> None:
    take(shelf.outbox)
    shelf.outbox.acquire(SLACK, "rival", at(1))

    heir = take(shelf.outbox, "heir", at(EXPIRED))

    assert shelf.outbox.release(heir) is True


def test_release_after_a_takeover_changes_nothing(shelf: Shelf) -> None:
    late = take(shelf.outbox)
    heir = take(shelf.outbox, "heir", at(EXPIRED))

    assert shelf.outbox.release(late) is True

    busy = shelf.outbox.acquire(SLACK, "third", at(EXPIRED + 1))
    assert busy == Busy(until=heir.until)


def test_release_after_the_heir_released_changes_nothing(shelf: Shelf) -> None:
    late = take(shelf.outbox)
    shelf.outbox.release(take(shelf.outbox, "heir", at(EXPIRED)))

    assert shelf.outbox.release(late) is True


# ---- settle, receipt ----


def test_settled_notices_are_gone_and_their_receipt_stays(shelf: Shelf) -> None:
    [notice] = opened(shelf)
    assert shelf.outbox.receipt(notice) is None

    shelf.outbox.settle(take(shelf.outbox), (notice,), receipt(), attempt())

    assert shelf.outbox.pending(SLACK) == ()
    assert shelf.outbox.receipt(notice) == receipt()


def test_receipt_is_of_one_generation_and_channel(shelf: Shelf) -> None:
    steps = [change(signal(1))]
    steps.append(change(clear(2), after=steps[-1]))
    steps.append(change(signal(3), after=steps[-1]))
    for step in steps:
        shelf.book.commit(step)
    first, _, next_generation = shelf.outbox.pending(SLACK)

    shelf.outbox.settle(take(shelf.outbox), (first,), receipt(), attempt())

    pager = steps[0].notices[0]
    assert shelf.outbox.receipt(next_generation) is None
    assert shelf.outbox.receipt(pager) is None


def test_settling_without_a_receipt_keeps_the_earlier_one(shelf: Shelf) -> None:
    [notice] = opened(shelf)
    lease = take(shelf.outbox)
    shelf.outbox.settle(lease, (notice,), receipt(), attempt())

    shelf.outbox.settle(lease, (notice,), None, attempt())

    assert shelf.outbox.receipt(notice) == receipt()


def test_later_receipt_replaces_the_earlier(shelf: Shelf) -> None:
    [notice] = opened(shelf)
    lease = take(shelf.outbox)
    shelf.outbox.settle(lease, (notice,), receipt("1.0"), attempt())

    shelf.outbox.settle(lease, (notice,), receipt("2.0"), attempt())

    assert shelf.outbox.receipt(notice) == receipt("2.0")


def test_settling_leaves_what_came_meanwhile(shelf: Shelf) -> None:
    first = change(signal(1, severity=Severity.WARNING))
    shelf.book.commit(first)
    seen = shelf.outbox.pending(SLACK)
    shelf.book.commit(change(signal(2), after=first))

    shelf.outbox.settle(take(shelf.outbox), seen, receipt(), attempt())

    assert [notice.incident.version for notice in shelf.outbox.pending(SLACK)] == [2]


def test_overtaken_sender_settles_nothing(shelf: Shelf) -> None:
    [notice] = opened(shelf)
    late = take(shelf.outbox)
    take(shelf.outbox, "heir", at(EXPIRED))

    with pytest.raises(Unavailable, match="taken over"):
        shelf.outbox.settle(late, (notice,), receipt(), attempt())

    assert shelf.outbox.pending(SLACK) == (notice,)
    assert shelf.outbox.receipt(notice) is None


def test_expired_lease_that_nobody_took_still_settles(shelf: Shelf) -> None:
    [notice] = opened(shelf)
    lease = take(shelf.outbox)

    shelf.outbox.settle(lease, (notice,), receipt(), attempt())

    assert shelf.outbox.pending(SLACK) == ()


def test_more_notices_than_a_transaction_holds_are_settled(shelf: Shelf) -> None:
    first = change(signal(1))
    shelf.book.commit(first)
    [told] = [notice for notice in first.notices if notice.group == SLACK]
    for version in (2, 3):
        newer = [
            first.incident.model_copy(update={"version": version * 100 + number})
            for number in range(50)
        ]
        shelf.book.commit(
            Change(
                incident=first.incident.model_copy(update={"version": version}),
                expected_version=version - 1,
                notices=tuple(told.model_copy(update={"incident": each}) for each in newer),
                events=(f"event-{version}",),
                decided_at=NOW,
            )
        )
    every = shelf.outbox.pending(SLACK)
    assert len(every) == 101

    shelf.outbox.settle(take(shelf.outbox), every, receipt(), attempt())

    assert shelf.outbox.pending(SLACK) == ()


# ---- suspect, postpone ----


def test_missing_answer_makes_the_next_lease_suspect(shelf: Shelf) -> None:
    lease = take(shelf.outbox)
    shelf.outbox.suspect(lease)
    shelf.outbox.postpone(lease, at(5), 1, at(1))

    assert take(shelf.outbox, "next", at(5)).suspect is True


def test_clean_release_ends_the_suspicion(shelf: Shelf) -> None:
    lease = take(shelf.outbox)
    shelf.outbox.suspect(lease)
    shelf.outbox.release(lease)

    assert take(shelf.outbox, "next", at(5)).suspect is False


def test_suspicion_of_a_takeover_outlives_a_postponement(shelf: Shelf) -> None:
    take(shelf.outbox)
    heir = take(shelf.outbox, "heir", at(EXPIRED))
    shelf.outbox.postpone(heir, at(20), 1, at(EXPIRED))

    assert take(shelf.outbox, "third", at(20)).suspect is True


def test_overtaken_sender_cannot_cast_suspicion(shelf: Shelf) -> None:
    late = take(shelf.outbox)
    shelf.outbox.release(take(shelf.outbox, "heir", at(EXPIRED)))

    shelf.outbox.suspect(late)

    assert take(shelf.outbox, "third", at(EXPIRED + 1)).suspect is False


def test_postponed_group_is_busy_until_its_moment(shelf: Shelf) -> None:
    shelf.outbox.postpone(take(shelf.outbox), at(30), 0, NOW)

    assert shelf.outbox.acquire(SLACK, "early", at(29)) == Busy(until=at(30))
    assert take(shelf.outbox, "next", at(30)).suspect is False


def test_failures_are_remembered_until_a_clean_look(shelf: Shelf) -> None:
    shelf.outbox.postpone(take(shelf.outbox), at(1), 3, NOW)

    lease = take(shelf.outbox, "next", at(1))
    assert lease.failures == 3

    shelf.outbox.release(lease)
    assert take(shelf.outbox, "last", at(2)).failures == 0


def test_postponing_asks_for_a_re_wake(shelf: Shelf) -> None:
    assert shelf.outbox.postpone(take(shelf.outbox), at(30), 0, NOW) is True


def test_postponing_again_after_the_re_wake_asks_for_another(shelf: Shelf) -> None:
    shelf.outbox.postpone(take(shelf.outbox), at(30), 0, NOW)

    assert shelf.outbox.postpone(take(shelf.outbox, "b", at(30)), at(60), 0, at(30)) is True


def test_re_wake_under_way_that_comes_late_enough_is_enough(shelf: Shelf) -> None:
    shelf.outbox.postpone(take(shelf.outbox), at(30), 0, NOW)
    ahead = take(shelf.outbox, "b", at(31))

    clock_behind = at(29)
    assert shelf.outbox.postpone(ahead, at(30), 0, clock_behind) is False
    assert isinstance(shelf.outbox.acquire(SLACK, "c", at(29.5)), Busy)


def test_re_wake_under_way_that_comes_too_early_does_not_count(shelf: Shelf) -> None:
    shelf.outbox.postpone(take(shelf.outbox), at(30), 0, NOW)
    ahead = take(shelf.outbox, "b", at(31))

    assert shelf.outbox.postpone(ahead, at(45), 0, at(29)) is True


def test_overtaken_sender_cannot_postpone(shelf: Shelf) -> None:
    late = take(shelf.outbox)
    heir = take(shelf.outbox, "heir", at(EXPIRED))

    assert shelf.outbox.postpone(late, at(900), 9, at(EXPIRED)) is False

    assert shelf.outbox.acquire(SLACK, "x", at(EXPIRED + 1)) == Busy(until=heir.until)


def test_word_left_is_heard_by_the_re_wake(shelf: Shelf) -> None:
    lease = take(shelf.outbox)
    shelf.outbox.acquire(SLACK, "rival", at(1))
    shelf.outbox.postpone(lease, at(5), 0, at(2))

    assert shelf.outbox.release(take(shelf.outbox, "next", at(5))) is True


# ---- stale ----


def test_groups_with_old_notices_are_found_once_each(shelf: Shelf) -> None:
    opened(shelf)
    shelf.book.commit(change(signal(2, entity=GPU.model_copy(update={"device": "0000:5e:00"}))))

    groups = list(shelf.outbox.stale(NOW + timedelta(seconds=1)))

    assert len(groups) == len(set(groups)) == 3
    assert SLACK in groups


def test_fresh_notices_are_not_stale(shelf: Shelf) -> None:
    opened(shelf)

    assert list(shelf.outbox.stale(NOW)) == []


def test_settled_notices_are_not_stale(shelf: Shelf) -> None:
    pending = opened(shelf)
    shelf.outbox.settle(take(shelf.outbox), pending, receipt(), attempt())

    assert SLACK not in list(shelf.outbox.stale(at(60)))
