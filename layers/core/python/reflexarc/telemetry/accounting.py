"""The exact account of telemetry: what each message adds, once, and what an hour came to. Pure.

A message's numbers are written in one transaction with its id, so that they count once whatever is
delivered twice or dies in between. They are additions to rows of an hour; who reads sums the rows,
so a writer may choose freely which row it adds to, and writers do not wait for each other.
"""

import itertools
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import get_args

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.model import Account, Action, RuleCount

# Rows of rules hold about so many rules, so that a row stays small: a write costs by the KB.
RULES_A_ROW = 16
ROWS_MAX = 64
# What one update may say: an expression has 4 KB, and each addition takes ten of them.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
NUMBERS_A_ROW = 300
# A transaction has a hundred rows, and one of them is the ledger's.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
ROWS_AT_ONCE = 99
# Where rules that found no room in a transaction are counted, together.
REST = "(other rules)"
TOTALS = "T"
_OF_RULES = ("matched", "removed", "size", "emitted", "events", "errors", "shadowed", "guarded")
_ACTIONS: Mapping[str, Action] = {action: action for action in get_args(Action)}
_REMOVED: Mapping[Action, str] = {
    "drop": "dropped",
    "sample": "sampled",
    "aggregate": "aggregated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a batch at one backend, in items; bytes as they went over the wire.

    `waits`: the parts that were put back; no other part is to be sent when it comes.
    """

    backend: str
    sent: int = 0
    sent_bytes: int = 0
    requests: int = 0
    rejected: int = 0
    waiting: int = 0
    refused: int = 0
    resent: int = 0
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one message adds. `rows`: additions by the row's name, of this hour and version.

    `waits`: the parts of it that are to be sent when they come.
    """

    id: str
    hour: datetime
    signal: OtlpSignal
    version: int
    rows: Mapping[str, Mapping[str, int]]
    waits: tuple[str, ...] = ()


def entry_of(
    message_id: str,
    received_at: datetime,
    account: Account,
    sent: Sequence[Sent],
    *,
    rules: int,
    again: bool = False,
) -> Entry:
    """Return what a batch adds; `again`: it was delivered before, and may have been sent on."""
    totals = Counter(
        {
            "messages": 1,
            "received": account.received,
            "received_size": account.received_size,
            "kept": account.kept,
            "kept_size": account.kept_size,
        }
    )
    totals["redelivered"] = int(again)
    for guard, number in account.guards.items():
        totals[f"guard.{guard}"] += number
    for kind, number in account.redacted.items():
        totals[f"redacted.{kind}"] += number
    for rule in account.rules:
        totals["errors"] += rule.errors
        if removal := _REMOVED.get(rule.action):
            totals[removal] += rule.removed
        totals["emitted"] += rule.emitted
    for each in sent:
        totals.update(_of_backend(each))
    rows = {TOTALS: totals, **_rows_of(account.rules, rules)}
    return Entry(
        id=message_id,
        hour=_hour(received_at),
        signal=account.signal,
        version=account.version,
        rows={name: _told(numbers) for name, numbers in rows.items()},
        waits=tuple(part for each in sent for part in each.waits),
    )


def settled(
    forward_id: str, signal: OtlpSignal, sent: Sent, now: datetime, *, version: int
) -> Entry:
    """Return what it adds that a backend took what waited for it."""
    return Entry(
        id=forward_id,
        hour=_hour(now),
        signal=signal,
        version=version,
        rows={TOTALS: _told(_of_backend(sent))},
        waits=sent.waits,
    )


@dataclass(slots=True)
class Tally:
    """What some hours came to under one version of the rules."""

    signal: OtlpSignal
    version: int
    numbers: Counter[str] = field(default_factory=Counter)
    rules: dict[str, "RuleTally"] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Return whether received = kept + dropped + sampled + aggregated."""
        removed = sum(self.numbers[name] for name in _REMOVED.values())
        return self.numbers["received"] == self.numbers["kept"] + removed

    def backends(self) -> dict[str, Counter[str]]:
        """Return the numbers of each backend."""
        found: dict[str, Counter[str]] = {}
        for name, number in self.numbers.items():
            if name.startswith("to."):
                _, what, backend = name.split(".", 2)
                found.setdefault(backend, Counter())[what] += number
        return found


@dataclass(slots=True)
class RuleTally:
    """What one rule did in some hours."""

    rule: str
    action: Action
    numbers: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of an hour, as it is read back."""

    hour: datetime
    signal: OtlpSignal
    version: int
    name: str
    numbers: Mapping[str, int]


def tallied(rows: Iterable[Row]) -> tuple[Tally, ...]:
    """Return what rows come to, by signal and version."""
    found: dict[tuple[OtlpSignal, int], Tally] = {}
    for row in rows:
        key = row.signal, row.version
        tally = found.setdefault(key, Tally(signal=row.signal, version=row.version))
        if row.name == TOTALS:
            tally.numbers.update(row.numbers)
        else:
            _add_rules(tally, row.numbers)
    return tuple(found[key] for key in sorted(found))


def _add_rules(tally: Tally, numbers: Mapping[str, int]) -> None:
    for name, number in numbers.items():
        what, action, rule = name.split(".", 2)
        kept = tally.rules.setdefault(rule, RuleTally(rule, _ACTIONS[action]))
        kept.numbers[what] += number


def _rows_of(counts: Sequence[RuleCount], rules: int) -> dict[str, Counter[str]]:
    """Return what rules did, by row. A rule has one row among all, by its name."""
    pages = max(1, min(ROWS_MAX, -(-rules // RULES_A_ROW)))
    rows: dict[str, Counter[str]] = {}
    rest: Counter[str] = Counter()
    for count in counts:
        numbers = _of_rule(count, count.rule)
        if name := _room(rows, zlib.crc32(count.rule.encode()) % pages, len(numbers)):
            rows.setdefault(name, Counter()).update(numbers)
        else:
            rest.update(_of_rule(count, REST))
    if rest:
        rows["R.rest"] = rest
    return rows


def _room(rows: Mapping[str, Counter[str]], page: int, numbers: int) -> str:
    """Return the row of a page that has room; none where the transaction is full."""
    names = (f"R.{page:02d}.{chunk}" for chunk in itertools.count())
    name = next(each for each in names if len(rows.get(each, ())) + numbers <= NUMBERS_A_ROW)
    # The totals and the row of the rest need two more.
    return name if name in rows or len(rows) < ROWS_AT_ONCE - 2 else ""


def _of_rule(count: RuleCount, rule: str) -> dict[str, int]:
    found = {name: getattr(count, name) for name in _OF_RULES}
    return {f"{name}.{count.action}.{rule}": number for name, number in found.items() if number}


def _of_backend(sent: Sent) -> dict[str, int]:
    names = ("sent", "sent_bytes", "requests", "rejected", "waiting", "refused", "resent")
    return {f"to.{name}.{sent.backend}": getattr(sent, name) for name in names}


def _told(numbers: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in numbers.items() if number}


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
