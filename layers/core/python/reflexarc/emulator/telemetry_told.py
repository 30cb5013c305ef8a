"""What became of the demo's telemetry, from the accounts and from what the backend holds. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reflexarc.emulator.report import Rule, Telemetry, Witness
from reflexarc.emulator.telemetry_due import Due, compared
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.accounting import Tally

# What a backend's stand-in calls the items of each signal.
_HELD: Mapping[OtlpSignal, str] = {"traces": "spans", "metrics": "points", "logs": "records"}


def told_of(
    due: Due,
    tallies: Sequence[Tally],
    took: Mapping[str, int],
    spans: Counter[bytes],
    *,
    requests: int,
    witness: Witness | None,
) -> Telemetry:
    """Return the report; `took` and `spans` are what the backend counted."""
    held = {signal: took.get(_HELD[signal], 0) for signal in due.sent}
    differs = compared(due, held, spans)
    return Telemetry(
        requests=requests,
        sent=dict(due.sent),
        due=dict(due.kept),
        held=held,
        rules=tuple(_rules(tallies)),
        guarded=_named(tallies, "guard."),
        redacted=_named(tallies, "redacted."),
        size=sum(each.numbers["received_size"] for each in tallies),
        kept_size=sum(each.numbers["kept_size"] for each in tallies),
        lost=differs.lost,
        doubled=differs.doubled,
        unwanted=differs.unwanted,
        leaked=took.get("leaks", 0),
        balanced=balanced(due, tallies),
        witness=witness,
    )


def balanced(due: Due, tallies: Iterable[Tally]) -> bool:
    """Return whether each signal's account adds up, and has all that was sent."""
    known = tuple(tallies)
    received = Counter({each.signal: each.numbers["received"] for each in known})
    return received == due.sent and all(each.balanced for each in known)


def _rules(tallies: Iterable[Tally]) -> Iterator[Rule]:
    """Yield what each rule did, whatever the signal."""
    found: dict[str, Counter[str]] = {}
    actions: dict[str, str] = {}
    for tally in tallies:
        for name, rule in tally.rules.items():
            found.setdefault(name, Counter()).update(rule.numbers)
            actions[name] = rule.action
    for name, numbers in found.items():
        yield Rule(
            rule=name,
            action=actions[name],
            removed=numbers["removed"],
            size=numbers["size"],
            emitted=numbers["emitted"],
            held_back=numbers["guarded"],
            shadowed=numbers["shadowed"],
        )


def _named(tallies: Iterable[Tally], prefix: str) -> dict[str, int]:
    """Return the totals under a prefix, without it."""
    found: Counter[str] = Counter()
    for tally in tallies:
        for name, number in tally.numbers.items():
            if name.startswith(prefix):
                found[name.removeprefix(prefix)] += number
    return dict(found)
