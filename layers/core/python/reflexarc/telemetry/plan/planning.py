"""Puts the plan of one signal together from the conditions of its rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from reflexarc.engines.otlp.shadow import POINTS
from reflexarc.engines.ottl.syntax import Compare, Condition
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import Answers, Clause
from reflexarc.telemetry.plan.finding import Finder
from reflexarc.telemetry.plan.fragments import test_of
from reflexarc.telemetry.plan.guarding import Guards
from reflexarc.telemetry.plan.index import PatternIndex
from reflexarc.telemetry.plan.items import SMALL, ItemPlan
from reflexarc.telemetry.plan.needs import NumberNeed, need_of, number_need_of, opposite_of
from reflexarc.telemetry.plan.numbers import WIRES, NumberIndex
from reflexarc.telemetry.plan.plainly import part_test, resource_test, scope_test
from reflexarc.telemetry.plan.slots import Header, slot_of
from reflexarc.telemetry.plan.terms import conjuncts, paths_of, sorted_by_price

# More keys of numbers than this cost more than reading the attributes of every item.
_NUMBER_KEYS_MAX = 4
_EVENT = "spanevent"


@dataclass(frozen=True, slots=True)
class Stated:
    """A condition of a rule: the rule's place by priority, the context, and the tree."""

    rule: int
    context: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Guarding:
    """A condition under which items stay, and who wants them."""

    who: str
    stated: Stated


def plan_of(
    signal: OtlpSignal,
    stated: Sequence[Stated],
    guards: Sequence[Guarding] = (),
    *,
    also: frozenset[str] = frozenset(),
    unsure: bool = False,
    small: int = SMALL,
) -> ItemPlan:
    """Return the plan for conditions in their order.

    `also` are plain fields that are read besides. `unsure` stands for the answer of a condition
    that raises; a guard that raises always holds.
    """
    errors: Counter[int] = Counter()
    answers = Answers()
    clauses = [clause_of(each, signal, errors, answers, unsure=unsure) for each in stated]
    watching = [
        (each.who, clause_of(each.stated, signal, Counter(), answers, unsure=True))
        for each in guards
    ]
    index, doubts = _Index(signal), _Doubts(_Index(signal))
    everywhere = [n for n, each in enumerate(stated) if not index.note(n, each.condition)]
    for each, clause in zip(stated, clauses, strict=True):
        clause.doubts = doubts.of_absence(each.condition)
    for guard, (_, clause) in zip(guards, watching, strict=True):
        clause.doubts = doubts.of_presence(guard.stated.condition)
    trees = [each.condition for each in (*stated, *(guard.stated for guard in guards))]
    headers = also.union(*(headers_of(tree, signal) for tree in trees))
    return ItemPlan(
        signal=signal,
        clauses=clauses,
        guards=Guards(watching),
        headers=headers | POINTS if signal == "metrics" else headers,
        finder=index.finder(),
        doubter=doubts.index.finder(),
        everywhere=everywhere,
        errors=errors,
        small=small,
    )


def clause_of(
    stated: Stated, signal: OtlpSignal, errors: Counter[int], answers: Answers, *, unsure: bool
) -> Clause:
    """Return a condition split by what it takes to judge it."""
    parts = sorted_by_price(stated.condition, signal)
    return Clause(
        rule=stated.rule,
        on_resource=[resource_test(each) for each in parts.resource],
        on_scope=[scope_test(each) for each in parts.scope],
        make_header=partial(test_of, parts.header, (), signal),
        make_rest=partial(test_of, parts.attributes, parts.whole, signal),
        # A condition on events that reads nothing of an event holds for all of them.
        part=part_test(parts.part, stated.context)
        if parts.part or stated.context == _EVENT
        else None,
        unsure=unsure,
        errors=errors,
        answers=answers,
    )


def headers_of(condition: Condition, signal: OtlpSignal) -> frozenset[str]:
    """Return the plain fields that a condition reads."""
    slots = (slot_of(path, signal) for path in paths_of(condition))
    return frozenset(slot.name for slot in slots if isinstance(slot, Header))


class _Index:
    """What each pattern finds, as conditions are added."""

    def __init__(self, signal: OtlpSignal) -> None:
        self.signal = signal
        self._patterns: dict[bytes, list[int]] = {}
        self._numbers: dict[bytes, NumberIndex] = {}

    def note(self, number: int, condition: Condition) -> bool:
        """Note what finds the items that may meet a condition; tell whether anything does."""
        need = need_of(condition, self.signal)
        if need is None or not need.value:
            for each in conjuncts(condition):
                compared = number_need_of(each, self.signal)
                if compared is not None and self._compare(number, compared):
                    return True
        if need is None:
            return False
        for pattern in need.patterns:
            self._patterns.setdefault(pattern, []).append(number)
        return True

    def finder(self) -> Finder:
        """Return what was noted, ready to find."""
        patterns = list(self._patterns)
        places = {pattern: place for place, pattern in enumerate(patterns)}
        return Finder(
            self.signal,
            PatternIndex(patterns),
            list(self._patterns.values()),
            {places[key]: numbers for key, numbers in self._numbers.items()},
        )

    def _compare(self, number: int, need: NumberNeed) -> bool:
        """Note a comparison with a number, where there is room for its key."""
        key = need.key.encode()
        if self.signal not in WIRES or not NumberIndex.takes(need.key, need.number):
            return False
        if key not in self._numbers and len(self._numbers) >= _NUMBER_KEYS_MAX:
            return False
        index = self._numbers.setdefault(key, NumberIndex(key))
        index.comparisons.append((need.comparator, need.number, number))
        self._patterns.setdefault(key, [])
        return True


class _Doubts:
    """Numbers what leaves open what a condition says of an item's attributes."""

    def __init__(self, index: _Index) -> None:
        self.index = index
        self._number = 0

    def of_absence(self, condition: Condition) -> frozenset[int] | None:
        """Return the doubts without which all that a clause asks of attributes holds.

        None where that can only be told by looking. It can be told of what must not be there.
        """
        parts = sorted_by_price(condition, self.index.signal)
        opposites = [opposite for each in parts.attributes if (opposite := opposite_of(each))]
        if parts.whole or not opposites or len(opposites) < len(parts.attributes):
            return None
        return self._doubted(opposites)

    def of_presence(self, condition: Condition) -> frozenset[int] | None:
        """Return the doubts without which something that a clause asks of attributes is missing.

        None where that can only be told by looking; no doubt where it asks nothing of them. Only
        comparisons tell: they never raise, and what raises may not be taken for false.
        """
        parts = sorted_by_price(condition, self.index.signal)
        if not parts.attributes and not parts.whole:
            return frozenset()
        for each in parts.attributes:
            if isinstance(each, Compare) and (doubts := self._doubted([each])):
                return doubts
        return None

    def _doubted(self, conditions: Sequence[Condition]) -> frozenset[int] | None:
        doubts = set()
        for condition in conditions:
            self._number += 1
            if not self.index.note(self._number, condition):
                return None
            doubts.add(self._number)
        return frozenset(doubts)
