"""Messages of the signals queue in, outcomes out: the bad ones never stop the good ones.

Signals are recorded in one call. Everything else that the queue carries (what people did, steps
that are due, checks of a node's silence) has a reader of its own, by the name of its message.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import Field, ValidationError

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.envelope import Value
from reflexarc.events.problems import first_of, problems_of
from reflexarc.events.signal import Signal
from reflexarc.incidents.limits import TEXT_MAX, clip
from reflexarc.incidents.ports import DeadLetters
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable

PROBLEMS_MAX = 5


class Recorder(Protocol):
    """Turns signals into incidents and pages."""

    def record(self, signals: Sequence[Signal]) -> frozenset[str]:
        """Record the signals; return the ids of those that must be sent again later."""


# Takes one message's body; raises Rejected where it makes no sense, Unavailable to get it again.
Reader = Callable[[Delivery], Sequence[Signal]]


class _Header(Value):
    schema_: str = Field(alias="schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIntake:
    """Validates signal/1 messages and records them; what can never succeed is kept apart."""

    incidents: Recorder
    dead_letters: DeadLetters
    clock: Clock
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """By schema: each does its work, and returns the signals that follow from it."""

    def react(self, deliveries: Iterable[Delivery]) -> tuple[Outcome, ...]:
        """Return one outcome a delivery, in their order."""
        deliveries = tuple(deliveries)
        refused: dict[str, Outcome] = {}
        found: dict[str, tuple[Signal, ...]] = {}
        for delivery in deliveries:
            try:
                found[delivery.message_id] = self._signals(delivery)
            except Rejected as error:
                refused[delivery.message_id] = self._refuse(delivery, str(error))
            except Unavailable as error:
                refused[delivery.message_id] = _again(delivery, str(error))
            except Exception as error:  # noqa: BLE001 - one message's bug must not stop the others
                reason = f"{type(error).__name__}: {error}"
                refused[delivery.message_id] = _again(delivery, reason)
        # SQS may deliver one message twice in a batch; an id counts once.
        distinct = {signal.id: signal for signals in reversed(found.values()) for signal in signals}
        retry = self.incidents.record(tuple(distinct.values())) if distinct else frozenset()

        def outcome(delivery: Delivery) -> Outcome:
            if delivery.message_id in refused:
                return refused[delivery.message_id]
            if any(signal.id in retry for signal in found[delivery.message_id]):
                return _again(delivery, "could not be stored")
            return Outcome(message_id=delivery.message_id, status="done")

        return tuple(outcome(delivery) for delivery in deliveries)

    def _signals(self, delivery: Delivery) -> tuple[Signal, ...]:
        """Return the signals of a delivery, stamped; none for a canary."""
        try:
            schema = _Header.model_validate_json(delivery.body).schema_
            if schema == "canary/1":
                return ()
            if schema in self.readers:
                return tuple(
                    self._stamped(each, delivery) for each in self.readers[schema](delivery)
                )
            if schema != "signal/1":
                takes = ", ".join(sorted({"signal/1", *self.readers}))
                raise Rejected(f"this queue takes {takes}, not {schema[:64]!r}")
            return (self._stamped(Signal.model_validate_json(delivery.body), delivery),)
        except ValidationError as error:
            raise Rejected(f"not what this queue takes: {_problems(error)}") from error

    def _stamped(self, signal: Signal, delivery: Delivery) -> Signal:
        queued_at = signal.hops.queued_at or delivery.queued_at
        stamps = {"queued_at": queued_at, "received_at": self.clock()}
        return signal.model_copy(update={"hops": signal.hops.model_copy(update=stamps)})

    def _refuse(self, delivery: Delivery, reason: str) -> Outcome:
        try:
            self.dead_letters.keep(delivery, reason)
        except Unavailable as error:
            reason = f"{reason}; and it could not be kept: {error}"
            return Outcome(message_id=delivery.message_id, status="retry", reason=reason)
        return Outcome(message_id=delivery.message_id, status="rejected", reason=reason)


def _again(delivery: Delivery, reason: str) -> Outcome:
    return Outcome(message_id=delivery.message_id, status="retry", reason=reason)


def _problems(error: ValidationError) -> str:
    """Return the first problems in words, without the hostile input itself."""
    told, more = first_of(problems_of(error, "body"), PROBLEMS_MAX)
    return clip(told, TEXT_MAX) + more
