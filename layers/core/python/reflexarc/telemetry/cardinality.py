"""How many values each attribute of each metric has: estimated, on a sample of the batches.

One batch in ten is looked at, chosen by its id, so that a batch that comes twice is chosen twice
and changes nothing: joining sketches again gives the same. HyperLogLog of 2,048 registers errs by
2.3 % (one standard error). An attribute with many values shows in any sample; one with few does
not matter.
https://datasketches.apache.org/docs/HLL/HLL.html
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.kernel.errors import Unavailable
from reflexarc.telemetry.ports import Sketches

# One batch in so many.
SAMPLED = 10
LG_K = 11
WRITTEN_EVERY_S = 60.0
# Sketches that are held until they are written; an explosion of names must not become one of ours.
SKETCHES_MAX = 512
ATTRIBUTES_MAX = 32

# The library has no types.
Sketch = Any


def is_sampled(message_id: str) -> bool:
    """Return whether a batch is looked at."""
    return zlib.crc32(message_id.encode()) % SAMPLED == 0


@dataclass(slots=True)
class Gathered:
    """Sketches by hour, metric and attribute, until they are written."""

    sketches: dict[tuple[datetime, str], dict[str, Sketch]] = field(default_factory=dict)
    number: int = 0
    left_out: int = 0

    def look(self, payload: bytes, hour: datetime) -> None:
        """Count the values of a request's points."""
        request = ExportMetricsServiceRequest.FromString(payload)
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._look(metric, hour)

    def take(self) -> Mapping[tuple[datetime, str], Mapping[str, bytes]]:
        """Return what was gathered, as it is kept, and begin anew."""
        taken = {
            key: {name: sketch.serialize_compact() for name, sketch in found.items()}
            for key, found in self.sketches.items()
        }
        self.sketches, self.number = {}, 0
        return taken

    def _look(self, metric: Metric, hour: datetime) -> None:
        kind = metric.WhichOneof("data")
        if kind is None:
            return
        found = self.sketches.setdefault((hour, metric.name[:255]), {})
        for point in getattr(metric, kind).data_points:
            for attribute in point.attributes:
                sketch = found.get(attribute.key) or self._begun(found, attribute.key)
                if sketch is not None:
                    # Of bytes the library makes numbers.
                    sketch.update(attribute.value.SerializeToString().decode("latin-1"))

    def _begun(self, found: dict[str, Sketch], name: str) -> Sketch | None:
        if self.number >= SKETCHES_MAX or len(found) >= ATTRIBUTES_MAX:
            self.left_out += 1
            return None
        self.number += 1
        found[name] = _library().hll_sketch(LG_K, _library().tgt_hll_type.HLL_4)
        return found[name]


@dataclass(slots=True, kw_only=True)
class Cardinality:
    """Looks at batches of metrics, and writes what it gathered once a minute at most.

    Sketches that cannot be written are lost, and `lost` is told: an estimate of a sample is worth
    no batch that waits.
    """

    sketches: Sketches
    monotonic: Callable[[], float]
    lost: Callable[[str], None]
    _gathered: Gathered = field(default_factory=Gathered)
    _written_at: float | None = None

    def look(self, message_id: str, payload: bytes, received_at: datetime) -> None:
        """Count the values of a batch, where it is of the sample."""
        if is_sampled(message_id):
            hour = received_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            self._gathered.look(payload, hour)

    def flush(self) -> None:
        """Write what was gathered, if it is time."""
        now = self.monotonic()
        if self._written_at is None:
            self._written_at = now
        if now - self._written_at < WRITTEN_EVERY_S or not self._gathered.number:
            return
        self._written_at = now
        for (hour, metric), sketches in self._gathered.take().items():
            try:
                self.sketches.merge(hour, metric, sketches)
            except Unavailable as error:
                self.lost(str(error))


def joined(one: bytes, other: bytes) -> bytes:
    """Return the sketch of all that either saw."""
    union = _library().hll_union(LG_K)
    for sketch in (one, other):
        union.update(_library().hll_sketch.deserialize(sketch))
    return bytes(union.get_result(_library().tgt_hll_type.HLL_4).serialize_compact())


def estimate(sketch: bytes) -> int:
    """Return about how many values a sketch saw."""
    return int(_library().hll_sketch.deserialize(sketch).get_estimate() + 0.5)


@cache
def _library() -> Any:
    """Return the sketches' library, when the first batch is looked at: it takes 0.1 s to load."""
    import datasketches  # type: ignore[import-untyped]  # noqa: PLC0415 - above

    return datasketches
