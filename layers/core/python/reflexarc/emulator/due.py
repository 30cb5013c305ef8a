"""Who must be told what, worked out from the kernel lines alone: the other side of the audit.

The parser, the policy and what joins a page are the product's; its queues, functions and tables are
not asked. So a page that they lose or double is one that this still counts once.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count

from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.queues import MemoryTimers, MemoryWakeUps
from reflexarc.emulator.audit import Expected
from reflexarc.events.delivery import Delivery
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.page import Page
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.messages import Batch
from reflexarc.gpu.parse import parse
from reflexarc.gpu.salvage import Salvaged
from reflexarc.gpu.signals import signals_of
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.model import Policy
from reflexarc.incidents.service import IncidentService
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid


class Due:
    """Follows what was written on every node and names each page that this makes due.

    `policy` is what the stack decides by: its labels say which nodes share a page.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self._labels: dict[str, Mapping[str, str]] = {}
        self._events: defaultdict[str, EventLines] = defaultdict(EventLines)
        self._book = MemoryIncidentBook()
        self._now = datetime.min.replace(tzinfo=UTC)
        self._told: set[tuple[str, str]] = set()
        self._ids = count()
        known = policy or default_policy("C0ANY")
        self._service = IncidentService(
            book=self._book,
            wake_ups=MemoryWakeUps(),
            timers=MemoryTimers(),
            policy=lambda: known,
            clock=lambda: self._now,
        )

    def labelled(self, node: str, labels: Mapping[str, str]) -> None:
        """Note the labels with which a node's agent was started."""
        self._labels[node] = labels

    def wrote(self, node: str, line: str, at: datetime) -> list[Expected]:
        """Return the pages that become due because a node's kernel wrote this line."""
        event = self._events[node].feed(line)
        fault = parse(event)
        if fault.kind == "none" and not fault.suspicious:
            return []
        report = Salvaged(line=event, observed_at=at)
        return self._due(self._batch(node, at, reports=(report,)), at)

    def found(self, node: str, finding: Finding, at: datetime) -> list[Expected]:
        """Return the pages that become due because a node's own rule found this."""
        pages = self._due(self._batch(node, at, findings=(finding,)), at)
        return [replace(page, by_the_node=True) for page in pages]

    def _batch(
        self,
        node: str,
        at: datetime,
        *,
        reports: tuple[Salvaged, ...] = (),
        findings: tuple[Finding, ...] = (),
    ) -> Batch:
        return Batch(
            id=ulid(at, next(self._ids).to_bytes(ENTROPY_BYTES, "big")),
            source=Source(node=node, labels=dict(self._labels.get(node, {}))),
            seq=None,
            sent_at=at,
            reports=reports,
            findings=findings,
        )

    def _due(self, batch: Batch, at: datetime) -> list[Expected]:
        self._now = at
        delivery = Delivery(message_id="", body="", sender="", queued_at=at)
        signals = signals_of(batch, delivery, GpuPolicy(), at)
        self._service.record(signals)
        latest = {signal.entity.fingerprint: signal for signal in signals}
        return list(self._fresh(latest, at))

    def _fresh(self, latest: dict[str, Signal], at: datetime) -> Iterator[Expected]:
        """Yield what channels were told of for the first time just now."""
        for page in self._book.store.pages.values():
            signal = latest.get(page.lead.fingerprint)
            for channel in page.channels if signal else ():
                if signal and (page.key, channel.name) not in self._told:
                    self._told.add((page.key, channel.name))
                    yield _expected(page, signal, at)(channel=channel.kind)


def _expected(page: Page, signal: Signal, at: datetime) -> "partial[Expected]":
    return partial(
        Expected,
        key=page.key,
        fingerprint=signal.entity.fingerprint,
        node=signal.entity.node,
        device=signal.entity.device,
        cause=signal.cause,
        code=_code(signal),
        severity=signal.severity,
        written_at=at,
    )


def _code(signal: Signal) -> int | None:
    code = signal.labels.get("xid") or signal.labels.get("sxid")
    return int(code) if code else None
