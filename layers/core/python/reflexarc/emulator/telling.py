"""Tells a person in a few lines what became of the demo's telemetry."""

from collections.abc import Iterator, Mapping

from reflexarc.emulator.report import Rule, Telemetry
from reflexarc.events.otlp_batch import OtlpSignal

ITEMS: Mapping[OtlpSignal, str] = {"traces": "spans", "metrics": "points", "logs": "records"}


def lines_of(told: Telemetry) -> Iterator[str]:
    """Yield what came, what each rule took, what was redacted and what arrived."""
    came = ", ".join(f"{number} {ITEMS[signal]}" for signal, number in told.sent.items())
    yield f"OTLP in {told.requests} requests: {came}; of the bytes, {share(told)} % go on"
    yield f"rules took: {', '.join(_taken(told.rules)) or 'nothing'}"
    redacted = ", ".join(f"{number} {kind}" for kind, number in sorted(told.redacted.items()))
    arrived = ", ".join(
        f"{told.held.get(signal, 0)} of {due} {ITEMS[signal]}" for signal, due in told.due.items()
    )
    yield f"redacted: {redacted or 'nothing'}; at the backend: {arrived}"
    if told.witness is not None:
        yield (
            f"Xid {told.witness.xid} of {told.witness.node} came from its agent and from Fluent "
            f"Bit: {_incidents(told.witness.incidents)}"
        )


def share(told: Telemetry) -> int:
    """Return how much of the bytes goes on, in a hundred."""
    return round(100 * told.kept_size / told.size) if told.size else 100


def verdict_of(told: Telemetry) -> str:
    """Return what went wrong between what the rules keep and what the backend holds."""
    wrong = f"lost {told.lost}   doubled {told.doubled}   kept against a rule {told.unwanted}"
    account = "exact" if told.balanced else "wrong"
    return f"{wrong}   secrets out {told.leaked}   account {account}"


def _taken(rules: tuple[Rule, ...]) -> Iterator[str]:
    for rule in rules:
        into = f" into {rule.emitted}" if rule.emitted else ""
        kept = f" ({rule.held_back} failures kept)" if rule.held_back else ""
        if rule.removed or rule.held_back:
            yield f"{rule.rule} {rule.removed}{into}{kept}"
        if rule.shadowed:
            yield f"{rule.rule} (shadow) would take {rule.shadowed}"


def _incidents(number: int) -> str:
    return "one incident" if number == 1 else f"{number} incidents"
