"""A world that goes wrong wherever it can: two senders, vendors behind a bad line, a bad store.

Trouble strikes before and after every call that leaves a sender: it may die there, another sender
may run there, the world may change there, and the vendor may refuse, limit or not answer.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.queues import MemoryDeadLetters, MemoryUndeliverable
from reflexarc.adapters.pagerduty.events_v2 import PagerDutyEvents
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.events.incident import PageRef
from reflexarc.events.notice import Notice
from reflexarc.events.page import Entry, Page, PageState, Story
from reflexarc.events.severity import Severity
from reflexarc.incidents.model import Commit, PageWrite
from reflexarc.kernel.errors import Ambiguous, Unavailable
from reflexarc.notify.config import Pacing
from reflexarc.notify.service import DeliveryService
from samples.standins.limits import Limits
from samples.standins.pagerduty import PagerDutyStandIn
from samples.standins.reply import Reply
from samples.standins.server import ROUTING_KEY, TOKEN
from samples.standins.slack import SlackStandIn
from tests.support.delivery import Hand, Notebook, Stories
from tests.support.notices import incident, member, page, scope_of, wake_up
from tests.support.standins import HeldSecret, pagerduty_secret

TIMEOUT_S = 10.0
VISIBILITY_S = 20.0
# What may happen at the points of a sender's work; a look passes a dozen of the first kind.
AT_STORE = ("go",) * 36 + ("die", "die", "other", "other", "news", "tick")
BEFORE = ("go",) * 8 + ("die", "other", "news", "tick", "tick", "closed", "limited", "broken")
AFTER = ("go",) * 8 + ("die", "die", "other", "news", "lost", "lost")

# More nodes than a root message names: they fill a list in its thread.
CROWD = 12

Choose = Callable[[tuple[str, ...]], str]


class Died(BaseException):
    """The process ended here: killed, out of memory, timed out."""


@dataclass
class World:
    """The table, the queues, the vendors and the clock; `choose` decides what goes wrong."""

    choose: Choose
    clock: Hand = field(default_factory=Hand)
    book: MemoryIncidentBook = field(default_factory=MemoryIncidentBook)
    undeliverable: MemoryUndeliverable = field(default_factory=MemoryUndeliverable)
    queue: list[tuple[datetime, str]] = field(default_factory=list)
    re_wakes: list[tuple[datetime, str]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    news: list[Callable[[], None]] = field(default_factory=list)
    calm: bool = False
    running: list[datetime] = field(default_factory=list)
    looks: int = 0
    senders: int = 0

    def __post_init__(self) -> None:
        """Build the vendors on this world's clock."""

        def seconds() -> float:
            return self.clock.now.timestamp()

        self.outbox = MemoryOutbox(self.book.store)
        self.slack = SlackStandIn(
            token=TOKEN,
            webhook_path="",
            webhook_channel="",
            posts=Limits(1, 2, seconds),
            calls=Limits(1, 50, seconds),
            clock=seconds,
        )
        self.pagerduty = PagerDutyStandIn(ROUTING_KEY, Limits(2, 120, seconds))

    def meet(self, what: tuple[str, ...]) -> str:
        """Let something happen at this point of a sender's work; return what the line does."""
        if self.calm:
            return "go"
        chosen = self.choose(what)
        if chosen == "tick":
            self.clock.forward(1.5)
        elif chosen == "news" and self.news:
            self.news.pop(0)()
        elif chosen == "other" and len(self.running) < 2:
            self.deliver_one()
        if chosen == "die" or self._timed_out():
            raise Died
        return chosen

    def deliver_one(self) -> bool:
        """Hand one due message to a sender; False when none is due."""
        for queue in (self.re_wakes, self.queue):
            due = [message for message in queue if message[0] <= self.clock.now]
            if due:
                queue.remove(due[0])
                self.invoke(due[0][1])
                return True
        return False

    def invoke(self, group: str) -> None:
        """Run a sender on a wake-up; a death or a retry makes the message visible again later."""
        self.looks += 1
        self.running.append(self.clock.now)
        try:
            [outcome] = self._sender().handle([wake_up(group)])
            again = outcome.status == "retry"
        except Died:
            again = True
        finally:
            self.running.pop()
        if again:
            visible = self.clock.now + timedelta(seconds=VISIBILITY_S)
            self.queue.append((visible, group))
        else:
            self._looked(group)

    def sweep(self) -> None:
        """Wake what was left waiting, as the watchdog does."""
        self.wake(self.outbox.stale(self.clock.now - Pacing().stale))

    def wake(self, groups: Iterable[str]) -> None:
        """Send wake-ups."""
        self.queue += [(self.clock.now, group) for group in sorted(groups)]

    def later(self, group: str, at: datetime, now: datetime) -> None:
        """Plan a re-wake, in whole seconds as SQS delays.

        One that lies before another is overtaken: it finds the group resting. There is one more.
        """
        self.meet(AT_STORE)
        delay = timedelta(seconds=max(0, math.ceil((at - now).total_seconds())))
        self.re_wakes.append((now + delay, group))
        planned = [when for when, planned_group in self.re_wakes if planned_group == group]
        assert sum(when > self.clock.now for when in planned) <= 2, "re-wakes multiply"

    def _looked(self, group: str) -> None:
        """Check what a look that went through has left: nothing, or somebody who comes back.

        Where a message was lost on its way, the sweep is who comes back.
        """
        if group in self.lost or not self.outbox.pending(group):
            return
        coming = any(other == group for _, other in (*self.queue, *self.re_wakes))
        held = self.book.store.leases.get(group)
        assert coming or self.running or (held and held.owner), "left rows, and nobody comes back"

    def _timed_out(self) -> bool:
        limit = timedelta(seconds=TIMEOUT_S)
        return bool(self.running) and self.clock.now - self.running[-1] >= limit

    def _sender(self) -> DeliveryService:
        self.senders += 1
        owner = f"sender-{self.senders}"
        http = cast("HttpPool", BadLine(self))
        store = BadStore(self)
        return DeliveryService(
            outbox=cast("MemoryOutbox", store),
            pages=cast("Stories", BadPages(self)),
            senders={
                "slack": SlackSender(
                    api=SlackWebApi(http=http),
                    fallback=SlackWebhook(http=http),
                    secret=HeldSecret(SlackSecret.model_validate({"token": TOKEN})),
                ),
                "pagerduty": PagerDutyEvents(http=http, secret=HeldSecret(pagerduty_secret())),
            },
            re_wakes=self,
            undeliverable=self.undeliverable,
            dead_letters=MemoryDeadLetters(),
            journal=Notebook(),
            clock=self.clock,
            new_owner=lambda: owner,
        )


@dataclass
class Author:
    """Changes pages as the incidents slice does: with their notices, members before marks."""

    world: World

    def write(self, after: Page, *, fresh: bool = False) -> None:
        """Store a page's next version, and that all of its channels are behind."""
        book, now = self.world.book, self.world.clock.now
        known = book.page(after.ref)
        version = known.version if known else 0
        page = after.model_copy(update={"version": version + 1})
        notices = tuple(
            Notice(
                channel=channel,
                page=page.ref,
                severity=page.severity,
                created_at=now,
                fresh=fresh,
            )
            for channel in page.channels
        )
        write = PageWrite(page=page, expected=version)
        book.commit(Commit(at=now, pages=(write,), notices=notices))
        self.world.wake({notice.group for notice in notices})

    def open(self, number: int) -> None:
        """Open the next page of a scope, mild, with a first line of history."""
        before = self.world.book.latest(scope_of(number))
        lead = incident(number, severity=Severity.WARNING)
        generation = before.generation + 1 if before else 1
        opened = page(number, generation=generation, lead=lead, opened_at=self.world.clock.now)
        self.write(self._said(opened, "opened"), fresh=True)

    def change(self, number: int, state: PageState, **fields: Any) -> None:
        """Change what a page is."""
        before = self._page(number)
        after = before.model_copy(update={"state": state, **fields})
        self.write(self._said(after, f"now {state} {after.severity}"))

    def join(self, number: int, nodes: Iterable[int], **fields: Any) -> None:
        """Store members, new or changed; nobody is told yet."""
        ref = self._page(number).ref
        joined = tuple((ref, member(node, f"node-{node}", **fields)) for node in nodes)
        self.world.book.commit(Commit(at=self.world.clock.now, joined=joined))

    def mark(self, number: int) -> None:
        """Tell channels that members changed."""
        page = self._page(number)
        self.world.wake(self.world.book.mark(page, self.world.clock.now))

    def steps_of(self, number: int, chapters: tuple[str, ...]) -> list[Callable[[], None]]:
        """Return what happens to one scope, one transaction after the other."""
        steps: list[Callable[[], None]] = []
        nodes = range(10, 10)
        for chapter in chapters:
            if chapter in {"join", "crowd"}:
                nodes = range(nodes.stop, nodes.stop + (1 if chapter == "join" else CROWD))
            steps += self._chapter(number, chapter, nodes)
        return steps

    def _chapter(self, number: int, chapter: str, nodes: range) -> list[Callable[[], None]]:
        marks: list[Callable[[], None]] = [lambda: self.mark(number)]
        critical = incident(number, severity=Severity.CRITICAL)
        graver = {"severity": Severity.CRITICAL, "lead": critical, "acked_at": None}
        moment = self.world.clock
        match chapter:
            case "open":
                return [lambda: self.open(number)]
            case "join" | "crowd":
                return [lambda: self.join(number, nodes), *marks]
            case "heal":
                return [lambda: self.join(number, nodes, state="resolved"), *marks]
            case "rise":
                return [lambda: self.change(number, "open", **graver)]
            case "ack":
                return [lambda: self.change(number, "acked", acked_at=moment(), acked_by="them")]
            case _:
                return [lambda: self.change(number, "resolved", resolved_at=moment())]

    def _page(self, number: int) -> Page:
        page = self.world.book.latest(scope_of(number))
        assert page is not None
        return page

    def _said(self, page: Page, what: str) -> Page:
        number = len(page.history) + 1
        entry = Entry(number=number, at=self.world.clock.now, what=f"line {number}: {what}")
        return page.model_copy(update={"history": (*page.history, entry)})


@dataclass
class BadStore:
    """The outbox, before and after whose writes a sender may die."""

    world: World

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return the outbox's method between two points of trouble."""
        method = getattr(self.world.outbox, name)

        def call(*arguments: object, **named: object) -> object:
            self.world.meet(AT_STORE)
            answer = method(*arguments, **named)
            self.world.meet(AT_STORE)
            return answer

        return call


@dataclass
class BadPages:
    """The pages: they may change between the read of a page and that of its members."""

    world: World

    def story(self, ref: PageRef, *, shared: bool) -> Story | None:
        """Return a page, with its members if they are asked for."""
        self.world.meet(AT_STORE)
        page = self.world.book.page(ref)
        self.world.meet(AT_STORE)
        if page is None:
            return None
        story = Story(page=page, members=self.world.book.members(ref) if shared else ())
        self.world.meet(AT_STORE)
        return story


@dataclass
class BadLine:
    """The vendors at the end of a line that fails before a request, or after it."""

    world: World

    def post(
        self, url: str, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Post, if the line lets it."""
        arguments = json.loads(json.dumps(document))
        if url.endswith("/v2/enqueue"):
            return self._through(lambda: self.world.pagerduty.enqueue(arguments, 1_000))
        return self._slack(url, arguments, headers)

    def get(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Get, if the line lets it."""
        return self._slack(url, dict(query), headers)

    def _slack(
        self, url: str, arguments: dict[str, Any], headers: Mapping[str, str] | None
    ) -> Answer:
        method, bearer = url.rpartition("/")[2], (headers or {})["Authorization"]
        return self._through(lambda: self.world.slack.call(method, bearer, arguments))

    def _through(self, call: Callable[[], Reply]) -> Answer:
        match self.world.meet(BEFORE):
            case "closed":
                raise Unavailable("cannot reach the vendor")
            case "limited":
                return Answer(status=429, body=b"", headers={"Retry-After": "3"})
            case "broken":
                return Answer(status=503, body=b"", headers={})
        reply = call()
        if self.world.meet(AFTER) == "lost":
            self.world.clock.forward(4)
            raise Ambiguous("no answer from the vendor")
        body = json.dumps(reply.body).encode()
        return Answer(status=reply.status, body=body, headers=reply.headers)
