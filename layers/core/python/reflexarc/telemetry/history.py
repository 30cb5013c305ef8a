"""What rules did in the last day and the last week, out of the accounts of those hours. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from reflexarc.telemetry.accounting import Row, tallied
from reflexarc.telemetry.backends import Backend
from reflexarc.telemetry.savings import saved

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(slots=True)
class Sum:
    """What a rule came to in some time; `usd` is None where a price is not known."""

    numbers: Counter[str] = field(default_factory=Counter)
    usd: Decimal | None = Decimal(0)

    def add(self, numbers: Mapping[str, int], usd: Decimal | None) -> None:
        """Add what it did under one version to telemetry of one signal."""
        self.numbers.update(numbers)
        if numbers.get("size"):
            self.usd = None if usd is None or self.usd is None else self.usd + usd


@dataclass(slots=True)
class Span:
    """What came and stayed in some time, and what each rule did."""

    received: int = 0
    received_size: int = 0
    kept: int = 0
    # What redaction found, by kind, and what guards kept from rules, by who reads it.
    redacted: Counter[str] = field(default_factory=Counter)
    guards: Counter[str] = field(default_factory=Counter)
    rules: dict[str, Sum] = field(default_factory=dict)

    def of(self, rule: str) -> Sum:
        """Return what a rule did; nothing where it did nothing."""
        return self.rules.get(rule) or Sum()


def history(
    rows: Iterable[Row], backends: Sequence[Backend], now: datetime
) -> Mapping[timedelta, Span]:
    """Return what was done in the last day and the last week, to the hour."""
    read = list(rows)
    return {
        length: _span(
            [row for row in read if row.hour > now - length - timedelta(hours=1)], backends
        )
        for length in (DAY, WEEK)
    }


def _span(rows: Iterable[Row], backends: Sequence[Backend]) -> Span:
    span = Span()
    for tally in tallied(rows):
        span.received += tally.numbers["received"]
        span.received_size += tally.numbers["received_size"]
        span.kept += tally.numbers["kept"]
        span.redacted.update(_named(tally.numbers, "redacted."))
        span.guards.update(_named(tally.numbers, "guard."))
        worth = saved(tally, backends)
        for name, rule in tally.rules.items():
            found = worth[name]
            # Where one price of several is not known, the sum of the others would be too low.
            usd = None if found.unknown else found.usd
            span.rules.setdefault(name, Sum()).add(rule.numbers, usd)
    return span


def _named(numbers: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): number
        for name, number in numbers.items()
        if name.startswith(prefix)
    }
