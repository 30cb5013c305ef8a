"""A delivery service on an outbox in memory, with vendors and a clock that tests move."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.queues import (
    MemoryDeadLetters,
    MemoryReWakes,
    MemoryUndeliverable,
)
from reflexarc.events.incident import PageRef
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.page import Member, Page, Story
from reflexarc.incidents.model import Commit, PageWrite
from reflexarc.notify.model import Attempt, Posted, Receipt, Task
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
    """A sender that keeps what it took; each call first meets the next scripted trouble.

    It shows a page as a root message, a list of its members, and a reply a line of history.
    """

    via: str = "slack"
    pace: timedelta = timedelta(0)
    sent: list[str] = field(default_factory=list)
    bodies: list[Mapping[str, Any]] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)
    troubles: list[Exception | None] = field(default_factory=list)
    found: dict[str, Receipt] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return the root, then the list, then each line of history that is not shown yet."""
        if receipt is None:
            return self._root(story, _first(story, channel, self.via, now))
        if receipt.digest != words(story):
            return self._update(story, receipt, now)
        listed = receipt.parts.get("list/1")
        if story.members and (listed is None or listed.digest != roll(story)):
            return self._listing(story, receipt)
        unsaid = (entry for entry in story.page.history if entry.number > receipt.said)
        if (entry := next(unsaid, None)) is None:
            return None
        becomes = receipt.model_copy(update={"said": entry.number})
        part = f"history/{entry.number}"
        body = {"key": story.page.key, "text": entry.what}
        return Task(part=part, action="reply", body=body, becomes=becomes)

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:  # noqa: ARG002 - the port's
        """Take a message, or raise what the script says."""
        self.before()
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        plain = " plain" if task.body.get("plain") else ""
        self.sent.append(f"{task.action} {task.part}{plain}")
        self.bodies.append(task.body)
        return self.took(task)

    def took(self, task: Task) -> Receipt:
        """Return the receipt of a task that was done, with the ids that a vendor gives."""
        becomes = task.becomes
        if posted := becomes.parts.get(task.part):
            named = posted.model_copy(update={"vendor_id": str(next(self._ids))})
            return becomes.model_copy(update={"parts": becomes.parts | {task.part: named}})
        if becomes.vendor_id:
            return becomes
        return becomes.model_copy(update={"vendor_id": str(next(self._ids))})

    def plain(self, task: Task, story: Story) -> Task:  # noqa: ARG002 - the port's
        """Return the same, marked as plain."""
        return replace(task, body={"plain": True})

    def find(
        self,
        task: Task,
        story: Story,  # noqa: ARG002 - the port's
        channel: Channel,  # noqa: ARG002 - the port's
        receipt: Receipt | None,
    ) -> Receipt | None:
        """Return the message that the test says is there, added to what is known."""
        self.looked_for.append(task.part)
        found = self.found.get(task.part)
        if found is None or receipt is None:
            return found
        return receipt.model_copy(update={"parts": receipt.parts | found.parts})

    def _root(self, story: Story, becomes: Receipt) -> Task:
        pages = story.page.state != "resolved"
        body = {"key": story.page.key, "text": words(story)}
        return Task(part="root", action="trigger", body=body, becomes=becomes, pages=pages)

    def _update(self, story: Story, receipt: Receipt, now: datetime) -> Task:
        page = story.page
        rises = receipt.severity is not None and page.severity.rank > receipt.severity.rank
        changes = {
            "updated_at": now,
            "digest": words(story),
            "severity": page.severity,
            "state": page.state,
            "shared": bool(story.members),
        }
        last = receipt.updated_at or receipt.posted_at
        return Task(
            part="root",
            action="update",
            body={"key": story.page.key, "text": words(story)},
            becomes=receipt.model_copy(update=changes),
            pages=rises,
            earliest=None if rises else last + self.pace,
        )

    def _listing(self, story: Story, receipt: Receipt) -> Task:
        known = receipt.parts.get("list/1")
        posted = Posted(vendor_id=known.vendor_id if known else "", digest=roll(story))
        parts = receipt.parts | {"list/1": posted}
        return Task(
            part="list/1",
            action="update" if known else "reply",
            body={"key": story.page.key, "text": roll(story)},
            becomes=receipt.model_copy(update={"parts": parts}),
        )


@dataclass
class Notebook:
    """A journal that keeps its lines."""

    lines: list[tuple[str, ...]] = field(default_factory=list)
    latencies: list[int | None] = field(default_factory=list)

    def delivered(self, page: Page, attempt: Attempt) -> None:
        """Keep it."""
        assert attempt.hops is not None
        assert attempt.hops.delivered_at is not None
        assert attempt.hops.observed_at == page.lead.hops.observed_at
        self.lines.append(("delivered", f"{attempt.action} {attempt.part}"))
        self.latencies.append(attempt.latency_ms)

    def failing(self, group: str, reason: str, failures: int) -> None:
        """Keep it."""
        self.lines.append(("failing", group, reason, str(failures)))

    def refused(self, page: Page, channel: str, reason: str, *, lost: bool) -> None:
        """Keep it."""
        assert page.channels
        self.lines.append(("lost" if lost else "refused", channel, reason))


@dataclass
class Stories:
    """Reads pages from the book, as the incidents slice does."""

    book: MemoryIncidentBook
    asked: list[bool] = field(default_factory=list)

    def story(self, ref: PageRef, *, shared: bool) -> Story | None:
        """Return a page, with its members if they are asked for."""
        self.asked.append(shared)
        page = self.book.page(ref)
        if page is None:
            return None
        return Story(page=page, members=self.book.members(ref) if shared else ())


@dataclass
class Office:
    """Everything that delivery needs, within a test's reach."""

    book: MemoryIncidentBook = field(default_factory=MemoryIncidentBook)
    slack: Vendor = field(default_factory=Vendor)
    pagerduty: Vendor = field(default_factory=lambda: Vendor(via="pagerduty"))
    re_wakes: MemoryReWakes = field(default_factory=MemoryReWakes)
    undeliverable: MemoryUndeliverable = field(default_factory=MemoryUndeliverable)
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    journal: Notebook = field(default_factory=Notebook)
    clock: Hand = field(default_factory=Hand)

    def __post_init__(self) -> None:
        """Open the outbox on the book's rows, and the pages that they are about."""
        self.outbox = MemoryOutbox(self.book.store)
        self.stories = Stories(self.book)

    def service(self) -> DeliveryService:
        """Return a sender; each call is another process."""
        return DeliveryService(
            outbox=self.outbox,
            pages=self.stories,
            senders={"slack": self.slack, "pagerduty": self.pagerduty},
            re_wakes=self.re_wakes,
            undeliverable=self.undeliverable,
            dead_letters=self.dead_letters,
            journal=self.journal,
            clock=self.clock,
            new_owner=_owners.__next__,
        )

    def tell(self, page: Page, *channels: Channel) -> None:
        """Store the next version of a page, and that these channels (or all) are behind on it."""
        known = self.book.page(page.ref)
        version = known.version if known else 0
        write = PageWrite(page=page.model_copy(update={"version": version + 1}), expected=version)
        notices = tuple(
            Notice(
                channel=channel,
                page=page.ref,
                severity=page.severity,
                created_at=self.clock.now,
                fresh=known is None,
            )
            for channel in channels or page.channels
        )
        self.book.commit(Commit(at=self.clock.now, pages=(write,), notices=notices))

    def join(self, page: Page, *members: Member) -> frozenset[str]:
        """Store members of a page, then mark its channels as behind; return the groups to wake."""
        joined = tuple((page.ref, member) for member in members)
        self.book.commit(Commit(at=self.clock.now, joined=joined))
        return self.book.mark(page, self.clock.now)

    def owed(self) -> int:
        """Return how many notices are unsent."""
        return sum(len(rows) for rows in self.book.store.rows.values())

    def waits(self) -> list[float]:
        """Return the planned re-wakes, as seconds from now."""
        return [(at - self.clock.now).total_seconds() for _, at in self.re_wakes.planned]


def _first(story: Story, channel: Channel, via: str, now: datetime) -> Receipt:
    page = story.page
    return Receipt(
        vendor_id="",
        destination=channel.destination,
        via=via,
        posted_at=now,
        severity=page.severity,
        state=page.state,
        digest=words(story),
        shared=bool(story.members),
    )


def words(story: Story) -> str:
    """Return what the root message says."""
    page = story.page
    return f"{page.state} {page.severity} {page.lead.count} {len(story.members)}"


def roll(story: Story) -> str:
    """Return what the list of members says."""
    return " ".join(f"{member.entity.device}:{member.state}" for member in story.members)


_owners = (f"owner-{number}" for number in itertools.count(1))
