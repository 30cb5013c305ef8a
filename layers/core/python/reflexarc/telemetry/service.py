"""Batches in, accounts out: the one entry point of telemetry_rules.

Message by message, so that memory holds one batch at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.forward import Forward
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.telemetry.accounting import Sent, settled
from reflexarc.telemetry.arriving import OURS, Arrival, inline, place_of, read
from reflexarc.telemetry.batches import BatchWork, Done, Policy
from reflexarc.telemetry.forwarding import Forwarder
from reflexarc.telemetry.ports import DeadLetters, Ledger, Payloads

# What was accounted for before; the delivery is done, and nothing of it was sent on again.
KNOWN = "accounted for before"
_NO_TIME = "no time was left in this invocation"


class Report(Protocol):
    """Is told what became of batches, for logs and metrics."""

    def done(self, done: Done) -> None:
        """Take note of one batch."""
        ...


Message = Forward | tuple[Arrival, ...]
Status = Literal["done", "rejected", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryService:
    """Takes what its two queues deliver. `hurried`: no further message may be begun."""

    work: BatchWork
    forwarder: Forwarder
    payloads: Payloads
    ledger: Ledger
    dead_letters: DeadLetters
    report: Report
    policy: Callable[[], Policy]
    bucket: str
    clock: Clock
    hurried: Callable[[], bool]

    def react(self, deliveries: Sequence[Delivery]) -> tuple[Outcome, ...]:
        """Return what became of each message; a retry only where waiting can help."""
        policy = self.policy()
        messages = {each.message_id: self._read(each) for each in deliveries}
        read_ids = [
            message_id
            for message in messages.values()
            if not isinstance(message, Rejected)
            for message_id in _ids(message)
        ]
        try:
            known = self.ledger.known(read_ids)
        except Unavailable as error:
            return tuple(_outcome(each, "retry", str(error)) for each in deliveries)
        return tuple(
            self._one(each, messages[each.message_id], known, policy) for each in deliveries
        )

    def _read(self, delivery: Delivery) -> Message | Rejected:
        try:
            return read(delivery, self.bucket)
        except Rejected as error:
            return error

    def _one(
        self,
        delivery: Delivery,
        message: Message | Rejected,
        known: frozenset[str],
        policy: Policy,
    ) -> Outcome:
        if self.hurried():
            return _outcome(delivery, "retry", _NO_TIME)
        try:
            if isinstance(message, Rejected):
                raise message
            if isinstance(message, Forward):
                fresh = self._again(message, delivery, known, policy)
            else:
                fresh = [self._batch(each, delivery, known, policy) for each in message]
            reason = "" if not fresh or any(fresh) else KNOWN
            return _outcome(delivery, "done", reason)
        except Rejected as error:
            return self._reject(delivery, str(error))
        except Unavailable as error:
            return _outcome(delivery, "retry", str(error))

    def _batch(
        self, arrival: Arrival, delivery: Delivery, known: frozenset[str], policy: Policy
    ) -> bool:
        """Do one batch, unless it was accounted for; what was handed in by bucket goes then."""
        fresh = arrival.id not in known
        if fresh:
            done = self.work.done(arrival, policy, again=delivery.receives > 1)
            if self.ledger.settle(done.entry, self.clock()):
                self.report.done(done)
            else:
                # Somebody else had the same message in hand, and was faster.
                self.ledger.resent(done.entry)
        if arrival.place is not None:
            self.payloads.drop(arrival.place.key)
        return fresh

    def _again(
        self, forward: Forward, delivery: Delivery, known: frozenset[str], policy: Policy
    ) -> list[bool]:
        """Try once more what a backend did not take."""
        place = place_of(forward, self.bucket, OURS)
        fresh = forward.id not in known
        if fresh:
            body = self.payloads.read(place) if place else inline(forward.payload)
            backend = policy.forwarding.backend(forward.backend)
            sent = self.forwarder.again(forward, backend, body, again=delivery.receives > 1)
            if not sent.changes:
                # It waits on, and its body with it.
                return [True]
            now, name = self.clock(), _settled_as(forward, delivery, sent)
            entry = settled(name, forward.signal, sent, now, version=policy.version)
            self.ledger.settle(entry, now)
        if place is not None and not place.key.startswith("dead/"):
            self.payloads.drop(place.key)
        return [fresh]

    def _reject(self, delivery: Delivery, reason: str) -> Outcome:
        try:
            self.dead_letters.keep(delivery, reason)
        except Unavailable as error:
            return _outcome(delivery, "retry", str(error))
        return _outcome(delivery, "rejected", reason)


def _settled_as(forward: Forward, delivery: Delivery, sent: Sent) -> str:
    """Return the name under which an outcome counts once; only what was taken is over for good."""
    if sent.sent or sent.rejected:
        return forward.id
    return f"{forward.id}.{forward.attempt or delivery.message_id}"


def _ids(message: Message) -> Iterable[str]:
    return (message.id,) if isinstance(message, Forward) else (each.id for each in message)


def _outcome(delivery: Delivery, status: Status, reason: str = "") -> Outcome:
    return Outcome(message_id=delivery.message_id, status=status, reason=reason)
