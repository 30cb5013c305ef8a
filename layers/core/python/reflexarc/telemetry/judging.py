"""What becomes of each span and log record: guards first, then the first rule that holds.

An item that a guard holds back is kept whatever the rules say, and counted for the rule that would
have taken it. A rule in shadow counts what it would do, and leaves the item to the next rule.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reflexarc.engines.otlp.framing import Framed
from reflexarc.engines.otlp.wire import field_of, occurrences, without
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.model import Action
from reflexarc.telemetry.plan.clauses import Clause
from reflexarc.telemetry.plan.finding import Hits
from reflexarc.telemetry.plan.guarding import Judged
from reflexarc.telemetry.plan.items import ItemPlan
from reflexarc.telemetry.plan.whole import Whole
from reflexarc.telemetry.sampled_items import KEPT, sampled
from reflexarc.telemetry.tally import Tally

_ITEMS = 2  # the field of a scope that holds its items
_EVENTS = 11  # Span.events


@dataclass(frozen=True, slots=True)
class Deciding:
    """What a rule does to the items for which it holds."""

    name: str
    action: Action
    shadow: bool = False
    # Of sampling: below this randomness an item goes.
    threshold: int = 0


@dataclass(slots=True)
class Judge:
    """Judges spans or log records."""

    signal: OtlpSignal
    rules: Sequence[Deciding]
    plan: ItemPlan

    def changes(self, parts: Framed, hits: Hits, tally: Tally) -> dict[int, bytes | None]:
        """Return what becomes of items: None where one goes, else what stands in its place."""
        changed: dict[int, bytes | None] = {}
        gone: dict[int, list[int]] = {}
        for judged in self.plan.judged(parts, hits):
            rule = self._deciding(judged, parts, tally, changed)
            if rule >= 0:
                gone.setdefault(rule, []).append(judged[0])
        starts, ends = parts.starts, parts.ends
        for rule, items in gone.items():
            tally.remove(rule, len(items), sum([ends[item] - starts[item] for item in items]))
            changed.update(dict.fromkeys(items))
        tally.taken = gone
        for rule, errors in self.plan.errors.items():
            tally[rule].errors += errors
        return changed

    def _deciding(
        self, judged: Judged, parts: Framed, tally: Tally, changed: dict[int, bytes | None]
    ) -> int:
        """Return the rule that takes an item away, -1 where it stays."""
        on_events: list[Clause] = []
        for clause in self._holding(judged):
            if clause.part is not None:
                on_events.append(clause)
                continue
            rule, counts = self.rules[clause.rule], tally[clause.rule]
            counts.matched += 1
            left = None if rule.action == "drop" else self._left(rule, judged, parts)
            if left is not KEPT and (guard := self.plan.guards.holding(judged)):
                if left is None:
                    counts.guarded += 1
                    tally.guards[guard] += 1
                return -1
            if rule.shadow:
                counts.shadowed += left is None
                continue
            if left is None:
                return clause.rule
            if left is not KEPT:
                changed[judged[0]] = b"".join(field_of(_ITEMS, left))
            break
        if on_events:
            self._cut_events(on_events, judged, parts, tally, changed)
        return -1

    def _holding(self, judged: Judged) -> Iterator[Clause]:
        """Yield the clauses that hold, one of each rule, and all that ask of events."""
        _, fields, find, whole, numbers = judged
        clauses, last = self.plan.clauses, -1
        for number in numbers:
            clause = clauses[number]
            if clause.rule == last:
                continue
            test = clause.rest
            try:
                # Where no look is due, what is asked of attributes is known to hold.
                if test is not None and find is not None and not test(fields, find, whole):
                    continue
            except EvaluationError:
                clause.failed()
                continue
            if clause.part is None:
                last = clause.rule
            yield clause

    def _left(self, rule: Deciding, judged: Judged, parts: Framed) -> bytes | None:
        """Return what a rule that keeps or samples leaves of an item: None where it goes."""
        if rule.action == "keep":
            return KEPT
        item, fields = judged[:2]
        return sampled(self.signal, parts.item(item), fields, rule.threshold)

    def _cut_events(
        self,
        clauses: Sequence[Clause],
        judged: Judged,
        parts: Framed,
        tally: Tally,
        changed: dict[int, bytes | None],
    ) -> None:
        """Take away the events of a span that stays, unless a guard wants the span whole."""
        item = judged[0]
        met = self._met(clauses, judged[3])
        if not met:
            return
        if guard := self.plan.guards.holding(judged):
            tally.guards[guard] += 1
            for rule in met:
                tally[rule].guarded += 1
            return
        for rule, events in met.items():
            tally[rule].events += len(events)
        live = [events for rule, events in met.items() if not self.rules[rule].shadow]
        if live:
            # The item may carry a threshold by now.
            message = _message(changed[item]) if item in changed else parts.item(item)
            cut = without(message, _EVENTS, set[int]().union(*live))
            changed[item] = b"".join(field_of(_ITEMS, cut))

    def _met(self, clauses: Sequence[Clause], whole: Whole) -> dict[int, set[int]]:
        """Return the events of a span that each rule meets first; one in shadow leaves its own."""
        met: dict[int, set[int]] = {}
        try:
            left = set(range(whole.parts))
        except EvaluationError:
            for clause in clauses:
                clause.failed()
            return met
        for clause in clauses:
            events = {event for event in left if clause.holds_for(whole, event)}
            if events:
                met.setdefault(clause.rule, set()).update(events)
            if not self.rules[clause.rule].shadow:
                left -= events
        return met


def _message(item: bytes | None) -> bytes:
    """Return the message of a changed item, without its tag and length."""
    return occurrences(item or b"", _ITEMS)[0]
