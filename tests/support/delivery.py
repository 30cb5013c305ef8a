"""A delivery service on an outbox in memory, with vendors and a clock that tests move."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.queues import (
    MemoryDeadLetters,
    MemoryReWakes,
    MemoryUndeliverable,
)
from reflexarc.events.notice import Notice
from reflexarc.events.signal import Hops
from reflexarc.notify import rules
from reflexarc.notify.model import Receipt
from reflexarc.notify.service import DeliveryService
from tests.support.notices import NOW


@dataclass
class Hand:
    """A clock that moves when it is told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Vendor:
    """A sender that keeps what it took; each call first meets the next scripted trouble."""

    via: str = "slack"
    sent: list[tuple[str, str, bool]] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)
    troubles: list[Exception | None] = field(default_factory=list)
    found: Receipt | None = None
    before: Callable[[], None] = lambda: None

    def send(
        self, notice: Notice, receipt: Receipt | None, now: datetime, *, plain: bool = False
    ) -> Receipt:
        """Take a message, or raise what the script says."""
        self.before()
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        severity, latency = rules.told(notice, receipt, now)
        self.sent.append((notice.action, "update" if receipt else "post", plain))
        return Receipt(
            vendor_id=notice.incident.key,
            via=self.via,
            posted_at=now,
            severity=severity,
            latency_ms=latency,
        )

    def find(self, notice: Notice) -> Receipt | None:
        """Return the message that the test says is there."""
        self.looked_for.append(notice.incident.entity.device)
        return self.found


@dataclass
class Notebook:
    """A journal that keeps its lines."""

    lines: list[tuple[str, ...]] = field(default_factory=list)
    latencies: list[int | None] = field(default_factory=list)

    def delivered(self, notice: Notice, hops: Hops, latency_ms: int | None) -> None:
        """Keep it."""
        assert hops.delivered_at is not None
        self.lines.append(("delivered", notice.action))
        self.latencies.append(latency_ms)

    def failing(self, group: str, reason: str, failures: int) -> None:
        """Keep it."""
        self.lines.append(("failing", group, reason, str(failures)))

    def refused(self, notice: Notice, reason: str, *, lost: bool) -> None:
        """Keep it."""
        self.lines.append(("lost" if lost else "refused", notice.action, reason))


@dataclass
class Office:
    """Everything that delivery needs, within a test's reach."""

    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    slack: Vendor = field(default_factory=Vendor)
    pagerduty: Vendor = field(default_factory=lambda: Vendor(via="pagerduty"))
    re_wakes: MemoryReWakes = field(default_factory=MemoryReWakes)
    undeliverable: MemoryUndeliverable = field(default_factory=MemoryUndeliverable)
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    journal: Notebook = field(default_factory=Notebook)
    clock: Hand = field(default_factory=Hand)

    def service(self) -> DeliveryService:
        """Return a sender; each call is another process."""
        return DeliveryService(
            outbox=self.outbox,
            senders={"slack": self.slack, "pagerduty": self.pagerduty},
            re_wakes=self.re_wakes,
            undeliverable=self.undeliverable,
            dead_letters=self.dead_letters,
            journal=self.journal,
            clock=self.clock,
            new_owner=_owners.__next__,
        )

    def owe(self, notices: Iterable[Notice]) -> None:
        """Put notices into the outbox, as a committed change does."""
        for notice in notices:
            self.outbox.store.rows.setdefault(notice.group, {})[notice.row] = notice

    def owed(self) -> int:
        """Return how many notices are unsent."""
        return sum(len(rows) for rows in self.outbox.store.rows.values())

    def waits(self) -> list[float]:
        """Return the planned re-wakes, as seconds from now."""
        return [(at - self.clock.now).total_seconds() for _, at in self.re_wakes.planned]


_owners = (f"owner-{number}" for number in itertools.count(1))
