"""Fault messages in, incidents out: the one entry point of the slice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reflexarc.events.delivery import CANARY, Delivery, Outcome
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.kinship import MARK, WITNESS, are_kin, faults_of
from reflexarc.gpu.messages import Kept, read
from reflexarc.gpu.ports import DeadLetters, Incidents, Senders
from reflexarc.gpu.signals import signals_of
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultService:
    """Reads fault messages, judges them, and hands all findings of a batch on in one call."""

    incidents: Incidents
    dead_letters: DeadLetters
    senders: Senders
    policy: Callable[[], GpuPolicy]
    clock: Clock

    def react(self, deliveries: Sequence[Delivery]) -> tuple[Outcome, ...]:
        """Return what became of each message; a retry only where waiting can help.

        What cannot be read is kept with its reason after the rest was recorded, so a message that
        is retried leaves nothing twice.
        """
        now = self.clock()
        policy = self.policy()
        bound: dict[tuple[str, str], bool] = {}
        readings = [self._read(delivery, policy, now, bound) for delivery in deliveries]
        again = self._record([signal for reading in readings for signal in reading.signals])
        return tuple(self._conclude(reading, again) for reading in readings)

    def _read(
        self,
        delivery: Delivery,
        policy: GpuPolicy,
        now: datetime,
        bound: dict[tuple[str, str], bool],
    ) -> "_Reading":
        try:
            batch = read(delivery)
            if batch is None:
                return _Reading(delivery=delivery, canary=True)
            mark = self._mark(batch.source.node, delivery, now, bound)
        except Rejected as error:
            return _Reading(delivery=delivery, unread=Kept(body=delivery.body, reason=str(error)))
        except Unavailable as error:
            return _Reading(delivery=delivery, retry=str(error))
        signals = signals_of(batch, delivery, policy, now)
        if not mark:
            return _Reading(delivery=delivery, signals=signals, unread=batch.unread)
        heard = faults_of(signals, mark)
        if delivery.witness:
            return _Reading(delivery=delivery, signals=heard, unread=batch.unread)
        refused = Kept(body=delivery.body, reason=f"a clear needs the node's own sender: {MARK}")
        unread = batch.unread if len(heard) == len(signals) else refused
        return _Reading(delivery=delivery, signals=heard, unread=unread)

    def _mark(
        self, node: str, delivery: Delivery, now: datetime, bound: dict[tuple[str, str], bool]
    ) -> str:
        """Return what faults of a sender that does not speak for the node are marked with."""
        if delivery.witness:
            return WITNESS
        return "" if self._speaks_for(node, delivery.sender, now, bound) else MARK

    def _speaks_for(
        self, node: str, sender: str, now: datetime, bound: dict[tuple[str, str], bool]
    ) -> bool:
        """Return whether a sender holds the node; raise Rejected for a stranger's claim.

        False is for a sender of the holder's role whose session says nothing about the machine.
        """
        who = (node, sender)
        if who not in bound:
            bound[who] = self.senders.speaks_for(node, sender, now)
        if not bound[who] and not are_kin(self.senders.holder(node), sender):
            raise Rejected(
                f"sender {sender or '(none)'} claims node {node}, which another sender speaks "
                "for; nothing of this message was used"
            )
        return bound[who]

    def _record(self, signals: list[Signal]) -> frozenset[str]:
        return self.incidents.record(signals) if signals else frozenset()

    def _conclude(self, reading: "_Reading", again: frozenset[str]) -> Outcome:
        message_id = reading.delivery.message_id
        if reading.retry:
            return Outcome(message_id=message_id, status="retry", reason=reading.retry)
        if any(signal.id in again for signal in reading.signals):
            return Outcome(message_id=message_id, status="retry", reason="not all was recorded")
        if reading.unread is None:
            reason = CANARY if reading.canary else ""
            return Outcome(message_id=message_id, status="done", reason=reason)
        unread = reading.unread
        try:
            self.dead_letters.keep(replace(reading.delivery, body=unread.body), unread.reason)
        except Unavailable as error:
            return Outcome(message_id=message_id, status="retry", reason=str(error))
        return Outcome(
            message_id=message_id,
            status="done" if reading.signals else "rejected",
            reason=unread.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What one message gave."""

    delivery: Delivery
    signals: tuple[Signal, ...] = ()
    unread: Kept | None = None
    retry: str = ""
    canary: bool = False
