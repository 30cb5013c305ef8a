"""Judges the items of one export request by the clauses of many rules, decoding few of the items.

Three steps, each on what the step before left: an index over the bytes finds candidates; plain
fields are read of all items at once, in C; attributes are read of what is left, at once too. What
cannot be read that way (an attribute written twice) is read with the plain schema.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from reflexarc.engines.otlp import shadow
from reflexarc.engines.otlp.framing import Framed, ResourcePart
from reflexarc.engines.otlp.wire import Malformed
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.clauses import Clause, Find, nothing
from reflexarc.telemetry.plan.index import Numbers, PatternIndex
from reflexarc.telemetry.plan.numbers import NumberIndex, Places, candidates
from reflexarc.telemetry.plan.whole import ITEMS, RESOURCES, SCOPES, Decoder, Owner, Whole

# With so few items, reading them all costs less than looking for candidates.
SMALL = 48
SMALL_CLAUSES = 50

# An item, its plain fields, its attributes, all of it, and the clauses that may still hold.
Judged = tuple[int, Any, Find, Whole, Sequence[int]]
_Pending = tuple[int, Any, Whole, Sequence[int]]


@dataclass(slots=True, eq=False)
class ItemPlan:
    """The clauses of all rules of one signal, in order of priority, and how to find their items."""

    signal: OtlpSignal
    clauses: Sequence[Clause]
    # The plain fields that clauses and guards read.
    headers: frozenset[str]
    index: PatternIndex
    # For each pattern of the index its clauses; for those that are keys, what is compared.
    by_pattern: Sequence[Sequence[int]]
    numbers: Mapping[int, NumberIndex]
    # Clauses that no pattern finds: every item may meet them.
    everywhere: Sequence[int]
    # How often conditions of each rule raised, filled by the clauses.
    errors: Counter[int] = field(default_factory=Counter)
    small: int = SMALL
    resources: Decoder = field(init=False)
    scopes: Decoder = field(init=False)

    def __post_init__(self) -> None:
        """Make what decodes resources and scopes."""
        self.resources = Decoder(RESOURCES[self.signal].FromString)
        self.scopes = Decoder(SCOPES[self.signal].FromString)

    def take_errors(self) -> Counter[int]:
        """Return how often conditions raised since this was last asked, by rule."""
        errors = self.errors.copy()
        self.errors.clear()
        return errors

    def judged(self, parts: Framed, fields: Any = None) -> Sequence[Judged]:
        """Return every item that a clause may hold for, in the order of the request.

        `fields` is the request as read by `shadow.headers`, where the caller has it already.
        """
        if not self.clauses or not parts.starts:
            return ()
        few = len(parts.starts) <= self.small and len(self.clauses) < SMALL_CLAUSES
        everywhere = range(len(self.clauses)) if few else self.everywhere
        found = {} if few else self._candidates(parts)
        if not found and not everywhere:
            return ()
        pending = self._pending(parts, found, everywhere, fields or self.fields(parts))
        finds = self._finds(parts, [each[0] for each in pending])
        return [
            (item, x, find, whole, clauses)
            for (item, x, whole, clauses), find in zip(pending, finds, strict=True)
        ]

    def fields(self, parts: Framed) -> Any:
        """Return the plain fields of every item; raises Malformed where an item is none."""
        try:
            return shadow.headers(self.signal, self.headers)(parts.data)
        except DecodeError as error:
            raise Malformed(f"not OTLP: {error}") from error

    def _candidates(self, parts: Framed) -> dict[int, list[int]]:
        """Return the clauses that the index found, by item."""
        patterns, places = self.index.hits(parts.data)
        found: dict[int, list[int]] = {}
        if not patterns.size:
            return found
        begins, ends = np.array(parts.bodies), np.array(parts.ends)
        items = np.searchsorted(begins, places, "right") - 1
        within = (items >= 0) & (places < ends[items])
        patterns, places, items = patterns[within], places[within], items[within]
        owners = np.repeat(
            np.arange(len(parts.resources)), [len(each.items) for each in parts.resources]
        )
        self._by_text(parts, patterns, items, owners, found)
        for pattern, index in self.numbers.items():
            chosen = patterns == pattern
            at = Places(places[chosen], items[chosen], begins[items[chosen]], ends[items[chosen]])
            for item, clauses in candidates(index, parts.data, self.signal, at).items():
                found[item] = found.get(item, []) + clauses
        return found

    def _by_text(
        self,
        parts: Framed,
        patterns: Numbers,
        items: Numbers,
        owners: Numbers,
        found: dict[int, list[int]],
    ) -> None:
        """Note the clauses whose patterns were hit, where their resource lets them hold."""
        many = len(self.by_pattern)
        pairs, which = np.unique(owners[items] * many + patterns, return_inverse=True)
        live = [
            self._live(self.by_pattern[pair % many], parts.resources[pair // many])
            for pair in pairs.tolist()
        ]
        useful = np.array([bool(clauses) for clauses in live])[which]
        for item, pair in zip(items[useful].tolist(), which[useful].tolist(), strict=True):
            clauses, more = found.get(item), live[pair]
            if clauses is None:
                found[item] = more
            elif clauses is not more:
                found[item] = clauses + more

    def _live(self, clauses: Sequence[int], resource: ResourcePart) -> list[int]:
        rest = resource.rest
        return [number for number in clauses if self.clauses[number].alive(rest, self.resources)]

    def _pending(
        self,
        parts: Framed,
        found: Mapping[int, list[int]],
        everywhere: Sequence[int],
        fields: Any,
    ) -> list[_Pending]:
        """Return the items for which clauses hold as far as plain fields tell."""
        pending: list[_Pending] = []
        hot, at = sorted(found), 0
        for number, resource in enumerate(parts.resources):
            always = self._live(everywhere, resource)
            for place, scope in enumerate(resource.scopes):
                end = bisect_left(hot, scope.last, at)
                chosen = range(scope.first, scope.last) if always else hot[at:end]
                if chosen:
                    of = Owner(self.resources, self.scopes, self.signal, parts, resource, scope)
                    nodes = fields.x[number].x[place].x
                    pending += self._of_scope(of, nodes, chosen, found=found, always=always)
                at = end
        return pending

    def _of_scope(
        self,
        owner: Owner,
        nodes: Any,
        chosen: Sequence[int],
        *,
        found: Mapping[int, list[int]],
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
                    clause.failed()
            if holding:
                pending.append((item, x, Whole(owner, item), holding))
        return pending

    def _finds(self, parts: Framed, items: Sequence[int]) -> Sequence[Find]:
        """Return for each item what finds the bytes of an attribute's value."""
        if self.signal not in shadow.ATTRIBUTES:
            return [nothing] * len(items)
        data, starts, ends = parts.data, parts.starts, parts.ends
        # Items one behind the other, with their tags, are a scope.
        joined = b"".join([data[starts[item] : ends[item]] for item in items])
        try:
            maps = shadow.attribute_maps(self.signal)(joined).x
            lists = shadow.attribute_lists(self.signal)(joined).x
        except DecodeError:
            return [self._plainly(parts, item) for item in items]
        return [
            one.a.get if len(one.a) == len(other.a) else self._plainly(parts, item)
            for one, other, item in zip(maps, lists, items, strict=True)
        ]

    def _plainly(self, parts: Framed, item: int) -> Find:
        """Return the same of one item, by the plain schema: of equal keys the first counts."""
        try:
            message: Any = ITEMS[self.signal].FromString(parts.item(item))
        except DecodeError:
            return _unreadable
        first: dict[str, bytes] = {}
        for each in message.attributes:
            first.setdefault(each.key, each.value.SerializeToString())
        return first.get


def _unreadable(_: str) -> None:
    """Make every condition that reads an attribute fail: the item is kept, and counted."""
    raise EvaluationError("the item cannot be decoded")
