"""notify.ports.Outbox over what a book commits: no news of a page is lost, none is told twice."""

from dataclasses import replace
from datetime import datetime

import pytest

from reflexarc.events.notice import Notice
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import LEASE, Lease
from tests.ports.conftest import Shelf
from tests.support.commits import joined, later, owing, told
from tests.support.notices import (
    NOW,
    PAGERDUTY,
    SLACK,
    at,
    attempt,
    member,
    notice,
    page,
    receipt,
    scope_of,
)

GROUP = "slack/C0PAGES"
PAGER = f"pagerduty/pagerduty/{scope_of(1)}"


def lease_of(shelf: Shelf, owner: str = "me", now: datetime = NOW, group: str = GROUP) -> Lease:
    lease = shelf.outbox.acquire(group, owner, now)
    assert isinstance(lease, Lease), lease
    return lease


def only(shelf: Shelf) -> Notice:
    [pending] = shelf.outbox.pending(GROUP)
    return pending


def opened(shelf: Shelf, *, fresh: bool = False) -> Notice:
    shelf.book.commit(told(page(), fresh=fresh))
    return only(shelf)


def shared(shelf: Shelf) -> Notice:
    """Return the notice of a page whose lead was told, and that somebody joined since."""
    shelf.book.commit(told(page(), ()))
    shelf.book.commit(joined(page(), member(2)))
    shelf.book.mark(page(), NOW)
    return only(shelf)


# ---- pending ----


def test_unknown_group_owes_nothing(shelf: Shelf) -> None:
    assert shelf.outbox.pending("slack/C404") == ()


def test_notices_come_in_row_order(shelf: Shelf) -> None:
    for each in (page(2), page(1, generation=10), page(1, generation=9)):
        shelf.book.commit(told(each))

    pending = shelf.outbox.pending(GROUP)

    expected = [(scope_of(1), 9), (scope_of(1), 10), (scope_of(2), 1)]
    assert [(each.page.scope, each.page.generation) for each in pending] == expected


def test_whatever_happens_to_a_page_there_is_one_row_a_channel(shelf: Shelf) -> None:
    versions = [page()]
    for state in ("acked", "closing", "resolved"):
        versions.append(later(versions[-1], state=state))
    for each in versions:
        shelf.book.commit(told(each))

    assert len(shelf.outbox.pending(GROUP)) == len(shelf.outbox.pending(PAGER)) == 1


def test_more_notices_than_a_page_all_come(shelf: Shelf) -> None:
    channel = SLACK.model_copy(update={"secret": '"' * 20_000})  # two bytes each in JSON
    for number in range(1, 41):
        shelf.book.commit(owing(notice(channel, about=page(number))))

    pending = shelf.outbox.pending(GROUP)

    rows = [each.row for each in pending]
    assert len(rows) == 40
    assert rows == sorted(rows)
    # A query answers at most 1 MB at once.
    assert sum(len(each.model_dump_json()) for each in pending) > 1_100_000


def test_every_change_of_a_page_gives_its_rows_a_new_stamp(shelf: Shelf) -> None:
    first = opened(shelf, fresh=True)

    shelf.book.commit(told(later(page(), severity=Severity.WARNING)))

    second = only(shelf)
    assert second.stamp != first.stamp
    assert (first.fresh, second.fresh) == (True, False)
    assert second.severity == Severity.WARNING


# ---- mark ----


def test_change_of_a_member_is_news_to_every_channel_of_its_page(shelf: Shelf) -> None:
    shelf.book.commit(told(page(), ()))

    assert shelf.book.mark(page(), at(9)) == {GROUP, PAGER}

    marked = only(shelf)
    assert marked == notice(shared=True, created_at=at(9), stamp=marked.stamp)


def test_row_that_says_so_already_is_left_alone(shelf: Shelf) -> None:
    before = shared(shelf)

    assert shelf.book.mark(page(), at(9)) == frozenset()

    assert only(shelf) == before


def test_row_that_tells_of_the_page_alone_learns_of_members_and_is_fresh_no_more(
    shelf: Shelf,
) -> None:
    before = opened(shelf, fresh=True)

    assert shelf.book.mark(page(), at(9)) == {GROUP, PAGER}

    after = only(shelf)
    assert (after.shared, after.fresh) == (True, False)
    assert after.stamp != before.stamp


def test_mark_by_an_older_view_of_the_page_does_not_lower_its_severity(shelf: Shelf) -> None:
    graver = later(page(severity=Severity.WARNING), severity=Severity.CRITICAL)
    shelf.book.commit(told(page(severity=Severity.WARNING)))
    shelf.book.commit(told(graver))

    shelf.book.mark(page(severity=Severity.WARNING), at(1))

    assert only(shelf).severity == Severity.CRITICAL


def test_change_of_the_page_does_not_forget_its_members(shelf: Shelf) -> None:
    shared(shelf)

    shelf.book.commit(told(later(page(), state="acked")))

    assert only(shelf).shared is True
    assert shelf.book.mark(page(), at(9)) == frozenset()


def test_only_channels_that_did_not_know_are_woken(shelf: Shelf) -> None:
    shared(shelf)
    lease = lease_of(shelf, group=PAGER)
    [owed] = shelf.outbox.pending(PAGER)
    shelf.outbox.settle(lease, owed, receipt(), None, done=True)

    assert shelf.book.mark(page(), at(9)) == {PAGER}


# ---- take ----


def test_taking_gives_a_new_stamp_and_changes_nothing_else(shelf: Shelf) -> None:
    before = shared(shelf)

    taken = shelf.outbox.take(lease_of(shelf), before)

    assert taken is not None
    assert taken.stamp != before.stamp
    assert taken == before.model_copy(update={"stamp": taken.stamp})
    assert only(shelf) == taken


def test_member_that_changes_after_take_writes_the_row_anew(shelf: Shelf) -> None:
    lease = lease_of(shelf)
    taken = shelf.outbox.take(lease, shared(shelf))
    assert taken is not None

    assert shelf.book.mark(page(), at(1)) == {GROUP}

    assert shelf.outbox.settle(lease, taken, receipt(), attempt(), done=True) is False
    assert only(shelf).stamp != taken.stamp
    assert shelf.book.mark(page(), at(2)) == frozenset()


def test_member_that_changes_while_the_row_was_taken_twice_is_still_news(shelf: Shelf) -> None:
    lease = lease_of(shelf)
    first = shelf.outbox.take(lease, shared(shelf))
    assert first is not None
    second = shelf.outbox.take(lease, first)
    assert second is not None

    assert shelf.book.mark(page(), at(1)) == {GROUP}


def test_row_that_is_gone_cannot_be_taken(shelf: Shelf) -> None:
    lease = lease_of(shelf)
    owed = shared(shelf)
    shelf.outbox.settle(lease, owed, receipt(), attempt(), done=True)

    assert shelf.outbox.take(lease, owed) is None
    assert shelf.outbox.pending(GROUP) == ()


def test_taking_sees_what_was_written_since_the_row_was_read(shelf: Shelf) -> None:
    seen = shared(shelf)
    graver = later(page(), severity=Severity.WARNING)
    shelf.book.commit(told(graver))

    taken = shelf.outbox.take(lease_of(shelf), seen)

    assert taken is not None
    assert taken.severity == Severity.WARNING
    assert shelf.outbox.settle(lease_of_again(shelf), taken, None, None, done=True) is True


def lease_of_again(shelf: Shelf) -> Lease:
    return lease_of(shelf, "heir", NOW + LEASE)


# ---- settle, receipt ----


def test_settled_notice_is_gone_and_its_receipt_stays(shelf: Shelf) -> None:
    owed = opened(shelf)
    assert shelf.outbox.receipt(owed) is None

    assert shelf.outbox.settle(lease_of(shelf), owed, receipt(), attempt(), done=True) is True

    assert shelf.outbox.pending(GROUP) == ()
    assert shelf.outbox.receipt(owed) == receipt()


def test_row_stays_until_the_channel_knows_all(shelf: Shelf) -> None:
    owed = opened(shelf)

    assert shelf.outbox.settle(lease_of(shelf), owed, receipt(), attempt(), done=False) is True

    assert only(shelf) == owed
    assert shelf.outbox.receipt(owed) == receipt()


def test_channel_with_a_receipt_is_not_fresh_to_the_next_sender(shelf: Shelf) -> None:
    owed = opened(shelf, fresh=True)
    lease = lease_of(shelf)

    shelf.outbox.settle(lease, owed, receipt(), attempt(), done=False)

    assert only(shelf) == owed.model_copy(update={"fresh": False})
    assert shelf.outbox.settle(lease, owed, receipt(), None, done=True) is True


def test_failed_attempt_leaves_a_fresh_notice_fresh(shelf: Shelf) -> None:
    owed = opened(shelf, fresh=True)

    shelf.outbox.settle(lease_of(shelf), owed, None, attempt("invalid_blocks"), done=False)

    assert only(shelf) == owed


def test_receipt_for_a_fresh_row_that_is_gone_is_kept_and_brings_no_row_back(shelf: Shelf) -> None:
    owed = opened(shelf, fresh=True)
    lease = lease_of(shelf)
    shelf.outbox.settle(lease, owed, None, None, done=True)

    assert shelf.outbox.settle(lease, owed, receipt(), attempt(), done=False) is True

    assert shelf.outbox.receipt(owed) == receipt()
    assert shelf.outbox.pending(GROUP) == ()


def test_receipt_is_of_one_generation_and_channel(shelf: Shelf) -> None:
    owed = opened(shelf)
    shelf.outbox.settle(lease_of(shelf), owed, receipt(), attempt(), done=True)

    assert shelf.outbox.receipt(notice(about=page(generation=2))) is None
    assert shelf.outbox.receipt(notice(about=page(2))) is None
    assert shelf.outbox.receipt(notice(PAGERDUTY)) is None


def test_settling_without_a_receipt_keeps_the_earlier_one(shelf: Shelf) -> None:
    owed = opened(shelf)
    lease = lease_of(shelf)
    shelf.outbox.settle(lease, owed, receipt(), attempt(), done=False)

    shelf.outbox.settle(lease, owed, None, None, done=True)

    assert shelf.outbox.receipt(owed) == receipt()


def test_later_receipt_replaces_the_earlier(shelf: Shelf) -> None:
    owed = opened(shelf)
    lease = lease_of(shelf)
    shelf.outbox.settle(lease, owed, receipt(vendor_id="1.0"), attempt(), done=False)

    shelf.outbox.settle(lease, owed, receipt(vendor_id="2.0"), attempt(), done=False)

    assert shelf.outbox.receipt(owed) == receipt(vendor_id="2.0")


def test_row_that_was_written_anew_stays_and_the_receipt_is_kept(shelf: Shelf) -> None:
    owed = opened(shelf)
    lease = lease_of(shelf)
    shelf.book.commit(told(later(page(), state="acked")))

    assert shelf.outbox.settle(lease, owed, receipt(), attempt(), done=True) is False

    again = only(shelf)
    assert again.stamp != owed.stamp
    assert shelf.outbox.receipt(owed) == receipt()
    assert shelf.outbox.settle(lease, again, receipt(), attempt(), done=True) is True
    assert shelf.outbox.pending(GROUP) == ()


def test_settling_a_row_twice_is_as_good_as_once(shelf: Shelf) -> None:
    owed = opened(shelf)
    lease = lease_of(shelf)

    for _ in range(2):
        assert shelf.outbox.settle(lease, owed, receipt(), attempt(), done=True) is True


def test_settling_leaves_other_pages_of_the_group(shelf: Shelf) -> None:
    owed = opened(shelf)
    shelf.book.commit(told(page(2)))

    shelf.outbox.settle(lease_of(shelf), owed, receipt(), attempt(), done=True)

    assert only(shelf).page == page(2).ref


@pytest.mark.parametrize("done", [True, False])
def test_overtaken_sender_settles_nothing(shelf: Shelf, *, done: bool) -> None:
    owed = opened(shelf, fresh=True)
    late = lease_of(shelf)
    lease_of(shelf, "heir", NOW + LEASE)

    with pytest.raises(Unavailable, match="taken over"):
        shelf.outbox.settle(late, owed, receipt(), attempt(), done=done)

    assert only(shelf) == owed
    assert shelf.outbox.receipt(owed) is None


def test_overtaken_sender_settles_no_row_that_was_written_anew_either(shelf: Shelf) -> None:
    owed = opened(shelf)
    late = lease_of(shelf)
    lease_of(shelf, "heir", NOW + LEASE)
    shelf.book.commit(told(later(page(), state="acked")))

    with pytest.raises(Unavailable, match="taken over"):
        shelf.outbox.settle(late, owed, receipt(), attempt(), done=True)

    assert shelf.outbox.receipt(owed) is None


def test_expired_lease_that_nobody_took_still_settles(shelf: Shelf) -> None:
    owed = opened(shelf)
    lease = replace(lease_of(shelf), until=at(-60))

    assert shelf.outbox.settle(lease, owed, receipt(), attempt(), done=True) is True

    assert shelf.outbox.pending(GROUP) == ()


def test_late_sender_that_takes_makes_its_heir_look_once_more(shelf: Shelf) -> None:
    late = lease_of(shelf)
    owed = shared(shelf)
    heir = lease_of(shelf, "heir", NOW + LEASE)
    taken = shelf.outbox.take(heir, owed)
    assert taken is not None

    shelf.outbox.take(late, owed)

    assert shelf.outbox.settle(heir, taken, receipt(), attempt(), done=True) is False
    again = shelf.outbox.take(heir, only(shelf))
    assert again is not None
    assert shelf.outbox.settle(heir, again, receipt(), attempt(), done=True) is True
