"""A world that goes wrong wherever it can: two senders, real adapters, vendors behind a bad line.

The senders are the product's own; only the socket is replaced, by a direct call of the stand-ins.
Trouble strikes before and after every call that leaves a sender: it may die there, another sender
may run there, the world may change there, and the vendor may refuse, limit or not answer.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.queues import MemoryDeadLetters, MemoryUndeliverable
from reflexarc.adapters.pagerduty.events_v2 import PagerDutyEvents
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.events.notice import Action, Notice
from reflexarc.kernel.errors import Ambiguous, Unavailable
from reflexarc.notify.config import Pacing
from reflexarc.notify.service import DeliveryService
from samples.standins.limits import Limits
from samples.standins.pagerduty import PagerDutyStandIn
from samples.standins.reply import Reply
from samples.standins.server import ROUTING_KEY, TOKEN
from samples.standins.slack import SlackStandIn
from tests.support.delivery import Hand, Notebook
from tests.support.notices import PAGERDUTY, SLACK, incident, wake_up
from tests.support.standins import HeldSecret, pagerduty_secret

TIMEOUT_S = 10.0
VISIBILITY_S = 20.0
# What may happen at the points of a sender's work; a look passes a dozen of the first kind.
AT_STORE = ("go",) * 24 + ("die", "die", "other", "other", "tick")
BEFORE = ("go",) * 6 + ("die", "other", "news", "tick", "tick", "closed", "limited", "broken")
AFTER = ("go",) * 6 + ("die", "die", "other", "news", "lost", "lost")

Choose = Callable[[tuple[str, ...]], str]


class Died(BaseException):
    """The process ended here: killed, out of memory, timed out."""


@dataclass
class World:
    """The outbox, the queues, the vendors and the clock; `choose` decides what goes wrong."""

    choose: Choose
    clock: Hand = field(default_factory=Hand)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    undeliverable: MemoryUndeliverable = field(default_factory=MemoryUndeliverable)
    queue: list[tuple[datetime, str]] = field(default_factory=list)
    re_wakes: list[tuple[datetime, str]] = field(default_factory=list)
    truth: dict[str, Notice] = field(default_factory=dict)
    news: list[Callable[[], None]] = field(default_factory=list)
    calm: bool = False
    running: list[datetime] = field(default_factory=list)
    looks: int = 0
    senders: int = 0

    def __post_init__(self) -> None:
        """Build the vendors on this world's clock."""

        def seconds() -> float:
            return self.clock.now.timestamp()

        self.slack = SlackStandIn(
            token=TOKEN,
            webhook_path="",
            webhook_channel="",
            posts=Limits(1, 2, seconds),
            calls=Limits(1, 50, seconds),
            clock=seconds,
        )
        self.pagerduty = PagerDutyStandIn(ROUTING_KEY, Limits(2, 120, seconds))

    def commit(self, action: Action, gpu: int, generation: int, version: int) -> None:
        """Store one change of an incident with its notices, and wake their groups."""
        ended = {"resolved_at": self.clock.now, "state": "resolved"}
        state = incident(gpu, generation=generation, version=version)
        if action == "resolve":
            state = state.model_copy(update=ended)
        for channel in (SLACK, PAGERDUTY):
            notice = Notice(
                action=action, channel=channel, incident=state, created_at=self.clock.now
            )
            self.outbox.store.rows.setdefault(notice.group, {})[notice.row] = notice
            self.queue.append((self.clock.now, notice.group))
        self.truth[state.key] = notice

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

    def sweep(self) -> None:
        """Wake what was left waiting, as the watchdog does."""
        for group in self.outbox.stale(self.clock.now - Pacing().stale):
            self.queue.append((self.clock.now, group))

    def later(self, group: str, at: datetime, now: datetime) -> None:
        """Plan a re-wake: at most one of a group may lie in the future."""
        self.meet(AT_STORE)
        self.re_wakes.append((at, group))
        planned = [when for when, planned_group in self.re_wakes if planned_group == group]
        assert sum(when > now for when in planned) <= 1, "re-wakes multiply"

    def _timed_out(self) -> bool:
        limit = timedelta(seconds=TIMEOUT_S)
        return bool(self.running) and self.clock.now - self.running[-1] >= limit

    def _sender(self) -> DeliveryService:
        self.senders += 1
        http = cast("HttpPool", BadLine(self))
        secret = SlackSecret.model_validate({"token": TOKEN})
        slack = SlackSender(
            api=SlackWebApi(http=http),
            fallback=SlackWebhook(http=http),
            secret=HeldSecret(secret),
        )
        return DeliveryService(
            outbox=cast("MemoryOutbox", BadStore(self)),
            senders={
                "slack": slack,
                "pagerduty": PagerDutyEvents(http=http, secret=HeldSecret(pagerduty_secret())),
            },
            re_wakes=self,
            undeliverable=self.undeliverable,
            dead_letters=MemoryDeadLetters(),
            journal=Notebook(),
            clock=self.clock,
            new_owner=lambda: f"sender-{self.senders}",
        )


@dataclass
class BadStore:
    """The outbox, before and after whose writes a sender may die."""

    world: World

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return the outbox's method between two points of trouble."""
        method = getattr(self.world.outbox, name)

        def call(*arguments: object) -> object:
            self.world.meet(AT_STORE)
            answer = method(*arguments)
            self.world.meet(AT_STORE)
            return answer

        return call


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
