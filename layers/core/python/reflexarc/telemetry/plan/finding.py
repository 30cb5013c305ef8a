"""Which items of a request may meet which of many conditions, by their bytes alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reflexarc.engines.otlp.framing import Framed, ResourcePart
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.index import Numbers, PatternIndex
from reflexarc.telemetry.plan.numbers import NumberIndex, Places, candidates

# Patterns that were found, by their numbers, and where each begins.
Hits = tuple[Numbers, Numbers]
# The largest number that a table is made for, which is faster than to sort.
_TABLE_MAX = 100_000
Live = Callable[[Sequence[int], ResourcePart], Sequence[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Finder:
    """An index over conditions, each with a number of its own."""

    signal: OtlpSignal
    index: PatternIndex
    # For each pattern its conditions; for those that are keys, what numbers are compared with.
    by_pattern: Sequence[Sequence[int]]
    numbers: Mapping[int, NumberIndex]

    def found(self, parts: Framed, hits: Hits, live: Live) -> dict[int, Sequence[int]]:
        """Return the conditions that each item may meet.

        `live` says which of several conditions can hold for the items of a resource.
        """
        patterns, places = hits
        found: dict[int, Sequence[int]] = {}
        if not patterns.size:
            return found
        begins, ends = np.frombuffer(parts.bodies, np.int64), np.frombuffer(parts.ends, np.int64)
        items = np.searchsorted(begins, places, "right") - 1
        within = (items >= 0) & (places < ends[items])
        patterns, places, items = patterns[within], places[within], items[within]
        owners = np.repeat(
            np.arange(len(parts.resources)), [len(each.items) for each in parts.resources]
        )
        self._by_text(parts, owners[items], patterns, items, live, found)
        for pattern, index in self.numbers.items():
            chosen = patterns == pattern
            at = Places(places[chosen], items[chosen], begins[items[chosen]], ends[items[chosen]])
            for item, compared in candidates(index, parts.data, self.signal, at).items():
                if conditions := live(compared, parts.resources[owners[item]]):
                    found[item] = [*found.get(item, ()), *conditions]
        return found

    def _by_text(  # noqa: PLR0917 - one step of `found`
        self,
        parts: Framed,
        owners: Numbers,
        patterns: Numbers,
        items: Numbers,
        live: Live,
        found: dict[int, Sequence[int]],
    ) -> None:
        """Note the conditions whose patterns were hit, where their resource lets them hold."""
        pairs, which = _numbered(owners * len(self.by_pattern) + patterns)
        many = len(self.by_pattern)
        alive = [
            live(self.by_pattern[pair % many], parts.resources[pair // many])
            for pair in pairs.tolist()
        ]
        useful = np.array([bool(conditions) for conditions in alive], np.bool_)[which]
        several: dict[int, tuple[list[int], set[int]]] = {}
        for item, pair in zip(items[useful].tolist(), which[useful].tolist(), strict=True):
            known, more = found.get(item), alive[pair]
            if known is None:
                found[item] = more
            elif item in several:
                conditions, seen = several[item]
                # Each once for an item: a text may stand in it as often as it fits.
                if id(more) not in seen:
                    seen.add(id(more))
                    conditions += more
            elif known is not more:
                conditions = [*known, *more]
                found[item], several[item] = conditions, (conditions, {id(known), id(more)})


def _numbered(values: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distinct of some numbers from 0, and of each value which one of them it is."""
    span = int(values.max(initial=-1)) + 1
    if span > _TABLE_MAX:
        pairs, which = np.unique(values, return_inverse=True)
        return pairs, which
    present = np.zeros(span, np.bool_)
    present[values] = True
    pairs = np.flatnonzero(present)
    rank = np.empty(span, np.int64)
    rank[pairs] = np.arange(len(pairs))
    return pairs, rank[values]
