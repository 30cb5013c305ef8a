"""Remove any one safeguard of delivery, and a world that goes wrong shows what it was for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reflexarc.adapters.memory import outbox as memory
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.store import LeaseRow
from reflexarc.events.notice import Notice
from reflexarc.notify import pagerduty_plan, rules
from reflexarc.notify.model import Attempt, Busy, Lease, Receipt
from tests.support.histories import Chapters, live_through, live_through_one

SEEDS = range(40)
Mutant = Callable[[pytest.MonkeyPatch], None]


def no_lease(patch: pytest.MonkeyPatch) -> None:
    """Let a lease be over as soon as it is taken: two senders work on one group."""
    patch.setattr(memory, "LEASE", timedelta(0))


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Let a sender settle what another has taken over."""

    def anybody(outbox: MemoryOutbox, lease: Lease) -> LeaseRow:
        return outbox.store.leases.setdefault(lease.group, LeaseRow())

    patch.setattr(MemoryOutbox, "_held", anybody)


def no_suspicion(patch: pytest.MonkeyPatch) -> None:
    """Forget that an earlier sender died or got no answer."""
    acquire = MemoryOutbox.acquire

    def trusting(outbox: MemoryOutbox, group: str, owner: str, now: datetime) -> Lease | Busy:
        lease = acquire(outbox, group, owner, now)
        return lease if isinstance(lease, Busy) else replace(lease, suspect=False)

    patch.setattr(MemoryOutbox, "acquire", trusting)


def no_search(patch: pytest.MonkeyPatch) -> None:
    """Post without looking for what a dead sender may have posted."""
    patch.setattr(rules, "creates", lambda *_: False)


def no_suspected_alerts(patch: pytest.MonkeyPatch) -> None:
    """Believe that PagerDuty holds only what was recorded."""
    patch.setattr(pagerduty_plan, "suspected", lambda *_: None)


def no_stamp(patch: pytest.MonkeyPatch) -> None:
    """Remove a row although it was written anew while it was told."""
    settle = MemoryOutbox.settle

    def careless(
        outbox: MemoryOutbox,
        lease: Lease,
        notice: Notice,
        receipt: Receipt | None,
        attempt: Attempt | None,
        *,
        done: bool,
    ) -> bool:
        current = outbox.store.row(notice) or notice
        return settle(outbox, lease, current, receipt, attempt, done=done)

    patch.setattr(MemoryOutbox, "settle", careless)


def no_take(patch: pytest.MonkeyPatch) -> None:
    """Read members without saying so: a row that tells of members already is left alone."""
    patch.setattr(MemoryOutbox, "take", lambda outbox, _, notice: outbox.store.row(notice))


def no_wake(patch: pytest.MonkeyPatch) -> None:
    """Leave no word for the live holder of a lease."""
    acquire = MemoryOutbox.acquire

    def mute(outbox: MemoryOutbox, group: str, owner: str, now: datetime) -> Lease | Busy:
        lease = acquire(outbox, group, owner, now)
        if isinstance(lease, Busy):
            outbox.store.leases[group].wake = False
        return lease

    patch.setattr(MemoryOutbox, "acquire", mute)


def no_receipt_behind_fresh(patch: pytest.MonkeyPatch) -> None:
    """Let a row still say that nobody was told, although somebody was."""
    settle = MemoryOutbox.settle

    def forgetful(
        outbox: MemoryOutbox,
        lease: Lease,
        notice: Notice,
        receipt: Receipt | None,
        attempt: Attempt | None,
        *,
        done: bool,
    ) -> bool:
        before = outbox.store.row(notice)
        kept = settle(outbox, lease, notice, receipt, attempt, done=done)
        after = outbox.store.row(notice)
        if before is not None and after is not None:
            same = after.model_copy(update={"fresh": before.fresh})
            outbox.store.rows[notice.group][notice.row] = same
        return kept

    patch.setattr(MemoryOutbox, "settle", forgetful)


def bad_luck() -> None:
    """Go through worlds where everything may go wrong."""
    for seed in SEEDS:
        live_through(seed)


def races() -> None:
    """Let a node join, and its wake-up arrive, at each point of a sender's work in turn."""
    at_each_point("race", ("open", "crowd"), ("gang", "gang"))


def stalls() -> None:
    """Let a sender stand still after each of its posts in turn, and others work meanwhile."""
    at_each_point("stall", ("open",), ("ack", "rise", "resolve"))


def at_each_point(what: str, known: Chapters, unknown: Chapters) -> None:
    """Let one thing happen at each point of a sender's work in turn."""
    point = 0
    while live_through_one(what, point, known, unknown):
        point += 1


MUTANTS: dict[Mutant, Callable[[], None]] = {
    no_lease: bad_luck,
    no_fence: stalls,
    no_suspicion: bad_luck,
    no_search: bad_luck,
    no_suspected_alerts: bad_luck,
    no_stamp: races,
    no_take: races,
    no_wake: races,
    no_receipt_behind_fresh: bad_luck,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_it_a_promise_breaks(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)

    with pytest.raises(AssertionError):
        MUTANTS[mutant]()


@pytest.mark.parametrize("trouble", [races, stalls])
def test_with_all_of_them_no_moment_is_a_bad_one(trouble: Callable[[], None]) -> None:
    trouble()


@pytest.mark.parametrize(
    "what", ["die", "race", "burst", "closed", "limited", "broken", "refused", "lost"]
)
@pytest.mark.parametrize(
    ("known", "unknown"),
    [((), ("open", "crowd")), (("open",), ("rise", "resolve")), (("tale", "crowd"), ("heal",))],
)
def test_whatever_happens_once_does_no_harm_at_any_moment(
    what: str, known: Chapters, unknown: Chapters
) -> None:
    at_each_point(what, known, unknown)
