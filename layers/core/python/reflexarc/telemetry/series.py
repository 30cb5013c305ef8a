"""Finds the points of listed metrics in a batch, for who watches training or inference. Pure."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from reflexarc.events.series import Point, Series
from reflexarc.telemetry.gpu_metrics import is_number, number_of
from reflexarc.telemetry.places import moment, texts_of
from reflexarc.telemetry.told import Batch, Told, header, runs

ATTRIBUTES_MAX = 20
_VALUE_MAX = 200


def series(batch: Batch, names: Sequence[str], now: datetime) -> Iterator[Told]:
    """Yield messages with the points of the metrics of these names; `*` at the end: any ending."""
    if batch.signal != "metrics" or not names:
        return
    anywhere, whole = _patterns(tuple(names))
    if not anywhere.search(batch.payload):
        return
    for number, some in enumerate(runs(_points(batch, whole), _size)):
        message = Series.model_validate(
            {
                **header(batch, f"series\x1f{number}", batch.source, now),
                "received_at": batch.received_at,
                "points": some,
            }
        )
        yield Told(to="series", message=message, items=len(some))


def _points(batch: Batch, names: re.Pattern[str]) -> Iterator[Point]:
    for part in ExportMetricsServiceRequest.FromString(batch.payload).resource_metrics:
        resource = _short(texts_of(part.resource.attributes, ATTRIBUTES_MAX))
        for scope in part.scope_metrics:
            for metric in scope.metrics:
                if names.fullmatch(metric.name):
                    yield from _points_of(metric, resource, batch.received_at)


def _points_of(metric: Metric, resource: dict[str, str], received_at: datetime) -> Iterator[Point]:
    """Yield the numbers of a gauge or a sum; a histogram is no series of numbers."""
    delta = metric.sum.aggregation_temporality == AggregationTemporality.Value(
        "AGGREGATION_TEMPORALITY_DELTA"
    )
    for kind, points in (("gauge", metric.gauge.data_points), ("sum", metric.sum.data_points)):
        for point in filter(is_number, points):
            yield Point.model_validate(
                {
                    "metric": metric.name,
                    "kind": kind,
                    "delta": delta and kind == "sum",
                    "at": moment(point.time_unix_nano) or received_at,
                    "value": number_of(point),
                    "attributes": _short(texts_of(point.attributes, ATTRIBUTES_MAX)),
                    "resource": resource,
                }
            )


def _size(point: Point) -> int:
    texts = (*point.attributes.items(), *point.resource.items())
    return len(point.metric) + sum(len(name) + len(text) for name, text in texts)


def _short(texts: dict[str, str]) -> dict[str, str]:
    return {name[:_VALUE_MAX]: text[:_VALUE_MAX] for name, text in texts.items()}


@lru_cache(maxsize=8)
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[bytes], re.Pattern[str]]:
    anywhere = "|".join(re.escape(name.removesuffix("*")) for name in names)
    whole = "|".join(
        f"{re.escape(name.removesuffix('*'))}.*" if name.endswith("*") else re.escape(name)
        for name in names
    )
    return re.compile(anywhere.encode()), re.compile(whole)
