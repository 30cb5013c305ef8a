"""What signals do to an incident and to the page that tells it, in three steps.

1. Every signal has one effect on the incident as it stands: it opens a generation, joins it,
   succeeds it (the node has rebooted since: that generation ends and the next one opens), is
   history (a fault that was already cleared, or no graver one of a boot that is over), resolves
   it, or comes too late to resolve it.
2. The effects of a batch form stages; a stage is one version of the incident. A new stage begins
   where a generation opens or resolves, so a batch of faults alone is one version.
3. Each stage is put into its page: it changes the page, or one member's row (placing.py).

Order: signals of one boot are ordered by their sequence number. Signals of different boots, and
signals without an order, are taken as they arrive: clocks decide nothing. The first fault of an
earlier boot therefore pages even if it comes late; missing a fault would be worse.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from reflexarc.events.incident import Incident
from reflexarc.events.signal import Signal
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.growth import effect_of, outlived, take
from reflexarc.incidents.limits import bounded
from reflexarc.incidents.model import IncidentWrite
from reflexarc.incidents.placing import place

# A new boot of a node whose GPUs read healthy: gpu_reading says it once a boot.
HEALTHY = "boot/healthy"
_STAMPS = {"sent_at", "hops", "first_at", "last_at", "marks", "clock_skew_s"}


def event_of(signal: Signal) -> str:
    """Return the ledger id of a signal; all that one message says of one thing share it."""
    return f"{signal.id}|{signal.entity.fingerprint}"


def in_order(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """Return the signals as their sources spoke, whatever the order in which they came.

    Boots go by the first thing seen of each, inside a boot the sequence number decides, and what
    one message says keeps its order (sorting is stable).
    """
    began: dict[str, datetime] = {}
    for signal in signals:
        if signal.order:
            seen = began.get(signal.order.boot_id, signal.hops.observed_at)
            began[signal.order.boot_id] = min(seen, signal.hops.observed_at)

    def place(signal: Signal) -> tuple[datetime, str, int, str]:
        order = signal.order
        if order is None:
            return signal.hops.observed_at, "", 0, signal.id
        return began[order.boot_id], order.boot_id, order.seq, signal.id

    return tuple(sorted(signals, key=place))


def distinct(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """Return the signals without those that a second delivery of a message repeats.

    A sender that got no answer sends its message again, and both copies may come in one batch,
    where the ledger cannot tell them apart. They differ in the stamps of their way alone.
    """
    counted = Counter(event_of(signal) for signal in signals)
    kept: dict[object, Signal] = {}
    for number, signal in enumerate(signals):
        event = event_of(signal)
        alone = counted[event] == 1
        kept.setdefault(number if alone else (event, _said(signal)), signal)
    return tuple(kept.values())


def _said(signal: Signal) -> str:
    return signal.model_dump_json(exclude=_STAMPS)


def is_needless(incident: Incident | None, signals: Sequence[Signal]) -> bool:
    """Return whether signals say that something is well of which nothing else is known.

    After each boot a node says so of every GPU; to remember it of all would be a waste.
    """
    broken = incident is not None and incident.state == "open"
    return not broken and all(signal.cause == HEALTHY for signal in signals)


def decide(draft: Draft, incident: Incident | None, signals: Sequence[Signal]) -> None:
    """Put into the draft what signals about one thing, in order and at least one, change.

    What one batch opens and ends again is told as its page shows it at the end.
    """
    now = draft.now
    expected = incident.version if incident else 0
    stages = 0
    current = before = incident

    def close(stage: Incident) -> Incident:
        nonlocal stages
        stages += 1
        numbered = stage.model_copy(update={"version": expected + stages})
        return place(draft, before, numbered)

    for raw in signals:
        signal = bounded(raw)
        effect = effect_of(current, signal)
        turns = effect in {"opens", "succeeds", "resolves"}
        if turns and current is not before and current is not None:
            current = before = close(current)
        if effect == "succeeds" and current is not None:
            current = before = close(outlived(current, signal, now))
            effect = "opens"
        current = take(effect, current, signal, now)
    if current is None or current is incident:
        raise ValueError("there is nothing to decide without signals")
    final = close(current)
    events = tuple(dict.fromkeys(event_of(signal) for signal in signals))
    draft.incidents.append(IncidentWrite(incident=final, expected=expected, events=events))
