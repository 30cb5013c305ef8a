"""Counts one batch, rule by rule, while it is judged."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

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
        return RuleCount(**{each.name: getattr(self, each.name) for each in fields(self)})


class Named(Protocol):
    """What a rule is called, and what it does."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def action(self) -> Action:
        """Return its action."""
        ...


class Tally(dict[int, RuleTally]):
    """What rules did to one batch so far, by their place; only of those that did something."""

    def __init__(self, named: Sequence[Named]) -> None:
        super().__init__()
        self._named = named
        self.guards: Counter[str] = Counter()
        # Why points were not merged, by rule and reason.
        self.refusals: Counter[str] = Counter()
        # The spans or log records that each rule took, by their numbers in the batch.
        self.taken: Mapping[int, Sequence[int]] = {}

    def __missing__(self, rule: int) -> RuleTally:
        """Begin to count a rule."""
        about = self._named[rule]
        tally = self[rule] = RuleTally(about.name, about.action)
        return tally

    def remove(self, rule: int, items: int, size: int) -> None:
        """Count items that a rule took away."""
        tally = self[rule]
        tally.removed += items
        tally.size += size

    def account(
        self, signal: OtlpSignal, version: int, *, received: int, sizes: tuple[int, int]
    ) -> Account:
        """Return the account of a batch of so many items; sizes as it came, and as it is kept."""
        return Account(
            signal=signal,
            version=version,
            received=received,
            received_size=sizes[0],
            kept=received - sum(tally.removed for tally in self.values()),
            kept_size=sizes[1],
            rules=tuple(self[rule].count() for rule in sorted(self)),
            guards=dict(self.guards),
            refusals=dict(self.refusals),
        )
