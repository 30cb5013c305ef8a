"""Counts one batch, rule by rule, while it is judged."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.model import Account, Action, RuleCount


@dataclass(slots=True)
class RuleTally:
    """What one rule did so far; the fields are those of RuleCount."""

    rule: str
    action: Action
    matched: int = 0
    removed: int = 0
    size: int = 0
    emitted: int = 0
    events: int = 0
    errors: int = 0
    shadowed: int = 0
    guarded: int = 0

    def count(self) -> RuleCount:
        """Return it as it is published."""
        return RuleCount(**{name: getattr(self, name) for name in RuleTally.__slots__})

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to tell of it."""
        return not (self.matched or self.errors)


@dataclass(slots=True)
class Tally:
    """What all rules did to one batch so far."""

    rules: Sequence[RuleTally]
    guards: Counter[str] = field(default_factory=Counter)
    # Why points were not merged, by rule and reason.
    refusals: Counter[str] = field(default_factory=Counter)

    def remove(self, rule: int, items: int, size: int) -> None:
        """Count items that a rule took away."""
        self.rules[rule].removed += items
        self.rules[rule].size += size

    def account(
        self, signal: OtlpSignal, version: int, *, received: int, sizes: tuple[int, int]
    ) -> Account:
        """Return the account of a batch of so many items; sizes as it came, and as it is kept."""
        told = tuple(tally.count() for tally in self.rules if not tally.idle)
        return Account(
            signal=signal,
            version=version,
            received=received,
            received_size=sizes[0],
            kept=received - sum(tally.removed for tally in self.rules),
            kept_size=sizes[1],
            rules=told,
            guards=dict(self.guards),
            refusals=dict(self.refusals),
        )
