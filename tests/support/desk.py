"""Incidents and their pages on a store in memory, with a clock and a policy that tests choose."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.pages import MemorySilences
from reflexarc.adapters.memory.queues import MemoryTimers, MemoryWakeUps
from reflexarc.events.action import Act, Action, Person, Timer
from reflexarc.events.incident import Incident
from reflexarc.events.page import Member, Page
from reflexarc.events.signal import Signal
from reflexarc.incidents.acts import ActionService
from reflexarc.incidents.closing import Closing
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.ending import Ending
from reflexarc.incidents.model import Commit, Policy
from reflexarc.incidents.service import IncidentService
from reflexarc.incidents.steps import StepService
from tests.support.incidents import NOW, ulid_of

ALICE, BOB = Person(id="U1", name="alice", via="slack"), Person(id="U2", name="bob", via="slack")


@dataclass
class Heard:
    """Answers that people got."""

    said: list[tuple[str, str, str]] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)

    def answer(self, reply_to: str, person: str, text: str) -> None:
        """Keep it, or fail as planned."""
        if self.trouble:
            raise self.trouble.pop(0)
        self.said.append((reply_to, person, text))


@dataclass
class StubbornBook:
    """A book that fails as told, once a commit, and lets a test act before and after its calls."""

    book: MemoryIncidentBook
    failures: list[Exception | None] = field(default_factory=list)
    before: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    after: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    stored: list[Commit] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the book's method between what a test wants to happen."""
        method = getattr(self.book, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._happens(self.before, name)
            if name == "commit":
                self.commits.append(arguments[0])
                if self.failures and (failure := self.failures.pop(0)):
                    raise failure
            answer = method(*arguments, **named)
            self.stored += arguments[:1] if name == "commit" else ()
            self._happens(self.after, name)
            return answer

        return call

    def _happens(self, planned: dict[str, list[Callable[[], object]]], name: str) -> None:
        if planned.get(name):
            planned[name].pop(0)()


@dataclass
class Desk:
    """Everything about incidents within a test's reach."""

    policy: Policy = field(default_factory=lambda: default_policy("C0PAGES"))
    book: MemoryIncidentBook = field(default_factory=MemoryIncidentBook)
    stubborn: StubbornBook = field(init=False)
    """The book as the services see it."""
    wake_ups: MemoryWakeUps = field(default_factory=MemoryWakeUps)
    timers: MemoryTimers = field(default_factory=MemoryTimers)
    silences: MemorySilences = field(default_factory=MemorySilences)
    answers: Heard = field(default_factory=Heard)
    now: datetime = NOW
    pauses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put the services behind a book that a test may make fail."""
        self.stubborn = StubbornBook(self.book)

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def service(self, **parts: Any) -> IncidentService:
        """Return what records signals."""
        made = IncidentService(
            book=cast("MemoryIncidentBook", self.stubborn),
            wake_ups=self.wake_ups,
            timers=self.timers,
            policy=self._policy,
            clock=self.clock,
            pause=self.pauses.append,
        )
        return replace(made, **parts)

    def record(self, *signals: Signal) -> None:
        """Record signals; all of them must be recorded."""
        assert self.service().record(signals) == frozenset()

    def act(self, act: Act, page: Page, person: Person = ALICE, **fields: Any) -> Action:
        """Let a person do something to a page."""
        values: dict[str, Any] = {
            "id": ulid_of(900 + len(self.answers.said)),
            "act": act,
            "page": page.ref,
            "person": person,
            "at": self.now,
            "reply_to": "C0PAGES|1.0",
        }
        action = Action(**(values | fields))
        self.acts().apply(action)
        return action

    def acts(self) -> ActionService:
        """Return what applies actions."""
        return ActionService(
            book=cast("MemoryIncidentBook", self.stubborn),
            silences=self.silences,
            answers=self.answers,
            wake_ups=self.wake_ups,
            ending=self.ending(),
            policy=self._policy,
            clock=self.clock,
            pause=self.pauses.append,
        )

    def tick(self) -> None:
        """Take every step that is due, as delayed messages and the watchdog bring it back."""
        for page in list(self.book.store.pages.values()):
            if page.due_at is not None and page.due_at <= self.now:
                self.steps().tick(Timer(page=page.ref, timer=page.timer, due_at=page.due_at))

    def steps(self) -> StepService:
        """Return what takes steps that are due."""
        return StepService(
            book=cast("MemoryIncidentBook", self.stubborn),
            wake_ups=self.wake_ups,
            timers=self.timers,
            ending=self.ending(),
            closing=self.closing(),
            policy=self._policy,
            clock=self.clock,
            pause=self.pauses.append,
        )

    def ending(self) -> Ending:
        """Return what ends incidents."""
        return Ending(
            book=cast("MemoryIncidentBook", self.stubborn),
            policy=self._policy,
            clock=self.clock,
            pause=self.pauses.append,
        )

    def closing(self, wake: Callable[[Any], None] = lambda _: None) -> Closing:
        """Return what concludes pages."""
        return Closing(
            book=cast("MemoryIncidentBook", self.stubborn),
            clock=self.clock,
            wake=wake,
            pause=self.pauses.append,
        )

    def incident(self, signal: Signal) -> Incident:
        """Return the incident about a signal's thing."""
        return self.book.store.incidents[signal.entity.fingerprint]

    def pages(self) -> list[Page]:
        """Return all pages, the first opened first."""
        return sorted(
            self.book.store.pages.values(), key=lambda page: (page.opened_at, page.generation)
        )

    def page(self) -> Page:
        """Return the one page that there is."""
        (page,) = self.pages()
        return page

    def members(self, page: Page) -> tuple[Member, ...]:
        """Return who joined a page."""
        return self.book.members(page.ref)

    def behind(self) -> list[str]:
        """Return the channels that are behind on a page, by name."""
        return sorted(
            notice.channel.name
            for rows in self.book.store.rows.values()
            for notice in self._notices(rows)
        )

    def told(self) -> None:
        """Let every channel know all: nothing waits."""
        self.book.store.rows.clear()
        self.wake_ups.woken.clear()

    def _policy(self) -> Policy:
        return replace(self.policy, silences=self.silences.active(self.now))

    def _notices(self, rows: Any) -> Any:
        return [getattr(row, "notice", row) for row in rows.values()]
