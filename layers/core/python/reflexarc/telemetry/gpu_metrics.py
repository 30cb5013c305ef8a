"""Finds a DCGM exporter's metrics in a batch and tells of each node's GPUs what they say. Pure.

What is told is a look at one moment: no rules were asked, nothing is known of hours or jobs' ends,
and no heartbeat of an agent stands behind it.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.telemetry.places import moment, node_of, texts_of
from reflexarc.telemetry.ports import GpuPage
from reflexarc.telemetry.told import Batch, Told, header

AGENT = "telemetry"
_MARK = b"DCGM_FI_"
_NAME = re.compile(r"DCGM_(?:FI|EXP)_[A-Z0-9_]{1,100}")
# A node of 16 GPUs with 7 instances each, and every field.
POINTS_MAX = 20_000
# A gateway batches the nodes of a fleet; more are none.
NODES_MAX = 2_000

# When it was read, and the point as a line of the exporter's page has it.
_Point = tuple[datetime, str, Mapping[str, str], float]


def gpu_metrics(batch: Batch, page: GpuPage, now: datetime) -> Iterator[Told]:
    """Yield a message a node with the newest that a batch of metrics says of its GPUs."""
    if batch.signal != "metrics" or _MARK not in batch.payload:
        return
    for node, points in _by_node(batch).items():
        points.sort(key=lambda point: point[0], reverse=True)
        gpus = page.readings((name, labels, value) for _, name, labels, value in points)
        if gpus:
            at = points[0][0]
            message = GpuReadings.model_validate(
                {
                    **header(batch, f"gpu_readings\x1f{node}", node, now),
                    "source": {"node": node, "agent": AGENT},
                    "seq": int(at.timestamp()),
                    "heartbeat": {"started_at": at},
                    "gpus": gpus,
                }
            )
            yield Told(to="gpu-readings", message=message, items=len(points))


def _by_node(batch: Batch) -> Mapping[str, list[_Point]]:
    nodes: dict[str, list[_Point]] = {}
    for part in ExportMetricsServiceRequest.FromString(batch.payload).resource_metrics:
        resource = texts_of(part.resource.attributes)
        for scope in part.scope_metrics:
            for metric in scope.metrics:
                if not _NAME.fullmatch(metric.name):
                    continue
                for point in _points(metric):
                    labels = texts_of(point.attributes)
                    node = node_of(resource, (labels.get("Hostname", ""),))
                    known = nodes.get(node)
                    if node and known is None and len(nodes) < NODES_MAX:
                        known = nodes.setdefault(node, [])
                    if known is not None and len(known) < POINTS_MAX:
                        at = moment(point.time_unix_nano) or batch.received_at
                        known.append((at, metric.name, labels, number_of(point)))
    return nodes


def _points(metric: Metric) -> Iterator[Any]:
    """Yield the numbers of a gauge or a sum; DCGM has nothing else."""
    yield from filter(is_number, metric.gauge.data_points)
    yield from filter(is_number, metric.sum.data_points)


def is_number(point: Any) -> bool:
    """Return whether a point holds a number that was read."""
    return point.WhichOneof("value") is not None and math.isfinite(number_of(point))


def number_of(point: Any) -> float:
    """Return the number of a point that holds one."""
    return float(getattr(point, point.WhichOneof("value")))
