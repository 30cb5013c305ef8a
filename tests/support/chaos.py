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
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Ambiguous, Unavailable
from reflexarc.notify.config import Pacing
from reflexarc.notify.service import DeliveryService
from samples.standins.limits import Limits
from samples.standins.pagerduty import PagerDutyStandIn
from samples.standins.reply import Reply
from samples.standins.server import ROUTING_KEY, TOKEN
from samples.standins.slack import SlackStandIn
from tests.support.delivery import Hand, Notebook, Stories
from tests.support.notices import wake_up
from tests.support.standins import HeldSecret, pagerduty_secret

TIMEOUT_S = 10.0
VISIBILITY_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Mood:
    """What may happen at the points of a sender's work; a look passes a dozen of the first kind."""

    at_store: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    timeout_s: float = TIMEOUT_S


_GOES_WRONG = ("closed", "limited", "broken")
BAD = Mood(
    at_store=("go",) * 36 + ("die", "die", "other", "race", "news", "burst", "tick"),
    before=("go",) * 8 + ("die", "other", "race", "burst", "tick", *_GOES_WRONG),
    after=("go",) * 8 + ("die", "die", "race", "burst", "lost", "lost"),
)
# One thing happens, once. A process that stands still after an answer, for longer than its lease
# lasts, goes on then.
_ONCE = ("go", "die", "race", "burst")
ONCE = Mood(
    at_store=_ONCE,
    before=(*_ONCE, *_GOES_WRONG, "refused"),
    after=(*_ONCE, "lost", "stall"),
    timeout_s=3600,
)
# How many things happen, and how many other senders run.
_MEANWHILE = {"news": (1, 0), "burst": (2, 0), "other": (0, 1), "race": (1, 1)}

Choose = Callable[[tuple[str, ...]], str]


class Died(BaseException):
    """The process ended here: killed, out of memory, timed out."""


@dataclass
class World:
    """The table, the queues, the vendors and the clock; `choose` decides what goes wrong."""

    choose: Choose
    mood: Mood = BAD
    clock: Hand = field(default_factory=Hand)
    book: MemoryIncidentBook = field(default_factory=MemoryIncidentBook)
    undeliverable: MemoryUndeliverable = field(default_factory=MemoryUndeliverable)
    queue: list[tuple[datetime, str]] = field(default_factory=list)
    re_wakes: list[tuple[datetime, str]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    news: list[Callable[[], None]] = field(default_factory=list)
    calm: bool = False
    running: list[tuple[datetime, str]] = field(default_factory=list)
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
        elif chosen == "stall":
            self._stall()
        elif chosen in _MEANWHILE:
            self._meanwhile(*_MEANWHILE[chosen])
        if chosen == "die" or self._timed_out():
            raise Died
        return chosen

    def _meanwhile(self, news: int, others: int) -> None:
        """Let the world change, and other senders run on what that woke, or on what waits."""
        known = len(self.queue)
        for _ in range(min(news, len(self.news))):
            self.news.pop(0)()
        if others and len(self.running) < 2:
            woken = self.queue[known:]
            del self.queue[known:]
            for _, group in woken:
                self.invoke(group)
            if not woken:
                self.deliver_one()

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
        self.running.append((self.clock.now, group))
        try:
            [outcome] = self._sender().handle([wake_up(group)])
            again = outcome.status == "retry"
            assert not again, outcome.reason  # the store fails nobody: it is a bug
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
        self.planning(group)
        delay = timedelta(seconds=max(0, math.ceil((at - now).total_seconds())))
        self.re_wakes.append((now + delay, group))
        planned = [when for when, planned_group in self.re_wakes if planned_group == group]
        assert sum(when > self.clock.now for when in planned) <= 2, "re-wakes multiply"

    def planning(self, group: str) -> None:
        """Let something happen between the rest of a group and the re-wake that ends it.

        Who dies here has announced a re-wake that never comes: the sweep is who comes back.
        """
        try:
            self.meet(self.mood.at_store)
        except Died:
            self.lost.add(group)
            raise

    def _looked(self, group: str) -> None:
        """Check what a look that went through has left: nothing, or somebody who comes back.

        Where a message was lost on its way, the sweep is who comes back.
        """
        if not self.outbox.pending(group):
            self.lost.discard(group)
            return
        if group in self.lost:
            return
        coming = any(other == group for _, other in (*self.queue, *self.re_wakes))
        held = self.book.store.leases.get(group)
        assert coming or self.running or (held and held.owner), "left rows, and nobody comes back"

    def _stall(self) -> None:
        """Let the lease run out and its wake-up come again, as if this process were frozen."""
        self.clock.forward(VISIBILITY_S)
        self._meanwhile(1, 0)
        if len(self.running) < 2:
            self.invoke(self.running[-1][1])

    def _timed_out(self) -> bool:
        limit = timedelta(seconds=self.mood.timeout_s)
        return bool(self.running) and self.clock.now - self.running[-1][0] >= limit

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
class BadStore:
    """The outbox, before and after whose writes a sender may die."""

    world: World

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return the outbox's method between two points of trouble."""
        method = getattr(self.world.outbox, name)

        def call(subject: Any, *arguments: object, **named: object) -> object:
            self.world.meet(self.world.mood.at_store)
            answer = method(subject, *arguments, **named)
            if name in {"postpone", "defer"}:
                self.world.planning(subject.group)
            else:
                self.world.meet(self.world.mood.at_store)
            return answer

        return call


@dataclass
class BadPages:
    """The pages: they may change between the read of a page and that of its members."""

    world: World

    def story(self, ref: PageRef, *, shared: bool) -> Story | None:
        """Return a page, with its members if they are asked for."""
        self.world.meet(self.world.mood.at_store)
        page = self.world.book.page(ref)
        self.world.meet(self.world.mood.at_store)
        if page is None:
            return None
        story = Story(page=page, members=self.world.book.members(ref) if shared else ())
        self.world.meet(self.world.mood.at_store)
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
            refusal = Answer(status=400, body=b'{"errors": ["too long"]}', headers={})
            return self._through(
                lambda: self.world.pagerduty.enqueue(arguments, 1_000),
                self.world.mood.after,
                refusal,
            )
        return self._slack(url, arguments, headers, self.world.mood.after)

    def get(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Get, if the line lets it."""
        reads = tuple(each for each in self.world.mood.after if each != "stall")
        return self._slack(url, dict(query), headers, reads)

    def _slack(
        self,
        url: str,
        arguments: dict[str, Any],
        headers: Mapping[str, str] | None,
        after: tuple[str, ...],
    ) -> Answer:
        method, bearer = url.rpartition("/")[2], (headers or {})["Authorization"]
        refusal = Answer(status=200, body=b'{"ok": false, "error": "invalid_blocks"}', headers={})
        return self._through(
            lambda: self.world.slack.call(method, bearer, arguments), after, refusal
        )

    def _through(
        self, call: Callable[[], Reply], after: tuple[str, ...], refusal: Answer
    ) -> Answer:
        match self.world.meet(self.world.mood.before):
            case "closed":
                raise Unavailable("cannot reach the vendor")
            case "limited":
                return Answer(status=429, body=b"", headers={"Retry-After": "3"})
            case "broken":
                return Answer(status=503, body=b"", headers={})
            case "refused":
                return refusal
        reply = call()
        if self.world.meet(after) == "lost":
            self.world.clock.forward(4)
            raise Ambiguous("no answer from the vendor")
        body = json.dumps(reply.body).encode()
        return Answer(status=reply.status, body=body, headers=reply.headers)
