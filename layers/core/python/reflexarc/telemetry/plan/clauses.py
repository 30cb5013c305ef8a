"""One condition of one rule, split by what it takes to judge each part of it.

Parts of an `and` are judged in the order of their price, not in the order they are written: what
only reads the resource once a resource, then plain fields, then attributes, then all else. A part
that raises makes the condition not hold, as a part that is false does, so the order changes no
verdict; it may change which error is counted.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reflexarc.engines.ottl.values import EvaluationError

# What a test gets: the item's plain fields, how to find an attribute's bytes, the whole item.
Find = Callable[[str], bytes | None]
Test = Callable[[Any, Find, Any], bool]
# A test of what items share: the resource, or the resource and the scope, as plain messages.
SharedTest = Callable[[Any], bool]
# A test of one data point or span event, by its number in the whole item.
PartTest = Callable[[Any, int], bool]
REMEMBERED = 4_096


@dataclass(eq=False)
class Clause:
    """A condition of a rule. `rule` is the rule's place in the order of priority."""

    rule: int
    on_resource: Sequence[SharedTest] = ()
    on_scope: Sequence[SharedTest] = ()
    make_header: Callable[[], Test | None] = lambda: None
    make_rest: Callable[[], Test | None] = lambda: None
    # Of conditions on parts of items: what is asked of each part when all else holds.
    part: PartTest | None = None
    # Doubts of the index: where an item has none of them, `rest` needs no look to be judged (of a
    # rule it then holds, of a guard it does not). None: only a look tells.
    doubts: frozenset[int] | None = None
    # How often conditions of each rule raised; one for all clauses of a plan.
    errors: Counter[int] = field(default_factory=Counter)
    _alive: dict[bytes, bool] = field(default_factory=dict)

    # Made when an item first needs them: of 10,000 rules few ever do.
    @cached_property
    def header(self) -> Test | None:
        """Return the test of the item's plain fields, None where there is none."""
        return self.make_header()

    @cached_property
    def rest(self) -> Test | None:
        """Return the test of attributes and of all else, None where there is none."""
        return self.make_rest()

    @cached_property
    def shared(self) -> Callable[[Any], bool] | None:
        """Return the test of the resource and the scope of an item, None where there is none."""
        if not self.on_resource and not self.on_scope:
            return None
        return lambda owner: (
            self.alive(owner.resource_part.rest, owner.resources)
            and (not self.on_scope or self.in_scope(owner))
        )

    def alive(self, resource: bytes, decoded: Callable[[bytes], Any]) -> bool:
        """Return whether it can hold for items of a resource; judged once for each resource."""
        if not self.on_resource:
            return True
        known = self._alive.get(resource)
        if known is None:
            if len(self._alive) >= REMEMBERED:
                self._alive.clear()
            known = self._alive[resource] = self._all(self.on_resource, decoded(resource))
        return known

    def in_scope(self, owner: Any) -> bool:
        """Return whether it can hold for items of a scope."""
        return self._all(self.on_scope, owner)

    def failed(self) -> None:
        """Count that it raised."""
        self.errors[self.rule] += 1

    def holds(self, fields: Any, find: Find, whole: Any) -> bool:
        """Return whether what is left of it holds too."""
        test = self.rest
        try:
            return test is None or test(fields, find, whole)
        except EvaluationError:
            self.failed()
            return False

    def holds_for(self, whole: Any, part: int) -> bool:
        """Return whether it holds for one part of an item."""
        try:
            return self.part is None or self.part(whole, part)
        except EvaluationError:
            self.failed()
            return False

    def _all(self, tests: Sequence[SharedTest], message: Any) -> bool:
        try:
            return all(test(message) for test in tests)
        except EvaluationError:
            self.failed()
            return False


def nothing(_: str) -> None:
    """Find no attribute."""
