"""Filters as the Collector's filter processor has them, over plain OTLP messages.

The reference: slow and literal. What is faster is tested against it.
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/filterprocessor
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from reflexarc.engines.ottl.compile import Compiled, compile_condition
from reflexarc.engines.ottl.filter_config import ErrorMode, FilterGroup
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.plain_values import metric_field
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal

_RESOURCES = {
    "traces": "resource_spans",
    "metrics": "resource_metrics",
    "logs": "resource_logs",
}
_SCOPES = {"traces": "scope_spans", "metrics": "scope_metrics", "logs": "scope_logs"}
_ITEMS = {"traces": "spans", "metrics": "metrics", "logs": "log_records"}
_ITEM = {"traces": "span", "metrics": "metric", "logs": "log"}
_PART = {"traces": "spanevent", "metrics": "datapoint", "logs": ""}


@dataclass(slots=True)
class ConditionSequence:
    """Conditions of one context, judged one after the other."""

    conditions: list[Compiled]
    error_mode: ErrorMode
    errors: int = 0

    def holds(self, *messages: Any, all_of: bool = False) -> bool:
        """Tell whether one holds, or all; a condition that fails is passed over and counted.

        In mode `propagate` it raises EvaluationError.
        """
        held = False
        for condition in self.conditions:
            try:
                found = condition.holds(*messages)
            except EvaluationError:
                if self.error_mode == "propagate":
                    raise
                self.errors += 1
                continue
            if found and not all_of:
                return True
            if all_of and not found:
                return False
            held = found
        # Where all conditions failed none of them held.
        return all_of and held


@dataclass(slots=True)
class Filter:
    """One group of conditions that can be applied to requests of its signal."""

    signal: OtlpSignal
    sequences: dict[str, ConditionSequence] = field(default_factory=dict)

    @classmethod
    def of(cls, signal: OtlpSignal, group: FilterGroup) -> "Filter":
        """Return the filter of a group."""
        made = cls(signal)
        for each in group.conditions:
            compiled = compile_condition(each.condition, PlainPaths(each.context))
            sequence = made.sequences.setdefault(
                each.context, ConditionSequence([], group.error_mode)
            )
            sequence.conditions.append(compiled)
        return made

    @property
    def errors(self) -> int:
        """Return how many conditions failed so far."""
        return sum(sequence.errors for sequence in self.sequences.values())

    def apply(self, request: Any) -> None:
        """Take out of an export request what the conditions hold for, and what that empties."""
        _remove_if(getattr(request, _RESOURCES[self.signal]), self._drops_resource)

    def _drops(self, context: str, *messages: Any) -> bool:
        sequence = self.sequences.get(context)
        return sequence is not None and sequence.holds(*messages)

    def _has(self, *contexts: str) -> bool:
        return any(context in self.sequences for context in contexts)

    def _drops_resource(self, resource: Any) -> bool:
        if self._drops("resource", resource):
            return True
        scopes = getattr(resource, _SCOPES[self.signal])
        if self._has("scope", _ITEM[self.signal], _PART[self.signal]):
            _remove_if(scopes, lambda scope: self._drops_scope(resource, scope))
        return not scopes

    def _drops_scope(self, resource: Any, scope: Any) -> bool:
        if self._drops("scope", resource, scope):
            return True
        items = getattr(scope, _ITEMS[self.signal])
        if self._has(_ITEM[self.signal], _PART[self.signal]):
            _remove_if(items, lambda item: self._drops_item(resource, scope, item))
        return not items

    def _drops_item(self, resource: Any, scope: Any, item: Any) -> bool:
        if self._drops(_ITEM[self.signal], resource, scope, item):
            return True
        if not self._has(_PART[self.signal]):
            return False
        if self.signal == "traces":
            dropped = [
                place
                for place, event in enumerate(item.events)
                if self._drops("spanevent", resource, scope, item, event, place)
            ]
            _remove(item.events, dropped)
            return False
        points = metric_field(item, "data_points")
        if points is None:
            return False
        _remove_if(points, lambda point: self._drops("datapoint", resource, scope, item, point))
        return not points


def _remove_if(messages: Any, drops: Callable[[Any], bool]) -> None:
    _remove(messages, [place for place, message in enumerate(messages) if drops(message)])


def _remove(messages: Any, places: list[int]) -> None:
    for place in reversed(places):
        del messages[place]


def apply_filters(signal: OtlpSignal, groups: Iterable[FilterGroup], request: Any) -> int:
    """Apply the groups of a signal one after the other; returns how many conditions failed."""
    errors = 0
    for group in groups:
        made = Filter.of(signal, group)
        made.apply(request)
        errors += made.errors
    return errors
