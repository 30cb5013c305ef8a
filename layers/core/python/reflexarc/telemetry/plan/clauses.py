"""One condition of one rule, split by what it takes to judge each part of it.

Parts of an `and` are judged in the order of their price, not in the order they are written: what
only reads the resource once a resource, then plain fields, then attributes, then all else. A part
that raises makes the condition not hold, as a part that is false does, so the order changes no
verdict; it may change which error is counted. Where doubt is to be a yes (guards, redaction) a part
that raises holds, and the others decide.
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
# How many bytes may be remembered of resources; about what a resource takes beside its own, and an
# answer.
REMEMBERED = 16 * 1024 * 1024
_RESOURCE, _ANSWER = 400, 100


@dataclass(slots=True, eq=False)
class Answers:
    """What conditions say of resources, which come again and again; None where one raised.

    One for all clauses of a plan. All is forgotten where it takes too much memory.
    """

    _known: dict[bytes, dict["Clause", bool | None]] = field(default_factory=dict)
    _size: int = 0

    def of(self, resource: bytes) -> dict["Clause", bool | None]:
        """Return the answers that are known of a resource, to be added to."""
        known = self._known.get(resource)
        if known is None:
            self.make_room(_RESOURCE + len(resource))
            known = self._known[resource] = {}
        return known

    def make_room(self, size: int = _ANSWER) -> None:
        """Count what is added."""
        self._size += size
        if self._size > REMEMBERED:
            self._known.clear()
            self._size = size


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
    # What stands for the answer of a part that raises.
    unsure: bool = False
    # How often conditions of each rule raised; one for all clauses of a plan.
    errors: Counter[int] = field(default_factory=Counter)
    answers: Answers = field(default_factory=Answers)

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
        answers = self.answers.of(resource)
        if self not in answers:
            self.answers.make_room()
            answers[self] = self._asked(decoded(resource))
        answer = answers[self]
        return self.failed() if answer is None else answer

    def _asked(self, resource: Any) -> bool | None:
        try:
            return all(test(resource) for test in self.on_resource)
        except EvaluationError:
            return None

    def in_scope(self, owner: Any) -> bool:
        """Return whether it can hold for items of a scope."""
        try:
            return all(test(owner) for test in self.on_scope)
        except EvaluationError:
            return self.failed()

    def failed(self) -> bool:
        """Count that a part of it raised, and return what stands for the answer."""
        self.errors[self.rule] += 1
        return self.unsure

    def holds(self, fields: Any, find: Find, whole: Any) -> bool:
        """Return whether what is left of it holds too."""
        test = self.rest
        try:
            return test is None or test(fields, find, whole)
        except EvaluationError:
            return self.failed()

    def holds_for_any(self, whole: Any) -> bool:
        """Return whether it holds for some part of an item; of the item itself, it does."""
        if self.part is None:
            return True
        try:
            parts = whole.parts
        except EvaluationError:
            return self.failed()
        return any(self.holds_for(whole, part) for part in range(parts))

    def holds_for(self, whole: Any, part: int) -> bool:
        """Return whether it holds for one part of an item."""
        try:
            return self.part is None or self.part(whole, part)
        except EvaluationError:
            return self.failed()


def nothing(_: str) -> None:
    """Find no attribute."""
