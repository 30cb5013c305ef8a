"""Judges the items of one export request by the clauses of many rules, decoding few of the items.

Three steps, each on what the step before left: an index over the bytes finds candidates; plain
fields are read of all items at once, in C; attributes are read of what is left, at once too. What
cannot be read that way (an attribute written twice) is read with the plain schema.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.otlp import shadow
from reflexarc.engines.otlp.framing import Framed, ResourcePart
from reflexarc.engines.otlp.wire import Malformed
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import Clause, Find, nothing
from reflexarc.telemetry.plan.finding import Finder, Hits
from reflexarc.telemetry.plan.guarding import Guards, Judged
from reflexarc.telemetry.plan.whole import RESOURCES, SCOPES, Decoder, Owner, Whole

# So many items are judged before the next are read: it bounds what is in memory at a time.
AT_ONCE = 10_000
SIZE_AT_ONCE = 4 * 1024 * 1024
# So many looks at attributes cost more than finding out which are due.
MANY_LOOKS = 400
# And where more than this share is due all the same, it is not asked for so many batches.
WORTHWHILE = 0.75
BATCHES_WITHOUT = 50
# With so few items, reading them all costs less than looking for candidates.
SMALL = 48
SMALL_CLAUSES = 50

_Pending = tuple[int, Any, Whole, Sequence[int]]


@dataclass(slots=True, eq=False)
class ItemPlan:
    """The clauses of all rules of one signal, in order of priority, and how to find their items."""

    signal: OtlpSignal
    clauses: Sequence[Clause]
    guards: Guards
    # The plain fields that clauses and guards read.
    headers: frozenset[str]
    finder: Finder
    # Finds doubts: without them it is known what is asked of an item's attributes (clauses.py).
    doubter: Finder
    # Clauses that no pattern finds: every item may meet them.
    everywhere: Sequence[int]
    # How often conditions of each rule raised in the last request, filled by the clauses.
    errors: Counter[int] = field(default_factory=Counter)
    small: int = SMALL
    resources: Decoder = field(init=False)
    scopes: Decoder = field(init=False)
    # For so many batches it is not asked which looks are due.
    in_vain: int = 0

    def __post_init__(self) -> None:
        """Make what decodes resources and scopes."""
        self.resources = Decoder(RESOURCES[self.signal].FromString)
        self.scopes = Decoder(SCOPES[self.signal].FromString)

    def hits(self, payload: bytes) -> Hits | None:
        """Return what the index finds in a request, None where no item can meet a clause."""
        if not self.clauses:
            return None
        hits = self.finder.index.hits(payload)
        return hits if self.everywhere or hits[0].size else None

    def judged(self, parts: Framed, hits: Hits, fields: Any = None) -> Iterator[Judged]:
        """Yield every item that a clause may hold for, in the order of the request.

        `fields` is the request as read by `shadow.headers`, where the caller has it already.
        """
        self.errors.clear()
        if not parts.starts:
            return
        few = len(parts.starts) <= self.small and len(self.clauses) < SMALL_CLAUSES
        everywhere = range(len(self.clauses)) if few else self.everywhere
        found = {} if few else self.finder.found(parts, hits, self._live)
        if not found and not everywhere:
            return
        looks = _Looks(self, parts)
        for pending in self._pending(parts, found, everywhere, fields or self.fields(parts)):
            for some in _within(SIZE_AT_ONCE, parts, pending):
                finds = self._finds(parts, looks.due(some))
                for item, x, whole, clauses in some:
                    yield item, x, finds.get(item), whole, clauses

    def fields(self, parts: Framed) -> Any:
        """Return the plain fields of every item; raises Malformed where an item is none."""
        try:
            return shadow.headers(self.signal, self.headers)(parts.data)
        except DecodeError as error:
            raise Malformed(f"not OTLP: {error}") from error

    def _live(self, clauses: Sequence[int], resource: ResourcePart) -> list[int]:
        rest = resource.rest
        return [number for number in clauses if self.clauses[number].alive(rest, self.resources)]

    def _pending(
        self,
        parts: Framed,
        found: Mapping[int, Sequence[int]],
        everywhere: Sequence[int],
        fields: Any,
    ) -> Iterator[list[_Pending]]:
        """Yield the items for which clauses hold as far as plain fields tell, some at a time."""
        pending: list[_Pending] = []
        hot, at = sorted(found), 0
        for number, resource in enumerate(parts.resources):
            always = self._live(everywhere, resource)
            for place, scope in enumerate(resource.scopes):
                end = bisect_left(hot, scope.last, at)
                chosen = range(scope.first, scope.last) if always else hot[at:end]
                at = end
                if not chosen:
                    continue
                of = Owner(self.resources, self.scopes, self.signal, parts, resource, scope)
                nodes = fields.x[number].x[place].x
                for begin in range(0, len(chosen), AT_ONCE):
                    some = chosen[begin : begin + AT_ONCE]
                    pending += self._of_scope(of, nodes, some, found=found, always=always)
                    if len(pending) >= AT_ONCE:
                        yield pending
                        pending = []
        if pending:
            yield pending

    def _of_scope(
        self,
        owner: Owner,
        nodes: Any,
        chosen: Sequence[int],
        *,
        found: Mapping[int, Sequence[int]],
        always: list[int],
    ) -> list[_Pending]:
        pending: list[_Pending] = []
        # The loop that every candidate of every batch goes through: no call that can be spared.
        clauses, first = self.clauses, owner.scope_part.first
        for item in chosen:
            numbers = found.get(item)
            if numbers is None:
                numbers = always
            elif always or len(numbers) > 1:
                numbers = sorted({*numbers, *always})
            x = nodes[item - first]
            holding = []
            for number in numbers:
                clause = clauses[number]
                test = clause.header
                try:
                    if (test is None or test(x, nothing, None)) and (
                        not clause.on_scope or clause.in_scope(owner)
                    ):
                        holding.append(number)
                except EvaluationError:
                    if clause.failed():
                        holding.append(number)
            if holding:
                pending.append((item, x, Whole(owner, item), holding))
        return pending

    def _finds(self, parts: Framed, due: Sequence[_Pending]) -> Mapping[int, Find]:
        """Return for each item what finds the bytes of an attribute's value."""
        if self.signal not in shadow.ATTRIBUTES:
            return {item: nothing for item, _, _, _ in due}
        data, starts, ends = parts.data, parts.starts, parts.ends
        # Items one behind the other, with their tags, are a scope.
        joined = b"".join([data[starts[item] : ends[item]] for item, _, _, _ in due])
        try:
            maps = [each.a for each in shadow.attribute_maps(self.signal)(joined).x]
            # Where no attribute is written twice, the maps hold as many as there are.
            if sum(map(len, maps)) == len(shadow.all_attributes(self.signal)(joined).x.a):
                return {each[0]: found.get for each, found in zip(due, maps, strict=True)}
            lists = shadow.attribute_lists(self.signal)(joined).x
        except DecodeError:
            return {item: whole.find for item, _, whole, _ in due}
        return {
            item: found.get if len(found) == len(other.a) else whole.find
            for (item, _, whole, _), found, other in zip(due, maps, lists, strict=True)
        }


def _within(most: int, parts: Framed, pending: list[_Pending]) -> Iterator[list[_Pending]]:
    """Yield the same items, so many bytes of them at a time."""
    if parts.ends[pending[-1][0]] - parts.starts[pending[0][0]] <= most:
        yield pending
        return
    some: list[_Pending] = []
    size = 0
    for each in pending:
        size += parts.size(each[0])
        if some and size > most:
            yield some
            some, size = [], parts.size(each[0])
        some.append(each)
    yield some


class _Looks:
    """Tells which items' attributes matter for what becomes of them."""

    def __init__(self, plan: ItemPlan, parts: Framed) -> None:
        self.plan = plan
        self.parts = parts
        self._found: Mapping[int, Sequence[int]] | None = None

    def due(self, pending: Sequence[_Pending]) -> Sequence[_Pending]:
        """Return the items to look at."""
        plan = self.plan
        doubts = plan.guards.doubts
        if doubts is None or len(pending) < MANY_LOOKS:
            return pending
        if plan.in_vain:
            plan.in_vain -= 1
            return pending
        if self._found is None:
            hits = plan.doubter.index.hits(self.parts.data)
            self._found = plan.doubter.found(self.parts, hits, lambda doubted, _: doubted)
        due = [
            each for each in pending if self._is_due(each[3], doubts, self._found.get(each[0], ()))
        ]
        if len(due) > len(pending) * WORTHWHILE:
            plan.in_vain = BATCHES_WITHOUT
        return due

    def _is_due(self, clauses: Sequence[int], doubts: frozenset[int], found: Sequence[int]) -> bool:
        """Return whether a guard or a clause has a doubt about an item that only a look solves."""
        if found and not doubts.isdisjoint(found):
            return True
        for number in clauses:
            clause = self.plan.clauses[number]
            if clause.rest is not None and (
                clause.doubts is None or (found and not clause.doubts.isdisjoint(found))
            ):
                return True
        return False
