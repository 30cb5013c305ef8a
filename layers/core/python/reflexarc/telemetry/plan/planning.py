"""Puts the plan of one signal together from the conditions of its rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from reflexarc.engines.otlp.shadow import POINTS
from reflexarc.engines.ottl.syntax import Condition
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import Clause
from reflexarc.telemetry.plan.fragments import test_of
from reflexarc.telemetry.plan.index import PatternIndex
from reflexarc.telemetry.plan.items import SMALL, ItemPlan
from reflexarc.telemetry.plan.needs import NumberNeed, need_of, number_need_of
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


def plan_of(
    signal: OtlpSignal,
    stated: Sequence[Stated],
    *,
    also: frozenset[str] = frozenset(),
    small: int = SMALL,
) -> ItemPlan:
    """Return the plan for conditions in their order. `also`: plain fields that are read besides."""
    errors: Counter[int] = Counter()
    index = _Index(signal)
    headers = set(also)
    for number, each in enumerate(stated):
        index.add(number, each.condition)
        headers |= headers_of(each.condition, signal)
    if signal == "metrics":
        headers |= POINTS  # to know how many points there are
    patterns = list(index.patterns)
    places = {pattern: place for place, pattern in enumerate(patterns)}
    return ItemPlan(
        signal=signal,
        clauses=[clause_of(each, signal, errors) for each in stated],
        headers=frozenset(headers),
        index=PatternIndex(patterns),
        by_pattern=list(index.patterns.values()),
        numbers={places[key]: numbers for key, numbers in index.numbers.items()},
        everywhere=index.everywhere,
        errors=errors,
        small=small,
    )


def clause_of(stated: Stated, signal: OtlpSignal, errors: Counter[int]) -> Clause:
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
        errors=errors,
    )


def headers_of(condition: Condition, signal: OtlpSignal) -> frozenset[str]:
    """Return the plain fields that a condition reads."""
    slots = (slot_of(path, signal) for path in paths_of(condition))
    return frozenset(slot.name for slot in slots if isinstance(slot, Header))


class _Index:
    """Patterns with their clauses, as conditions are added."""

    def __init__(self, signal: OtlpSignal) -> None:
        self.signal = signal
        self.patterns: dict[bytes, list[int]] = {}
        self.numbers: dict[bytes, NumberIndex] = {}
        self.everywhere: list[int] = []

    def add(self, number: int, condition: Condition) -> None:
        """Note what finds the items of a clause."""
        need = need_of(condition, self.signal)
        if need is None or not need.value:
            for each in conjuncts(condition):
                compared = number_need_of(each, self.signal)
                if compared is not None and self._number(number, compared):
                    return
        if need is None:
            self.everywhere.append(number)
            return
        for pattern in need.patterns:
            self.patterns.setdefault(pattern, []).append(number)

    def _number(self, number: int, need: NumberNeed) -> bool:
        """Note a comparison with a number, where there is room for its key."""
        key = need.key.encode()
        if self.signal not in WIRES or not NumberIndex.takes(need.key, need.number):
            return False
        if key not in self.numbers and len(self.numbers) >= _NUMBER_KEYS_MAX:
            return False
        index = self.numbers.setdefault(key, NumberIndex(key))
        index.comparisons.append((need.comparator, need.number, number))
        self.patterns.setdefault(key, [])
        return True
