"""When several nodes of a rack grow hot together: one signal about the rack. Pure.

Whatever the order in which nodes are heard, the same rows give the same decision; its place in the
rack's history is the time at which the queue took the newest reading among them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from reflexarc.events.envelope import Source
from reflexarc.events.severity import Severity
from reflexarc.events.signal import EVIDENCE_MAX, Entity, Hops, Order, Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.findings import known_rule, overridden
from reflexarc.gpu.model import Verdict
from reflexarc.gpu.readings import NodeState, is_heated
from reflexarc.kernel.clock import epoch_ms, from_epoch_ms
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid

RULE = "rack/cooling"
LABEL = "rack"
NODES_MIN, GPUS_MIN = 2, 3
TOGETHER_MS = 180_000
# A hot node says so again this often; one that fell silent while hot stops counting after a few.
AGAIN_MS = 600_000
SILENT_MS = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """How hot one node of a rack is: GPUs on which a thermal rule holds, and since when."""

    node: str
    gpus: int
    critical: bool
    since_ms: int
    queued_ms: int

    @property
    def told(self) -> str:
        """Return what a node's state remembers of it; empty while it is cold."""
        if not self.gpus:
            return ""
        return f"{self.since_ms}|{self.gpus}|{int(self.critical)}|{self.queued_ms // AGAIN_MS}"


def heat_of(state: NodeState, told: str) -> Heat:
    """Return how hot a node is; `told` is what the rack was last told of it."""
    queued_ms = epoch_ms(state.queued_at)
    hot = [] if state.left else [gpu for gpu in state.gpus if is_heated(gpu)]
    return Heat(
        node=state.node,
        gpus=len(hot),
        critical=any(gpu.health == "critical" for gpu in hot),
        since_ms=int(told.partition("|")[0]) if told else queued_ms,
        queued_ms=queued_ms,
    )


def decide(rows: Sequence[Heat]) -> Literal["fire", "clear", ""]:
    """Return what the rows of a rack say: it is hot, it is well, or neither."""
    if not (hot := _hot(rows)):
        return "clear"
    return "fire" if _together(hot) else ""


def signal_of(
    rack: str,
    rows: Sequence[Heat],
    kind: Literal["fire", "clear"],
    policy: GpuPolicy,
    now: datetime,
) -> Signal:
    """Return the signal about a rack; the same rows give one of the same id."""
    newest = max(row.queued_ms for row in rows)
    hot = _hot(rows)
    first_ms = min((row.since_ms for row in hot), default=newest)
    first_at, newest_at = from_epoch_ms(first_ms), from_epoch_ms(newest)
    verdict = _verdict(hot, policy)
    said = ";".join(f"{row.node}|{row.told}" for row in sorted(rows, key=lambda row: row.node))
    digest = hashlib.sha256(f"{rack}\x1f{kind}\x1f{said}".encode()).digest()
    return Signal(
        id=ulid(newest_at, digest[:ENTROPY_BYTES]),
        sent_at=newest_at,
        source=Source(node=rack),
        kind=kind,
        entity=Entity(kind="rack", device=rack, aspect="thermal"),
        cause=RULE,
        severity=verdict.severity if kind == "fire" else Severity.INFO,
        title=verdict.title if kind == "fire" else "No node of the rack is hot any more",
        meaning=verdict.meaning if kind == "fire" else "",
        action=verdict.action if kind == "fire" else "",
        owner=verdict.owner,
        labels={LABEL: rack, "aspect": "thermal", "rule": RULE},
        marks=() if kind == "clear" else (_extent(hot),),
        evidence=tuple(
            f"{row.node}: {row.gpus} hot since {from_epoch_ms(row.since_ms):%H:%M:%S} UTC"
            for row in hot[:EVIDENCE_MAX]
        ),
        first_at=first_at,
        last_at=newest_at,
        order=Order(boot_id=RULE, seq=newest),
        hops=Hops(observed_at=newest_at, queued_at=newest_at, received_at=now),
    )


def _hot(rows: Sequence[Heat]) -> list[Heat]:
    """Return the hot nodes that still speak, the first to grow hot first."""
    newest = max((row.queued_ms for row in rows), default=0)
    hot = [row for row in rows if row.gpus and newest - row.queued_ms < SILENT_MS]
    return sorted(hot, key=lambda row: (row.since_ms, row.node))


def _together(hot: Sequence[Heat]) -> bool:
    """Return whether enough nodes and GPUs grew hot within one span of minutes."""
    for place, first in enumerate(hot):
        span = [row for row in hot[place:] if row.since_ms - first.since_ms <= TOGETHER_MS]
        if len(span) >= NODES_MIN and sum(row.gpus for row in span) >= GPUS_MIN:
            return True
    return False


def _verdict(hot: Sequence[Heat], policy: GpuPolicy) -> Verdict:
    known = known_rule(RULE) or {}
    critical = any(row.critical for row in hot)
    verdict = Verdict(
        cause=RULE,
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        title=known["title"],
        meaning=known["meaning"],
        action=known["action"],
        owner=known["owner"],
    )
    return overridden(verdict, RULE, policy)


def _extent(hot: Sequence[Heat]) -> str:
    gpus = sum(row.gpus for row in hot)
    longest = timedelta(milliseconds=max(row.since_ms for row in hot) - hot[0].since_ms)
    return f"{gpus} GPUs of {len(hot)} nodes, within {longest.total_seconds():.0f} s"
