"""What the rules decide about a batch, and the account of it.

Items are spans, data points and log records. Of every batch

    received = kept + dropped + sampled + aggregated

holds exactly, in items. What aggregation writes in place of the items that it took is counted apart
(`emitted`), and so are span events, which are parts of spans.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reflexarc.events.otlp_batch import OtlpSignal

Action = Literal["drop", "sample", "aggregate", "redact", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """What one rule did to one batch. `size` counts bytes of protobuf, as they came."""

    rule: str
    action: Action
    matched: int = 0
    removed: int = 0
    size: int = 0
    emitted: int = 0
    events: int = 0
    errors: int = 0
    # What it would have removed: in shadow mode, or where a guard held an item back.
    shadowed: int = 0
    guarded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The exact account of one batch under one version of the rules."""

    signal: OtlpSignal
    version: int
    received: int
    received_size: int
    kept: int
    kept_size: int
    rules: tuple[RuleCount, ...] = ()
    guards: Mapping[str, int] = field(default_factory=dict)
    # Why points were not aggregated, by rule and reason.
    refusals: Mapping[str, int] = field(default_factory=dict)
    redacted: Mapping[str, int] = field(default_factory=dict)

    @property
    def removed(self) -> int:
        """Return how many items the rules took away."""
        return sum(rule.removed for rule in self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is kept of a batch: the very object that came in where nothing was taken away."""

    payload: bytes
    account: Account
