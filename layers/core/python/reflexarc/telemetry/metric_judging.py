"""What becomes of each data point: guards first, then the first rule that holds.

A condition on the metric decides about all its points at once, without reading them; conditions on
points are asked of each point of the metrics that may have such points. A metric that loses its
last point goes with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from reflexarc.engines.otlp.framing import Framed
from reflexarc.engines.otlp.wire import field_of, occurrences
from reflexarc.telemetry.aggregation import (
    FIELDS,
    POINTS,
    Aggregation,
    Refused,
    aggregated,
    with_one_data_field,
    with_points,
)
from reflexarc.telemetry.judging import Deciding
from reflexarc.telemetry.plan.clauses import Clause, nothing
from reflexarc.telemetry.plan.finding import Hits
from reflexarc.telemetry.plan.guarding import Judged
from reflexarc.telemetry.plan.items import ItemPlan
from reflexarc.telemetry.tally import Tally

_ITEMS = 2  # the field of a scope that holds its metrics


def points_of(fields: Any) -> int:
    """Return how many points a metric has, by its plain fields."""
    kind = fields.WhichOneof("data")
    return len(getattr(fields, kind).points) if kind else 0


@dataclass(slots=True, eq=False)
class _Metric:
    """One metric: which of its points are undecided, and which each rule takes."""

    judged: Judged
    message: bytes
    kind: str
    undecided: list[int]
    # A metric without points goes whole or stays; this one does not know which yet.
    hollow: bool
    kept: bool = False
    taken: dict[int, list[int]] = field(default_factory=dict)
    # What rules in shadow met: of their conditions too the first that holds counts.
    shadowed: dict[int, set[int]] = field(default_factory=dict)

    def settle(self, points: Sequence[int]) -> None:
        """Take points from those that are undecided."""
        settled = set(points)
        self.undecided = [point for point in self.undecided if point not in settled]
        self.hollow = False

    def open_to(self, rule: int) -> list[int]:
        """Return the points that no rule decided about, and that this one has not met."""
        met = self.shadowed.get(rule)
        return [point for point in self.undecided if point not in met] if met else self.undecided

    def sizes(self) -> list[int]:
        """Return how many bytes each point takes."""
        data = b"".join(occurrences(self.message, FIELDS[self.kind]))
        return [len(point) for point in occurrences(data, POINTS)]


@dataclass(slots=True)
class MetricJudge:
    """Judges metrics and their points. `merging` has how each aggregating rule merges."""

    rules: Sequence[Deciding]
    plan: ItemPlan
    merging: dict[int, Aggregation]

    def changes(
        self, parts: Framed, hits: Hits | None, tally: Tally
    ) -> tuple[int, dict[int, bytes | None]]:
        """Return how many points came, and what becomes of metrics: None where one goes."""
        fields = self.plan.fields(parts)
        received = sum(
            points_of(metric) for resource in fields.x for scope in resource.x for metric in scope.x
        )
        changed: dict[int, bytes | None] = {}
        if hits is None:
            return received, changed
        for judged in self.plan.judged(parts, hits, fields):
            item, x = judged[:2]
            points = list(range(points_of(x)))
            kind = x.WhichOneof("data") or ""
            metric = _Metric(judged, parts.item(item), kind, points, hollow=not points)
            self._decide(metric, tally)
            if metric.taken:
                self._change(metric, parts.size(item), tally, changed)
        for rule, errors in self.plan.errors.items():
            tally[rule].errors += errors
        return received, changed

    def _decide(self, metric: _Metric, tally: Tally) -> None:
        _, fields, find, whole, numbers = metric.judged
        for number in numbers:
            clause = self.plan.clauses[number]
            if not metric.undecided and not metric.hollow:
                return
            if clause.holds(fields, find or nothing, whole):
                points = self._met(clause, metric)
                if points or (metric.hollow and clause.part is None):
                    self._apply(clause.rule, metric, points, tally)

    def _met(self, clause: Clause, metric: _Metric) -> list[int]:
        """Return the undecided points for which a clause holds."""
        points = metric.open_to(clause.rule)
        if clause.part is None:
            return points
        whole = metric.judged[3]
        return [point for point in points if clause.holds_for(whole, point)]

    def _apply(self, number: int, metric: _Metric, points: list[int], tally: Tally) -> None:
        rule, counts = self.rules[number], tally[number]
        counts.matched += len(points)
        keeps = rule.action == "keep"
        if not keeps and (guard := self.plan.guards.holding(metric.judged)):
            counts.guarded += len(points)
            tally.guards[guard] += len(points)
        elif rule.shadow:
            counts.shadowed += 0 if keeps else len(points)
            metric.shadowed.setdefault(number, set()).update(points)
            return
        elif keeps:
            metric.kept = True
        elif points or number not in self.merging:
            metric.taken[number] = metric.taken.get(number, []) + points
        metric.settle(points)

    def _change(
        self, metric: _Metric, size: int, tally: Tally, changed: dict[int, bytes | None]
    ) -> None:
        """Note the metric without the points that rules took, None where none is left.

        One that cannot be read stays, and is an error of those rules.
        """
        item = metric.judged[0]
        if len(metric.taken) == 1 and not metric.undecided and not metric.kept:
            ((rule, points),) = metric.taken.items()
            if rule not in self.merging:
                tally.remove(rule, len(points), size)
                changed[item] = None
                return
        try:
            metric.message = with_one_data_field(metric.message)
        except DecodeError:
            for rule in metric.taken:
                tally[rule].errors += 1
            return
        gone: set[int] = set()
        added: list[bytes] = []
        sizes = metric.sizes()
        for rule, taken in metric.taken.items():
            merged, made = self._merged(rule, metric, taken, tally)
            added += made
            gone.update(merged)
            tally[rule].emitted += len(made)
            tally.remove(rule, len(merged), sum(sizes[point] for point in merged))
        if gone:
            left = len(sizes) - len(gone) + len(added)
            message = with_points(metric.message, metric.kind, gone, added) if left else None
            changed[item] = None if message is None else b"".join(field_of(_ITEMS, message))

    def _merged(
        self, rule: int, metric: _Metric, points: Sequence[int], tally: Tally
    ) -> tuple[Sequence[int], Sequence[bytes]]:
        """Return which points go, and what stands in their place: nothing where a rule drops."""
        how = self.merging.get(rule)
        if how is None:
            return points, []
        made = aggregated(metric.message, points, how)
        if isinstance(made, Refused):
            tally.refusals[f"{self.rules[rule].name}: {made.reason}"] += len(points)
            return [], []
        return made.taken, made.points
