"""Tests of what items share, of whole items and of their parts, over plain OTLP messages.

Each is compiled when it is first asked: of 10,000 rules few ever are.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.syntax import Condition
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import PartTest, SharedTest
from reflexarc.telemetry.plan.slots import ITEM_CONTEXT
from reflexarc.telemetry.plan.whole import Whole

WholeTest = Callable[[Whole], bool]
_EVENT = "spanevent"


def resource_test(condition: Condition) -> SharedTest:
    """Return the test of a resource, as the container of its scopes."""
    holds = _lazily(condition, "resource")

    def holds_for(resource: Any) -> bool:
        return holds()(resource)

    return holds_for


def scope_test(condition: Condition) -> SharedTest:
    """Return the test of a scope and its resource."""
    holds = _lazily(condition, "scope")
    return lambda owner: holds()(owner.resource, owner.scope)


def whole_test(condition: Condition, signal: OtlpSignal) -> WholeTest:
    """Return the test of a whole item."""
    holds = _lazily(condition, ITEM_CONTEXT[signal])
    return lambda whole: holds()(whole.owner.resource, whole.owner.scope, whole.item)


def part_test(conditions: Sequence[Condition], context: str) -> PartTest:
    """Return the test of one data point or span event, by its number."""
    tests = [_lazily(condition, context) for condition in conditions]

    def holds_for(whole: Whole, number: int) -> bool:
        owner, item = whole.owner, whole.item
        about = (owner.resource, owner.scope, item, *_part(item, context, number))
        return all(test()(*about) for test in tests)

    return holds_for


def _part(item: Any, context: str, number: int) -> tuple[Any, ...]:
    """Return what a condition on a part takes beside its item."""
    if context == _EVENT:
        return item.events[number], number
    return (getattr(item, item.WhichOneof("data")).data_points[number],)


def _lazily(condition: Condition, context: str) -> Callable[[], Callable[..., bool]]:
    @cache
    def holds() -> Callable[..., bool]:
        return compile_condition(condition, PlainPaths(context)).holds

    return holds
