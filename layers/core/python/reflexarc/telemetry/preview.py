"""What rules would do to telemetry that was recorded, by the same compiled code. Changes nothing.

Rules in shadow are judged as if they were live: a preview asks what they would do then.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.otlp.validity import judged
from reflexarc.engines.redact.model import Redacted
from reflexarc.engines.redact.policy import TRIAL_SALT
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.events.reads import Read
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.orphans import Families
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import SIGNALS, Judgement, RuleSet
from reflexarc.telemetry.short_text import in_short
from reflexarc.telemetry.single_items import item_at
from reflexarc.telemetry.times import times_of

Redact = Callable[[OtlpSignal, bytes], Redacted]
_COUNTED = ("matched", "removed", "size", "emitted", "events", "errors", "guarded")
# Items of a batch that are looked at for an example; most of what a rule takes looks alike.
_TRIED = 10


@dataclass(slots=True, kw_only=True)
class Forecast:
    """What one rule would do to the telemetry of one signal.

    `size` is how many bytes of protobuf fewer there would be.
    """

    rule: Rule
    signal: OtlpSignal
    matched: int = 0
    removed: int = 0
    size: int = 0
    emitted: int = 0
    events: int = 0
    errors: int = 0
    guarded: int = 0
    # Spans that stay and whose parent it takes.
    orphans: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Volume:
    """How much telemetry of one signal was looked at, and how much of it would stay."""

    batches: int = 0
    received: int = 0
    received_size: int = 0
    removed: int = 0
    removed_size: int = 0
    invalid: int = 0


@dataclass(slots=True)
class Preview:
    """Takes batches, and knows what rules would have done to them.

    `redact` is what always runs before the rules; None for an archive, which is redacted already.
    `examples` is how many items a rule shows of those that it takes.
    """

    rules: RuleSet
    named: Mapping[str, Rule]
    redact: Redact | None = None
    examples: int = 3
    volumes: dict[OtlpSignal, Volume] = field(default_factory=dict)
    guards: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    _forecasts: dict[tuple[OtlpSignal, str], Forecast] = field(default_factory=dict)
    _families: Families = field(default_factory=Families)
    # Names of the rules of traces by the numbers that families know them by.
    _takers: dict[str, int] = field(default_factory=dict)

    def take(self, batch: Batch) -> None:
        """Take note of what the rules do to one batch; raises Rejected where it is none."""
        try:
            payload = self._readied(batch)
            judgement = self.rules.judge(batch.signal, payload)
        except Rejected as error:
            raise Rejected(f"{batch.where}: {error}") from error
        ready = Batch(signal=batch.signal, payload=payload, where=batch.where, at=batch.at)
        self._see_times(ready)
        self._count(ready, judgement)
        if batch.signal == "traces":
            rules = self._numbered(judgement)
            self._families.add(
                payload, {rules[rule]: items for rule, items in judgement.tally.taken.items()}
            )
        self._show(ready, judgement)

    def forecasts(self) -> list[Forecast]:
        """Return what every rule would do, by signal, in the order in which rules are asked."""
        orphans = self._families.orphans()
        names = {number: name for name, number in self._takers.items()}
        for number, count in orphans.items():
            self._forecast("traces", names[number]).orphans = count
        order = {name: place for place, name in enumerate(self.named)}
        return sorted(
            self._forecasts.values(),
            key=lambda each: (order[each.rule.name], SIGNALS.index(each.signal)),
        )

    def idle(self) -> list[Rule]:
        """Return the rules that met nothing at all; what redacts is not counted by rule."""
        met = {name for _, name in self._forecasts}
        return [
            rule for name, rule in self.named.items() if name not in met and rule.action != "redact"
        ]

    @property
    def window(self) -> timedelta | None:
        """Return how long a time the telemetry is of, as far as it says."""
        if self.first is None or self.last is None or self.last <= self.first:
            return None
        return self.last - self.first

    def _readied(self, batch: Batch) -> bytes:
        """Return a batch as it is when rules are asked: valid, and redacted."""
        payload = batch.payload
        if self.redact is not None:
            verdict = judged(payload, batch.signal)
            self._volume(batch.signal).invalid += verdict.rejected
            redacted = self.redact(batch.signal, verdict.payload)
            self.redacted.update(redacted.counts)
            payload = redacted.payload
        payload, counts = self.rules.redact(batch.signal, payload)
        self.redacted.update(counts)
        return payload

    def _see_times(self, batch: Batch) -> None:
        for moment in times_of(batch):
            self.first = min(self.first or moment, moment)
            self.last = max(self.last or moment, moment)

    def _volume(self, signal: OtlpSignal) -> Volume:
        return self.volumes.setdefault(signal, Volume())

    def _forecast(self, signal: OtlpSignal, name: str) -> Forecast:
        made = Forecast(rule=self.named[name], signal=signal)
        return self._forecasts.setdefault((signal, name), made)

    def _count(self, batch: Batch, judgement: Judgement) -> None:
        volume = self._volume(batch.signal)
        volume.batches += 1
        volume.received += judgement.received
        volume.received_size += len(batch.payload)
        for tally in judgement.tally.values():
            volume.removed += tally.removed
            volume.removed_size += tally.size
            forecast = self._forecast(batch.signal, tally.rule)
            for name in _COUNTED:
                setattr(forecast, name, getattr(forecast, name) + getattr(tally, name))
        self._count_written(batch, judgement)
        self.guards.update(judgement.tally.guards)
        self.refusals.update(judgement.tally.refusals)

    def _count_written(self, batch: Batch, judgement: Judgement) -> None:
        """Take what stands in the place of merged points from what their rules save."""
        writing = [tally for tally in judgement.tally.values() if tally.emitted]
        if not writing or judgement.parts is None:
            return
        gone = sum(tally.size for tally in judgement.tally.values())
        kept = len(spliced(judgement.parts, judgement.changed))
        written = max(0, kept - (len(batch.payload) - gone))
        points = sum(tally.emitted for tally in writing)
        for tally in writing:
            own = written * tally.emitted // points
            self._forecast(batch.signal, tally.rule).size -= own
            self._volume(batch.signal).removed_size -= own

    def _numbered(self, judgement: Judgement) -> Mapping[int, int]:
        """Return the number by which families know each rule that took spans."""
        return {
            rule: self._takers.setdefault(judgement.tally[rule].rule, len(self._takers))
            for rule in judgement.tally.taken
        }

    def _show(self, batch: Batch, judgement: Judgement) -> None:
        """Keep examples of what rules take, a few attempts a batch until each has enough."""
        if judgement.parts is None:
            return
        for item in self._candidates(batch.signal, judgement):
            found = item_at(batch, judgement.parts, item)
            text = in_short(batch.signal, found.message)
            for tally in self.rules.judge(batch.signal, found.request).tally.values():
                if tally.removed and self._wants(batch.signal, tally.rule):
                    examples = self._forecast(batch.signal, tally.rule).examples
                    if text not in examples:
                        examples.append(text)

    def _candidates(self, signal: OtlpSignal, judgement: Judgement) -> set[int]:
        """Return a few items that went, by rules that have too few examples."""
        wanting = [
            rule
            for rule, tally in judgement.tally.items()
            if tally.removed and self._wants(signal, tally.rule)
        ]
        taken = judgement.tally.taken
        found = {item for rule in wanting for item in list(taken.get(rule, ()))[:_TRIED]}
        # Of metrics points go, and nobody notes whose.
        return found or set(list(judgement.changed)[:_TRIED] if wanting else ())

    def _wants(self, signal: OtlpSignal, rule: str) -> bool:
        return len(self._forecast(signal, rule).examples) < self.examples


def previewing(
    rules: Sequence[Rule],
    reads: Iterable[Read],
    today: date,
    *,
    redact: Redact | None = None,
    examples: int = 3,
) -> Preview:
    """Return a preview of rules as if none were in shadow; raises Rejected as a RuleSet does."""
    live = [rule.model_copy(update={"shadow": False}) for rule in rules]
    compiled = RuleSet(live, reads, version=0, today=today, salt=TRIAL_SALT)
    ordered = sorted(rules, key=lambda rule: rule.priority)
    return Preview(compiled, {rule.name: rule for rule in ordered}, redact, examples)
