"""Compares what people should have been told with what reached them: lost and doubled alerts."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reflexarc.events.notice import ChannelKind
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops

# The stages of a page, in order, each from the moment named before it to its own.
STAGES = ("read", "send", "queue", "decide", "deliver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One page that somebody must get: one incident on one channel."""

    key: str
    fingerprint: str
    channel: ChannelKind
    node: str
    device: str
    cause: str
    code: int | None
    severity: Severity
    written_at: datetime
    by_the_node: bool = False
    """Found by a rule on the node: its way begins there, at some moment of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One new message or incident at a vendor, as the vendor saw it."""

    key: str
    channel: ChannelKind
    at: datetime
    hops: Hops | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A page that arrived, and how long each stage of its way took."""

    cause: str
    code: int | None
    node: str
    gpu: str
    severity: Severity
    channel: ChannelKind
    latency_ms: float
    hops: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The verdict on a run."""

    alerts: tuple[Alert, ...]
    lost: tuple[Expected, ...]
    duplicates: tuple[Landed, ...]


def audit(expected: Iterable[Expected], landed: Iterable[Landed]) -> Audit:
    """Match pages that were due with pages that came.

    A page that was not due counts as a duplicate: somebody was woken for nothing.
    """
    due = {(page.key, page.channel): page for page in expected}
    arrivals = sorted(landed, key=lambda page: page.at)
    seen: Counter[tuple[str, ChannelKind]] = Counter()
    alerts, duplicates = [], []
    for page in arrivals:
        place = (page.key, page.channel)
        seen[place] += 1
        if place in due and seen[place] == 1:
            alerts.append(alert(due[place], page))
        else:
            duplicates.append(page)
    return Audit(
        alerts=tuple(alerts),
        lost=tuple(page for place, page in due.items() if not seen[place]),
        duplicates=tuple(duplicates),
    )


def alert(expected: Expected, landed: Landed) -> Alert:
    """Return the page that arrived, with the time from the kernel's line to the vendor."""
    return Alert(
        cause=expected.cause,
        code=expected.code,
        node=expected.node,
        gpu=expected.device,
        severity=expected.severity,
        channel=landed.channel,
        latency_ms=_ms(expected.written_at, landed.at),
        hops=stages(expected.written_at, landed.hops, landed.at),
    )


def stages(written_at: datetime, hops: Hops | None, at: datetime) -> dict[str, float]:
    """Return the milliseconds of each stage; a moment that nobody stamped joins its successor."""
    if hops is None:
        return {}
    moments = (
        hops.observed_at,
        hops.queued_at,
        hops.received_at,
        hops.decided_at,
        at,  # hops.delivered_at is later: the sender stamps it when the vendor has answered
    )
    took, last = {}, written_at
    for stage, moment in zip(STAGES, moments, strict=True):
        if moment is not None:
            took[stage] = _ms(last, moment)
            last = moment
    return took


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the nearest-rank percentile, None of nothing."""
    ranked = sorted(values)
    if not ranked:
        return None
    return ranked[min(len(ranked) - 1, max(0, math.ceil(share * len(ranked)) - 1))]


def _ms(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() * 1000, 1)
