"""Messages of the signals queue in, outcomes out: the bad ones never stop the good ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


class _Header(Value):
    schema_: str = Field(alias="schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIntake:
    """Validates signal/1 messages and records them; what can never succeed is kept apart."""

    incidents: Recorder
    dead_letters: DeadLetters
    clock: Clock

    def react(self, deliveries: Iterable[Delivery]) -> tuple[Outcome, ...]:
        """Return one outcome a delivery, in their order."""
        deliveries = tuple(deliveries)
        refused: dict[str, Outcome] = {}
        found: dict[str, Signal] = {}
        for delivery in deliveries:
            try:
                if signal := self._signal(delivery):
                    found[delivery.message_id] = signal
            except Rejected as error:
                refused[delivery.message_id] = self._refuse(delivery, str(error))
        # SQS may deliver one message twice in a batch; an id counts once.
        distinct = {signal.id: signal for signal in reversed(found.values())}
        retry = self.incidents.record(tuple(distinct.values())) if distinct else frozenset()

        def outcome(message_id: str) -> Outcome:
            if message_id in refused:
                return refused[message_id]
            signal = found.get(message_id)
            if signal is not None and signal.id in retry:
                return Outcome(message_id=message_id, status="retry", reason="could not be stored")
            return Outcome(message_id=message_id, status="done")

        return tuple(outcome(delivery.message_id) for delivery in deliveries)

    def _signal(self, delivery: Delivery) -> Signal | None:
        """Return the signal of a delivery, stamped; None for a canary."""
        try:
            schema = _Header.model_validate_json(delivery.body).schema_
            if schema == "canary/1":
                return None
            if schema != "signal/1":
                raise Rejected(f"this queue takes signal/1, not {schema[:64]!r}")
            signal = Signal.model_validate_json(delivery.body)
        except ValidationError as error:
            raise Rejected(f"not a signal/1: {_problems(error)}") from error
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


def _problems(error: ValidationError) -> str:
    """Return the first problems in words, without the hostile input itself."""
    told, more = first_of(problems_of(error, "body"), PROBLEMS_MAX)
    return clip(told, TEXT_MAX) + more
