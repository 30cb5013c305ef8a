"""Metrics that cost and tell nothing: values that never change, attributes that split. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA, Metric

from reflexarc.telemetry.suggesting.distinct import Distinct
from reflexarc.telemetry.suggesting.model import Finding, Suggestion
from reflexarc.telemetry.suggesting.wording import quoted

NAMES_MAX = 5_000
SERIES_MAX = 200_000
KEYS_MAX = 24
_NS_A_MINUTE = 60_000_000_000
_INTERVAL_S = 60
# A value that stayed the same over fewer points may still change.
_POINTS_A_SERIES = 3
# Without the attribute so many points would be left, or fewer.
_WORTH_IT = 0.5
_SHARE = 0.02
_MANY_VALUES = 100
_SHOWN = 8
# What people are glad to see unchanged: that a target is up, that nothing failed; and what is there
# to be joined with.
_STILL = re.compile(
    r"(?:^|[._])(?:up|info|errors?|fail\w*|health\w*|alerts?|drop\w*|reject\w*)(?:$|[._])"
)


@dataclass(slots=True)
class _Name:
    kind: str = ""
    delta: bool = False
    points: int = 0
    size: int = 0
    changes: int = 0
    series: int = 0
    # By attribute: its values, and the points that there would be without it.
    values: dict[str, Distinct] = field(default_factory=dict)
    without: dict[str, Distinct] = field(default_factory=dict)


@dataclass(slots=True)
class Metrics:
    """Counts points by metric, and looks at their series."""

    points: int = 0
    size: int = 0
    _names: dict[str, _Name] = field(default_factory=dict)
    # The last value of a series, and the time of it.
    _series: dict[int, tuple[Any, int]] = field(default_factory=dict)
    _twice: int = 0

    def take(self, payload: bytes) -> None:
        """Take note of a request."""
        for resource in ExportMetricsServiceRequest.FromString(payload).resource_metrics:
            owner = hash(resource.resource.SerializeToString())
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._take(metric, owner)

    def suggestions(self) -> Iterator[Suggestion]:
        """Yield rules, the greatest saving first."""
        ordered = sorted(self._names.items(), key=lambda pair: -pair[1].size)
        constant = [
            (text, name)
            for text, name in ordered
            if _never_changes(name) and not _tells_by_standing_still(text)
        ]
        if constant:
            points = sum(name.points for _, name in constant)
            yield Suggestion(
                "constant-metrics",
                "drop",
                {"metrics": [f"name == {quoted(text)}" for text, _ in constant]},
                f"{points:,} points, and no series of {_many(len(constant))} ever changed",
            )
        told = 0
        for text, name in ordered:
            keys = self._splitting(name)
            if keys and not _never_changes(name) and told < _SHOWN:
                told += 1
                yield Suggestion(
                    f"{text}-without-{'-'.join(keys)}",
                    "aggregate",
                    {"metrics": [f"name == {quoted(text)}"]},
                    f"{', '.join(f'{key} has {name.values[key].count():,} values' for key in keys)}"
                    f" in {name.points:,} points",
                    {"aggregate": {"remove": list(keys), "interval_s": _INTERVAL_S}},
                )

    def findings(self) -> Iterator[Finding]:
        """Yield what no rule can mend."""
        if self._twice:
            yield Finding(
                f"{self._twice:,} of {self.points:,} data points came twice, with the same time",
                "look for an exporter that is set up twice, or two Collectors on one path",
                self.size * self._twice // self.points,
            )
        for text, name in sorted(self._names.items(), key=lambda pair: -pair[1].size):
            many = {key: found.count() for key, found in name.values.items()}
            most = max(many, key=lambda key: many[key], default="")
            if most and many[most] >= _MANY_VALUES and not name.delta:
                yield Finding(
                    f"{text} is cumulative or a gauge, and {most} has {many[most]:,} values",
                    "send deltas, which can be merged, or leave it out with a view of the SDK",
                    name.size,
                )

    def _splitting(self, name: _Name) -> Sequence[str]:
        """Return the attribute without which half of the points or fewer would be left."""
        if not name.delta or name.points < _SHARE * self.points:
            return ()
        left = {key: found.count() for key, found in name.without.items()}
        best = min(left, key=lambda key: left[key], default="")
        return (best,) if best and left[best] <= _WORTH_IT * name.points else ()

    def _take(self, metric: Metric, owner: int) -> None:
        kind = metric.WhichOneof("data")
        if kind is None:
            return
        name = self._names.get(metric.name)
        if name is None:
            if len(self._names) >= NAMES_MAX:
                return
            name = self._names[metric.name] = _Name(kind)
        data = getattr(metric, kind)
        temporality = getattr(data, "aggregation_temporality", None)
        name.delta = kind in {"sum", "histogram"} and temporality == AGGREGATION_TEMPORALITY_DELTA
        for point in data.data_points:
            size = point.ByteSize()
            self.points += 1
            self.size += size
            name.points += 1
            name.size += size
            self._take_point(metric.name, name, point, owner)

    def _take_point(self, text: str, name: _Name, point: Any, owner: int) -> None:
        pairs = sorted(
            (each.key, hash(each.value.SerializeToString())) for each in point.attributes
        )
        series = hash((owner, text, *pairs))
        value = _value(point, name.kind)
        last = self._series.get(series)
        if last is None:
            name.series += 1
        elif last[0] != value:
            name.changes += 1
        elif last[1] == point.time_unix_nano:
            self._twice += 1
        if last is not None or len(self._series) < SERIES_MAX:
            self._series[series] = value, point.time_unix_nano
        minute = point.time_unix_nano // _NS_A_MINUTE
        for key, hashed in pairs[:KEYS_MAX]:
            name.values.setdefault(key, Distinct()).add(hashed)
            if name.delta:
                others = hash((owner, minute, *(pair for pair in pairs if pair[0] != key)))
                name.without.setdefault(key, Distinct()).add(others)


def _many(metrics: int) -> str:
    return "this metric" if metrics == 1 else f"these {metrics:,} metrics"


def _tells_by_standing_still(text: str) -> bool:
    return _STILL.search(text) is not None


def _never_changes(name: _Name) -> bool:
    return not name.changes and name.points >= _POINTS_A_SERIES * name.series > 0


def _value(point: Any, kind: str) -> Any:
    """Return what a point says, so that two points that say the same are equal."""
    if kind in {"gauge", "sum"}:
        return point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return point.count, point.sum
