"""Who must be told what, worked out from the kernel lines alone: the other side of the audit.

The parser, the policy and the routes are the product's; its queues, functions and tables are not
asked. So a page that they lose or double is one that this still counts once.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime

from reflexarc.emulator.audit import Expected
from reflexarc.events.delivery import Delivery
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.incident import key_of
from reflexarc.events.notice import Channel
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.messages import Batch
from reflexarc.gpu.parse import parse
from reflexarc.gpu.salvage import Salvaged
from reflexarc.gpu.signals import signals_of
from reflexarc.incidents.config import default_routing
from reflexarc.incidents.model import Routing


@dataclass(slots=True)
class _Life:
    """One thing's incident so far: how often it opened, and who was told this time."""

    generation: int = 0
    is_open: bool = False
    told: set[str] = field(default_factory=set)


class Due:
    """Follows what was written on every node and names each page that this makes due."""

    def __init__(self, routing: Routing | None = None) -> None:
        self._routing = routing or default_routing("C0ANY")
        self._events: defaultdict[str, EventLines] = defaultdict(EventLines)
        self._lives: defaultdict[str, _Life] = defaultdict(_Life)

    def wrote(self, node: str, line: str, at: datetime) -> list[Expected]:
        """Return the pages that become due because a node's kernel wrote this line."""
        event = self._events[node].feed(line)
        fault = parse(event)
        if fault.kind == "none" and not fault.suspicious:
            return []
        return [page for signal in _signals(node, event, at) for page in self._pages(signal, at)]

    def found(self, node: str, finding: Finding, at: datetime) -> list[Expected]:
        """Return the pages that become due because a node's own rule found this."""
        batch = Batch(
            id="0" * 26,
            source=Source(node=node),
            seq=None,
            sent_at=at,
            reports=(),
            findings=(finding,),
        )
        delivery = Delivery(message_id="", body="", sender="", queued_at=at)
        signals = signals_of(batch, delivery, GpuPolicy(), at)
        pages = [page for signal in signals for page in self._pages(signal, at)]
        return [replace(page, by_the_node=True) for page in pages]

    def _pages(self, signal: Signal, at: datetime) -> list[Expected]:
        life = self._lives[signal.entity.fingerprint]
        if signal.kind == "clear":
            life.is_open = False
            return []
        if not life.is_open:
            life.generation += 1
            life.is_open = True
            life.told = set()
        fresh = [
            channel
            for channel in channels_of(signal.severity, self._routing)
            if channel.name not in life.told
        ]
        life.told |= {channel.name for channel in fresh}
        key = key_of(signal.entity.fingerprint, life.generation)
        return [
            Expected(
                key=key,
                fingerprint=signal.entity.fingerprint,
                channel=channel.kind,
                node=signal.entity.node,
                device=signal.entity.device,
                cause=signal.cause,
                code=_code(signal),
                severity=signal.severity,
                written_at=at,
            )
            for channel in fresh
        ]


def channels_of(severity: Severity, routing: Routing) -> list[Channel]:
    """Return the channels that an incident of this severity goes to."""
    names = {
        name
        for route in routing.routes
        if not route.match.severity or severity in route.match.severity
        for name in route.channels
    }
    return [channel for channel in routing.channels if channel.name in names]


def _signals(node: str, event: str, at: datetime) -> tuple[Signal, ...]:
    batch = Batch(
        id="0" * 26,
        source=Source(node=node),
        seq=None,
        sent_at=at,
        reports=(Salvaged(line=event, observed_at=at),),
    )
    delivery = Delivery(message_id="", body="", sender="", queued_at=at)
    return signals_of(batch, delivery, GpuPolicy(), at)


def _code(signal: Signal) -> int | None:
    code = signal.labels.get("xid") or signal.labels.get("sxid")
    return int(code) if code else None
