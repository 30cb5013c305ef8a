"""notify.ports.Outbox: what memory and DynamoDB both promise of leases, waits and old notices."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reflexarc.notify.model import LEASE, Busy, Lease
from reflexarc.notify.ports import Outbox
from tests.ports.conftest import Shelf
from tests.support.commits import later, told
from tests.support.notices import NOW, at, attempt, notice, page, receipt

SLACK = "slack/C0PAGES"
EXPIRED = LEASE.total_seconds()


def take(outbox: Outbox, owner: str = "me", now: datetime = NOW, group: str = SLACK) -> Lease:
    lease = outbox.acquire(group, owner, now)
    assert isinstance(lease, Lease), lease
    return lease


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


# ---- defer ----


def test_what_waits_for_its_pace_asks_for_a_re_wake(shelf: Shelf) -> None:
    assert shelf.outbox.defer(take(shelf.outbox), at(1.2), NOW) == "rewake"


def test_new_page_may_come_before_what_was_deferred(shelf: Shelf) -> None:
    shelf.outbox.defer(take(shelf.outbox), at(1.2), NOW)

    assert take(shelf.outbox, "next", at(0.1)) == Lease(
        group=SLACK, owner="next", until=at(0.1) + LEASE
    )


def test_wake_up_that_came_meanwhile_keeps_the_lease_and_is_heard(shelf: Shelf) -> None:
    lease = take(shelf.outbox)
    shelf.outbox.acquire(SLACK, "rival", at(1))

    assert shelf.outbox.defer(lease, at(3), at(2)) == "again"

    assert shelf.outbox.acquire(SLACK, "rival", at(2)) == Busy(until=NOW + LEASE)
    assert shelf.outbox.defer(lease, at(3), at(2)) == "again"
    assert shelf.outbox.defer(lease, at(3), at(2)) == "rewake"


@pytest.mark.parametrize("seconds", [0.5, 1.2, 2.0])
def test_one_re_wake_under_way_is_enough_for_what_is_deferred(shelf: Shelf, seconds: float) -> None:
    shelf.outbox.defer(take(shelf.outbox), at(1.2), NOW)

    lease = take(shelf.outbox, "next", at(0.1))

    assert shelf.outbox.defer(lease, at(seconds), at(0.1)) == "planned"
    assert take(shelf.outbox, "third", at(0.2))


def test_re_wake_that_comes_much_later_is_not_enough(shelf: Shelf) -> None:
    shelf.outbox.defer(take(shelf.outbox), at(10), NOW)

    assert shelf.outbox.defer(take(shelf.outbox, "b", at(1)), at(2), at(1)) == "rewake"


def test_deferring_again_after_the_re_wake_asks_for_another(shelf: Shelf) -> None:
    shelf.outbox.defer(take(shelf.outbox), at(1.2), NOW)

    assert shelf.outbox.defer(take(shelf.outbox, "b", at(1.2)), at(2.4), at(1.2)) == "rewake"


def test_clean_look_in_between_does_not_double_the_re_wake(shelf: Shelf) -> None:
    shelf.outbox.defer(take(shelf.outbox), at(1.2), NOW)
    assert shelf.outbox.release(take(shelf.outbox, "b", at(0.2))) is True

    assert shelf.outbox.defer(take(shelf.outbox, "c", at(0.4)), at(1.6), at(0.4)) == "planned"


def test_word_left_while_a_re_wake_is_under_way_keeps_the_lease(shelf: Shelf) -> None:
    shelf.outbox.defer(take(shelf.outbox), at(1.2), NOW)
    lease = take(shelf.outbox, "b", at(0.2))
    shelf.outbox.acquire(SLACK, "rival", at(0.3))

    assert shelf.outbox.release(lease) is False
    assert shelf.outbox.release(lease) is True


def test_clean_look_before_the_re_wake_ends_suspicion_and_failures(shelf: Shelf) -> None:
    shelf.outbox.postpone(take(shelf.outbox), at(1), 3, NOW)
    lease = take(shelf.outbox, "b", at(1))
    shelf.outbox.suspect(lease)
    shelf.outbox.defer(lease, at(5), at(2))
    doubted = take(shelf.outbox, "c", at(3))
    assert (doubted.suspect, doubted.failures) == (True, 0)

    shelf.outbox.release(doubted)

    assert take(shelf.outbox, "d", at(4)) == Lease(group=SLACK, owner="d", until=at(4) + LEASE)


def test_suspicion_of_a_takeover_outlives_a_deferral(shelf: Shelf) -> None:
    take(shelf.outbox)
    heir = take(shelf.outbox, "heir", at(EXPIRED))

    shelf.outbox.defer(heir, at(20), at(EXPIRED))

    assert take(shelf.outbox, "third", at(EXPIRED + 1)).suspect is True


def test_overtaken_sender_cannot_defer(shelf: Shelf) -> None:
    late = take(shelf.outbox)
    heir = take(shelf.outbox, "heir", at(EXPIRED))

    assert shelf.outbox.defer(late, at(20), at(EXPIRED)) == "planned"

    assert shelf.outbox.acquire(SLACK, "x", at(EXPIRED + 1)) == Busy(until=heir.until)


def test_group_that_was_released_by_its_heir_cannot_be_deferred(shelf: Shelf) -> None:
    late = take(shelf.outbox)
    shelf.outbox.release(take(shelf.outbox, "heir", at(EXPIRED)))

    assert shelf.outbox.defer(late, at(20), at(EXPIRED)) == "planned"

    assert take(shelf.outbox, "next", at(EXPIRED + 1)).suspect is False


# ---- stale ----


def test_groups_with_old_notices_are_found_once_each(shelf: Shelf) -> None:
    for each in (page(1), page(2)):
        shelf.book.commit(told(each))

    groups = list(shelf.outbox.stale(NOW + timedelta(seconds=1)))

    assert len(groups) == len(set(groups)) == 3
    assert SLACK in groups


def test_fresh_notices_are_not_stale(shelf: Shelf) -> None:
    shelf.book.commit(told(page()))

    assert list(shelf.outbox.stale(NOW)) == []


def test_settled_notices_are_not_stale(shelf: Shelf) -> None:
    shelf.book.commit(told(page()))
    [owed] = shelf.outbox.pending(SLACK)
    shelf.outbox.settle(take(shelf.outbox), owed, receipt(), attempt(), done=True)

    assert SLACK not in list(shelf.outbox.stale(at(60)))


def test_news_on_top_does_not_make_a_notice_young_again(shelf: Shelf) -> None:
    shelf.book.commit(told(page()))
    young = notice(created_at=at(50))
    shelf.book.commit(replace(told(later(page()), ()), notices=(young,)))
    shelf.book.mark(page(), at(55))

    assert SLACK in list(shelf.outbox.stale(at(30)))
    assert shelf.outbox.pending(SLACK)[0].created_at == NOW
