"""Builds what telemetry_rules calls, apart from `wiring`: the page path imports none of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.runtime.observability import report


@dataclass(frozen=True, slots=True)
class _NotYet:
    """Puts every message back: the rules are being built."""

    def react(self, deliveries: Iterable[Delivery]) -> tuple[Outcome, ...]:
        """Return every message to its queue."""
        return tuple(
            Outcome(message_id=each.message_id, status="retry", reason="no rules yet")
            for each in deliveries
        )


@cache
def telemetry_service() -> _NotYet:
    """Build what telemetry_rules calls."""
    return _NotYet()


def report_batch(outcomes: Iterable[Outcome]) -> None:
    """Log and count what became of a batch."""
    report(outcomes, done="TelemetryMessages", rejected="TelemetryRejected")
