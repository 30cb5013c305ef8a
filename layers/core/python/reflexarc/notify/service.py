"""The sender: looks at a delivery group until everything it owes is told, or planned for later."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.notice import ChannelKind, Notice
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import rules
from reflexarc.notify.config import Pacing
from reflexarc.notify.model import Attempt, Busy, Lease, Pending, Receipt
from reflexarc.notify.ports import DeadLetters, Journal, Outbox, ReWakes, Sender, Undeliverable


@dataclass(slots=True)
class _Look:
    """One visit to a delivery group: until when, and whether anything got through."""

    lease: Lease
    deadline: datetime
    progress: bool = False

    @property
    def failures(self) -> int:
        """Return the failures in a row so far; a message that got through ends the row."""
        return 0 if self.progress else self.lease.failures


@dataclass(frozen=True, slots=True)
class _Told:
    """What a vendor accepted, and how."""

    receipt: Receipt
    outcome: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class DeliveryService:
    """Tells people what the outbox owes them: in order, each generation once a channel.

    Every look at a group sends, schedules another look, or finds the group clean.
    """

    outbox: Outbox
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

        Raises Unavailable when the outbox or the re-wake fails: only a redelivery can help.
        """
        lease = self.outbox.acquire(group, self.new_owner(), self.clock())
        if isinstance(lease, Busy):
            return
        look = _Look(lease, deadline)
        try:
            clean = self._drain(look)
        except RateLimited as error:
            self.journal.failing(group, str(error), 0)
            wait = rules.patience(error.retry_after, self.pacing.longest)
            self._postpone(lease, wait, failures=0)
        except Ambiguous as error:
            self.outbox.suspect(lease)
            self._back_off(look, self.pacing.recheck, str(error))
        except Unavailable as error:
            self._back_off(look, self.pacing.backoff, str(error))
        else:
            if not clean:
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
            return Outcome(message_id=message_id, status="done", reason="canary")
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

    def _drain(self, look: _Look) -> bool:
        """Deliver all there is; True when the group is clean, False when time is up."""
        while self.clock() < look.deadline:
            for pending in rules.plan(self.outbox.pending(look.lease.group)):
                if self.clock() >= look.deadline:
                    return False
                self._deliver(look.lease, pending)
                look.progress = True
            if self.outbox.release(look.lease):
                return True
        return False

    def _deliver(self, lease: Lease, pending: Pending) -> None:
        notice = pending.latest
        # A generation triggers a channel once, and its row goes as its receipt comes: while the row
        # is there, no receipt is, and a page need not wait for that read.
        receipt = None if pending.opens else self.outbox.receipt(notice)
        if receipt is None and lease.suspect:
            receipt = self.senders[notice.channel.kind].find(notice)
        if rules.needless(notice, receipt):
            self._settle(lease, pending, receipt, self._attempt(notice, "folded"))
            return
        try:
            told = self._tell(notice, receipt)
        except Rejected as refusal:
            self._give_up(lease, pending, str(refusal))
            return
        attempt = self._attempt(notice, told.outcome, told.detail)
        hops = notice.incident.hops.model_copy(update={"delivered_at": attempt.at})
        paged = notice.action != "resolve" and (receipt is None or rules.raises(notice, receipt))
        latency = rules.latency_ms(notice, attempt.at) if paged else None
        attempt = replace(attempt, hops=hops, latency_ms=latency)
        self._settle(lease, pending, told.receipt, attempt)
        self.journal.delivered(notice, hops, latency)

    def _tell(self, notice: Notice, receipt: Receipt | None) -> _Told:
        sender = self.senders[notice.channel.kind]
        try:
            sent = sender.send(notice, receipt, self.clock())
        except Rejected as refusal:
            self.journal.refused(notice, str(refusal), lost=False)
            try:
                sent = sender.send(notice, receipt, self.clock(), plain=True)
            except Rejected as final:
                raise Rejected(f"{refusal}; as plain text: {final}") from final
            return _Told(sent, "plain", str(refusal))
        return _Told(sent, "updated" if receipt else "sent")

    def _give_up(self, lease: Lease, pending: Pending, reason: str) -> None:
        """Put aside what the vendor will never accept, so that the group goes on without it."""
        notice = pending.latest
        self.undeliverable.keep(notice, reason)
        self.journal.refused(notice, reason, lost=True)
        self._settle(lease, pending, None, self._attempt(notice, "undeliverable", reason))

    def _attempt(self, notice: Notice, outcome: str, detail: str = "") -> Attempt:
        return Attempt(
            channel=notice.channel.name,
            action=notice.action,
            outcome=outcome,
            detail=detail,
            at=self.clock(),
            latency_ms=None,
        )

    def _settle(
        self, lease: Lease, pending: Pending, receipt: Receipt | None, attempt: Attempt
    ) -> None:
        """Record what was sent. If that fails, the next look must first find out what was sent."""
        # An answer that got lost may have been a yes: settling twice is harmless, and cheaper
        # than a look that must find out.
        with suppress(Unavailable):
            self.outbox.settle(lease, pending.notices, receipt, attempt)
            return
        try:
            self.outbox.settle(lease, pending.notices, receipt, attempt)
        except Unavailable as error:
            raise Ambiguous(f"sent, but not recorded: {error}") from error

    def _back_off(self, look: _Look, first: timedelta, reason: str) -> None:
        failures = look.failures
        self.journal.failing(look.lease.group, reason, failures + 1)
        wait = rules.backoff(first, failures, self.pacing.longest)
        self._postpone(look.lease, wait, failures=failures + 1)

    def _postpone(self, lease: Lease, wait: timedelta, failures: int) -> None:
        now = self.clock()
        if self.outbox.postpone(lease, now + wait, failures, now):
            self.re_wakes.later(lease.group, now + wait, now)
