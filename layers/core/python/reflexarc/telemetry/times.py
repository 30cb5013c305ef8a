"""From when to when the telemetry of a batch is, by its first and last items. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from reflexarc.engines.otlp.framing import framed
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.places import moment
from reflexarc.telemetry.plan.whole import ITEMS
from reflexarc.telemetry.recorded import Batch

_HOUR = timedelta(hours=1)


def times_of(batch: Batch) -> Iterator[datetime]:
    """Yield times of a batch: the hour in which it came, or what its first and last items say."""
    if batch.at is not None:
        yield batch.at
        yield batch.at + _HOUR
        return
    parts = framed(batch.payload)
    for number in {0, len(parts.starts) - 1} if parts.starts else ():
        for nanoseconds in _of(batch.signal, ITEMS[batch.signal].FromString(parts.item(number))):
            found = moment(nanoseconds)
            if found is not None:
                yield found


def _of(signal: OtlpSignal, item: Any) -> Iterator[int]:
    match signal:
        case "traces":
            yield item.start_time_unix_nano
            yield item.end_time_unix_nano
        case "logs":
            yield item.time_unix_nano or item.observed_time_unix_nano
        case _:
            kind = item.WhichOneof("data")
            for point in getattr(item, kind).data_points if kind else ():
                yield point.time_unix_nano
