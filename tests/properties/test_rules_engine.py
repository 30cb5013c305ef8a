"""The engine decides as the plain schema does: on hostile bytes, by random conditions.

The reference reads whole messages and judges every condition of every item by a walk over its tree
(tests/support/otlp_conditions.py). It shares no decoder, no index and no compiler with the engine.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.ottl.check import values_of
from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.syntax import And, Call, Compare, Condition
from reflexarc.engines.ottl.values import COMPARATORS
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.judging import Deciding, Judge
from reflexarc.telemetry.metric_judging import MetricJudge
from reflexarc.telemetry.plan import items
from reflexarc.telemetry.plan.planning import Guarding, Stated, plan_of
from reflexarc.telemetry.plan.terms import paths_of
from reflexarc.telemetry.tally import Tally
from tests.support.otlp_conditions import (
    CONTEXTS,
    PARTS,
    PLAIN,
    ConditionWriter,
    holds_for_part,
    literal,
    parts_of,
    path,
    plain_map,
    re2_pattern,
)
from tests.support.otlp_items import REQUESTS, ItemWriter
from tests.support.otlp_wire import KEYS, TEXTS

BATCHES = 150
RESOURCES = {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}
SCOPES = {"traces": "scope_spans", "metrics": "scope_metrics", "logs": "scope_logs"}
ITEMS = {"traces": "spans", "metrics": "metrics", "logs": "log_records"}


@dataclass(frozen=True)
class Said:
    """A condition, the context it is judged in, and what is asked of the resource besides."""

    context: str
    condition: Condition
    resource: Compare | None = None

    @property
    def tree(self) -> Condition:
        return And((self.resource, self.condition), 1) if self.resource else self.condition

    def allows(self, resource: Any) -> bool:
        if self.resource is None:
            return True
        key = self.resource.left.keys[0].value  # type: ignore[union-attr]
        found = plain_map(resource.resource.attributes).get(key)  # type: ignore[arg-type]
        return COMPARATORS[self.resource.comparator](found, self.resource.right.value)  # type: ignore[union-attr]


def patterns_compile(condition: Condition) -> bool:
    """Tell whether RE2 takes every pattern: a rule with another is refused before it is used."""
    return all(
        re2_pattern(value.arguments[1].value.value) is not None  # type: ignore[union-attr]
        for value in values_of(condition)
        if isinstance(value, Call)
    )


def can_raise(condition: Condition, context: str) -> bool:
    return (
        not patterns_compile(condition)
        or compile_condition(condition, PlainPaths(context)).can_error
    )


class Night:
    """One batch of one signal, with the rules and guards that it meets."""

    def __init__(self, signal: OtlpSignal, seed: int, *, most: int = 12) -> None:
        self.signal: OtlpSignal = signal
        self.rng = random.Random(seed)
        self.odd = self.rng.choice((0, 0, 0.05, 0.3, 1))
        writer = ItemWriter(seed, odd=self.odd)
        self.payload = writer.request(signal, items=self.rng.choice((2, most)))
        self.plain = REQUESTS[signal].FromString(self.payload)
        self.rules = [self._said() for _ in range(self.rng.randint(1, 8))]
        self.guards = [self._said(whole=True) for _ in range(self.rng.randint(0, 2))]

    def _said(self, *, whole: bool = False) -> Said:
        every = [item for _, _, found in self._scopes() for item in found]
        item = self.rng.choice(every) if every else PLAIN[self.signal](b"")
        writer = ConditionWriter(self.rng, self.signal)
        while True:
            condition = writer.condition(item)
            of_parts = any(each.context in PARTS.values() for each in paths_of(condition))
            # A guard that raises holds; which part of it is asked first is nobody's promise.
            unfit = whole and (of_parts or can_raise(condition, CONTEXTS[self.signal]))
            if patterns_compile(condition) and not unfit:
                break
        context = PARTS[self.signal] if of_parts else CONTEXTS[self.signal]
        resource = None
        if self.rng.random() < 0.3:
            left = path("resource", "attributes", self.rng.choice(KEYS[:4]))
            right = literal(self.rng.choice(TEXTS[:8]))
            resource = Compare(self.rng.choice(("==", "!=")), left, right, 1)
        return Said(context, condition, resource)

    def _scopes(self) -> Iterator[tuple[Any, Any, Any]]:
        for resource in getattr(self.plain, RESOURCES[self.signal]):
            for scope in getattr(resource, SCOPES[self.signal]):
                yield resource, scope, getattr(scope, ITEMS[self.signal])

    # What the reference says

    def expected(self) -> Any:
        """Take out of the plain request what the rules take, and what that empties."""
        for resource in list(getattr(self.plain, RESOURCES[self.signal])):
            scopes = getattr(resource, SCOPES[self.signal])
            lost = [self._lost(resource, getattr(scope, ITEMS[self.signal])) for scope in scopes]
            remove(scopes, [number for number, all_of in enumerate(lost) if all_of])
            if any(lost) and not scopes:
                self._mark(resource)
        resources = getattr(self.plain, RESOURCES[self.signal])
        remove(resources, [n for n, each in enumerate(resources) if each.schema_url == EMPTIED])
        return self.plain

    @staticmethod
    def _mark(resource: Any) -> None:
        resource.schema_url = EMPTIED

    def _lost(self, resource: Any, found: Any) -> bool:
        """Take items out of a scope; return whether that was all of them."""
        gone = [number for number, item in enumerate(found) if self._goes(resource, item)]
        remove(found, gone)
        return bool(gone) and not found

    def _goes(self, resource: Any, item: Any) -> bool:
        guarded = any(self._holds(guard, resource, item, None) for guard in self.guards)
        if self.signal == "metrics":
            return not guarded and self._points_go(resource, item)
        of_items = [said for said in self.rules if said.context == CONTEXTS[self.signal]]
        if any(self._holds(said, resource, item, None) for said in of_items):
            return not guarded
        if self.signal == "traces" and not guarded:
            on_events = [said for said in self.rules if said.context == PARTS["traces"]]
            remove(item.events, self._parts_gone(on_events, resource, item))
        return False

    def _points_go(self, resource: Any, metric: Any) -> bool:
        """Take points out of a metric; return whether it goes with its last."""
        points = parts_of("metrics", metric)
        of_metrics = [said for said in self.rules if said.context == "metric"]
        if any(self._holds(said, resource, metric, None) for said in of_metrics):
            return True
        if not points:
            return False
        gone = self._parts_gone(self.rules, resource, metric)
        remove(getattr(metric, metric.WhichOneof("data")).data_points, gone)
        return len(gone) == len(points)

    def _parts_gone(self, rules: Sequence[Said], resource: Any, item: Any) -> list[int]:
        return [
            number
            for number, part in enumerate(parts_of(self.signal, item))
            if any(self._holds(said, resource, item, part) for said in rules)
        ]

    def _holds(self, said: Said, resource: Any, item: Any, part: Any) -> bool:
        return said.allows(resource) and holds_for_part(said.condition, self.signal, item, part)

    # What the engine says

    def applied(self, small: int) -> tuple[bytes, Tally]:
        stated = [Stated(number, each.context, each.tree) for number, each in enumerate(self.rules)]
        guards = [Guarding("them", Stated(0, each.context, each.tree)) for each in self.guards]
        plan = plan_of(self.signal, stated, guards, small=small)
        deciding = [Deciding(f"rule-{number}", "drop") for number in range(len(stated))]
        tally, parts = Tally(deciding), framed(self.payload)
        hits = plan.hits(self.payload)
        if self.signal == "metrics":
            changed = MetricJudge(deciding, plan, {}).changes(parts, hits, tally)[1]
        elif hits is None:
            changed = {}
        else:
            changed = Judge(self.signal, deciding, plan).changes(parts, hits, tally)
        return spliced(parts, changed), tally


EMPTIED = "emptied by the test"


def remove(messages: Any, numbers: Iterable[int]) -> None:
    for number in sorted(numbers, reverse=True):
        del messages[number]


def same(signal: OtlpSignal, payload: bytes, expected: Any) -> bool:
    found = REQUESTS[signal].FromString(payload).SerializeToString(deterministic=True)
    return bool(found == expected.SerializeToString(deterministic=True))


def check(signal: OtlpSignal, seed: int, small: int, most: int = 12) -> bool:
    """Hold the engine against the reference; return whether anything was taken away."""
    night = Night(signal, seed, most=most)
    payload, tally = night.applied(small)
    expected = night.expected()

    assert same(signal, payload, expected), (signal, seed, night.rules, night.guards)
    if payload is night.payload:
        assert not any(tally[rule].removed or tally[rule].events for rule in list(tally))
    return payload is not night.payload


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize("small", [0, 48])
def test_what_is_kept_is_what_the_plain_schema_keeps(signal: OtlpSignal, small: int) -> None:
    first = 1_000_000 * small

    changed = sum(check(signal, seed, small) for seed in range(first, first + BATCHES))

    assert changed > BATCHES // 5


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_a_look_that_is_spared_changes_nothing(
    signal: OtlpSignal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "MANY_LOOKS", 0)
    monkeypatch.setattr(items, "BATCHES_WITHOUT", 0)

    changed = sum(check(signal, seed, 0, most=30) for seed in range(7_000_000, 7_000_080))

    assert changed > 10
