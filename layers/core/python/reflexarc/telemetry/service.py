"""Batches in, accounts out: the one entry point of telemetry_rules.

Message by message, so that memory holds one batch at a time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.forward import Forward
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.telemetry.accounting import Entry, settled
from reflexarc.telemetry.arriving import OURS, Arrival, inline, place_of, read
from reflexarc.telemetry.batches import BatchWork, Done, Policy
from reflexarc.telemetry.forwarding import Forwarder, anew
from reflexarc.telemetry.ports import DeadLetters, Ledger, Payloads

# What was accounted for before; the delivery is done, and nothing of it was sent on again.
KNOWN = "accounted for before"
_NO_TIME = "no time was left in this invocation"


Message = Forward | tuple[Arrival, ...]
# What was accounted for, with the parts of it that wait.
Known = dict[str, frozenset[str]]
Status = Literal["done", "rejected", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryService:
    """Takes what its two queues deliver.

    `report` is told what became of each batch. `hurried`: no further message may be begun.
    """

    work: BatchWork
    forwarder: Forwarder
    payloads: Payloads
    ledger: Ledger
    dead_letters: DeadLetters
    report: Callable[[Done], None]
    policy: Callable[[], Policy]
    bucket: str
    clock: Clock
    hurried: Callable[[], bool]

    def react(self, deliveries: Sequence[Delivery]) -> tuple[Outcome, ...]:
        """Return what became of each message; a retry only where waiting can help."""
        policy = self.policy()
        # Each is let go when its turn comes: together they are as large as an invocation may be.
        messages = deque(self._read(each) for each in deliveries)
        read_ids = [
            message_id
            for message in messages
            if not isinstance(message, Rejected)
            for message_id in _ids(message)
        ]
        try:
            known = dict(self.ledger.known(read_ids))
        except Unavailable as error:
            return tuple(_outcome(each, "retry", str(error)) for each in deliveries)
        return tuple(self._one(each, messages.popleft(), known, policy) for each in deliveries)

    def _read(self, delivery: Delivery) -> Message | Rejected:
        try:
            message = read(delivery, self.bucket)
        except Rejected as error:
            return error
        if isinstance(message, Forward) and not message.attempt:
            return anew(message, delivery.message_id, self.clock())
        return message

    def _one(
        self,
        delivery: Delivery,
        message: Message | Rejected,
        known: Known,
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

    def _batch(self, arrival: Arrival, delivery: Delivery, known: Known, policy: Policy) -> bool:
        """Do one batch, unless it was accounted for; what was handed in by bucket goes then."""
        fresh = arrival.id not in known
        if fresh:
            done = self.work.done(arrival, policy, again=delivery.receives - 1)
            if self._settle(done.entry, known):
                self.report(done)
        if arrival.place is not None:
            self.payloads.drop(arrival.place.key)
        return fresh

    def _again(
        self, forward: Forward, delivery: Delivery, known: Known, policy: Policy
    ) -> list[bool]:
        """Try once more what a backend did not take."""
        place, now = place_of(forward, self.bucket, OURS), self.clock()
        if forward.batch and forward.batch not in known:
            self.forwarder.wait(forward)
            return [True]
        fresh = forward.id not in known and _is_waited_for(forward, known)
        if fresh:
            body = self.payloads.read(place) if place else inline(forward.payload)
            backend = policy.forwarding.backend(forward.backend)
            sent = self.forwarder.again(forward, backend, body, again=delivery.receives - 1)
            waits = forward.id in sent.waits
            if waits and forward.attempt:
                return [True]
            # What an operator sent waits from now on, and is over under its own name later.
            name = f"{forward.id}.waits" if waits else forward.id
            entry = settled(name, forward.signal, sent, now, version=policy.version)
            self._settle(entry, known)
        if place is not None and not place.key.startswith("dead/"):
            self.payloads.drop(place.key)
        return [fresh]

    def _settle(self, entry: Entry, known: Known) -> bool:
        """Account for something; False where somebody else had it in hand too, and was faster."""
        fresh = self.ledger.settle(entry, self.clock())
        if not fresh:
            self.ledger.resent(entry)
        # The same may be in hand once more, under another message of this very batch.
        known[entry.id] = frozenset(entry.waits)
        return fresh

    def _reject(self, delivery: Delivery, reason: str) -> Outcome:
        try:
            self.dead_letters.keep(delivery, reason)
        except Unavailable as error:
            return _outcome(delivery, "retry", str(error))
        return _outcome(delivery, "rejected", reason)


def _is_waited_for(forward: Forward, known: Known) -> bool:
    """Return whether a part waits by its batch's account; what an operator sends is of no batch."""
    return not forward.batch or forward.id in known[forward.batch]


def _ids(message: Message) -> Iterable[str]:
    if isinstance(message, Forward):
        return filter(None, (message.id, message.batch))
    return (each.id for each in message)


def _outcome(delivery: Delivery, status: Status, reason: str = "") -> Outcome:
    return Outcome(message_id=delivery.message_id, status=status, reason=reason)
