"""The sender: looks at a delivery group until everything it owes is told, or planned for later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reflexarc.events.delivery import CANARY, Delivery, Outcome
from reflexarc.events.notice import ChannelKind
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import rules
from reflexarc.notify.config import Pacing
from reflexarc.notify.look import Left, Look
from reflexarc.notify.model import Busy, Lease
from reflexarc.notify.ports import (
    DeadLetters,
    Journal,
    Outbox,
    Pages,
    ReWakes,
    Sender,
    Undeliverable,
)


@dataclass(frozen=True, kw_only=True)
class DeliveryService:
    """Brings channels up to date on the pages that the outbox says they are behind on.

    Every look at a group sends, schedules another look, or finds the group clean.
    """

    outbox: Outbox
    pages: Pages
    senders: Mapping[ChannelKind, Sender]
    re_wakes: ReWakes
    undeliverable: Undeliverable
    dead_letters: DeadLetters
    journal: Journal
    clock: Clock
    new_owner: Callable[[], str]
    pacing: Pacing = field(default_factory=Pacing)

    def handle(self, deliveries: Sequence[Delivery]) -> tuple[Outcome, ...]:
        """Look once at every group that these wake-ups name; never raise.

        A retry is asked for only when not even a later look could be stored and planned.
        """
        deadline = self.clock() + self.pacing.budget
        looked: dict[str, Outcome] = {}
        return tuple(self._handle(delivery, deadline, looked) for delivery in deliveries)

    def look(self, group: str, deadline: datetime) -> None:
        """Serve the group until it is clean or the deadline has passed.

        Raises Unavailable when the outbox or the re-wake fails: only a redelivery can help. Who
        gives a lease back and gets no answer may have lost it, and can plan no look of its own.
        """
        lease = self.outbox.acquire(group, self.new_owner(), self.clock())
        if isinstance(lease, Busy):
            return
        look = self._look(lease, deadline)
        while not look.late:
            left = self._served(look)
            if left is None or (not left.again and self._gave_back(lease, left.earliest)):
                return
        self._postpone(lease, timedelta(0), failures=0)

    def _handle(
        self, delivery: Delivery, deadline: datetime, looked: dict[str, Outcome]
    ) -> Outcome:
        message_id = delivery.message_id
        try:
            group = rules.group_to_look_at(delivery.body)
        except Rejected as error:
            return self._reject(delivery, str(error))
        if group is None:
            return Outcome(message_id=message_id, status="done", reason=CANARY)
        if group not in looked:
            looked[group] = self._look_safely(group, deadline, message_id)
        seen = looked[group]
        return Outcome(message_id=message_id, status=seen.status, reason=seen.reason)

    def _reject(self, delivery: Delivery, reason: str) -> Outcome:
        try:
            self.dead_letters.keep(delivery, reason)
        except Unavailable as error:
            return Outcome(message_id=delivery.message_id, status="retry", reason=str(error))
        return Outcome(message_id=delivery.message_id, status="rejected", reason=reason)

    def _look_safely(self, group: str, deadline: datetime, message_id: str) -> Outcome:
        try:
            self.look(group, deadline)
        except Exception as error:  # noqa: BLE001 - one group's bug must not stop the others' pages
            reason = f"{type(error).__name__}: {error}"
            self.journal.failing(group, reason, 1)
            return Outcome(message_id=message_id, status="retry", reason=reason)
        return Outcome(message_id=message_id, status="done")

    def _look(self, lease: Lease, deadline: datetime) -> Look:
        return Look(
            lease=lease,
            deadline=deadline,
            outbox=self.outbox,
            pages=self.pages,
            senders=self.senders,
            undeliverable=self.undeliverable,
            journal=self.journal,
            clock=self.clock,
        )

    def _served(self, look: Look) -> Left | None:
        """Tell all there is to tell now; None when that failed, and another look is planned."""
        try:
            return look.serve()
        except RateLimited as error:
            self.journal.failing(look.lease.group, str(error), 0)
            wait = rules.patience(error.retry_after, self.pacing.longest)
            self._postpone(look.lease, wait, failures=0)
        except Ambiguous as error:
            self.outbox.suspect(look.lease)
            self._back_off(look, self.pacing.recheck, str(error))
        except Unavailable as error:
            self._back_off(look, self.pacing.backoff, str(error))
        return None

    def _gave_back(self, lease: Lease, earliest: datetime | None) -> bool:
        """Give the lease back, with a re-wake for what waits for its pace; False: look again."""
        if earliest is None:
            return self.outbox.release(lease)
        now = self.clock()
        if earliest <= now:
            return False
        deferred = self.outbox.defer(lease, earliest, now)
        if deferred == "rewake":
            self.re_wakes.later(lease.group, earliest, now)
        return deferred != "again"

    def _back_off(self, look: Look, first: timedelta, reason: str) -> None:
        failures = look.failures
        self.journal.failing(look.lease.group, reason, failures + 1)
        wait = rules.backoff(first, failures, self.pacing.longest)
        self._postpone(look.lease, wait, failures=failures + 1)

    def _postpone(self, lease: Lease, wait: timedelta, failures: int) -> None:
        now = self.clock()
        if self.outbox.postpone(lease, now + wait, failures, now):
            self.re_wakes.later(lease.group, now + wait, now)
