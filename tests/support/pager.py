"""Signals in, vendors told: incidents and delivery in one process, on stand-ins, with one clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.memory.queues import MemoryDeadLetters
from reflexarc.adapters.pagerduty.events_v2 import PagerDutyEvents
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.events.signal import Signal
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.model import Policy
from reflexarc.notify.service import DeliveryService
from samples.standins.server import TOKEN
from tests.support.chaos import BadLine, World
from tests.support.delivery import Hand, Notebook
from tests.support.desk import Desk
from tests.support.incidents import NOW
from tests.support.notices import wake_up
from tests.support.standins import HeldSecret, pagerduty_secret

PATIENCE = 400


@dataclass
class Pager:
    """A desk whose pages are delivered. `line` may bend what the vendors answer."""

    policy: Policy = field(default_factory=lambda: default_policy("C0PAGES"))
    line: Callable[[tuple[str, ...]], str] = lambda _: "go"

    def __post_init__(self) -> None:
        """Put desk and vendors on one clock and one store."""
        self.world = World(choose=self._bend, clock=Hand(NOW))
        self.desk = Desk(policy=self.policy, book=self.world.book)

    def fire(self, *signals: Signal) -> None:
        """Record signals and deliver what follows."""
        self.desk.record(*signals)
        self.deliver()

    def forward(self, seconds: float) -> None:
        """Let time pass, second by second, with everything that comes due."""
        for _ in range(round(seconds)):
            self.desk.forward(seconds=1)
            self.desk.tick()
            self.deliver()

    def deliver(self) -> None:
        """Serve every group that somebody was woken for, until nobody is."""
        self.world.clock.now = self.desk.now
        woken = self.desk.wake_ups.woken
        for _ in range(PATIENCE):
            due = [each for each in self.world.re_wakes if each[0] <= self.desk.now]
            if woken:
                group = woken.pop(0)
            elif due:
                self.world.re_wakes.remove(due[0])
                group = due[0][1]
            else:
                return
            self._service().handle([wake_up(group)])
        raise AssertionError("no end of looks")

    def roots(self) -> list[dict[str, Any]]:
        """Return the messages of the Slack channel that are in no thread."""
        return [message for message in self._messages() if message["thread_ts"] is None]

    def replies(self) -> list[str]:
        """Return what the threads say, in their order."""
        return [message["text"] for message in self._messages() if message["thread_ts"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Return PagerDuty's incidents."""
        return self.world.pagerduty.incidents

    def _bend(self, what: tuple[str, ...]) -> str:
        """Return what the line does now; a test may change it at any time."""
        return self.line(what)

    def _messages(self) -> list[dict[str, Any]]:
        return [each for channel in self.world.slack.channels.values() for each in channel]

    def _service(self) -> DeliveryService:
        http = cast("HttpPool", BadLine(self.world))
        self.world.senders += 1
        owner = f"sender-{self.world.senders}"
        secret = HeldSecret(SlackSecret.model_validate({"token": TOKEN}))
        return DeliveryService(
            outbox=self.world.outbox,
            pages=self.desk.closing(self.desk.wake_ups.wake),
            senders={
                "slack": SlackSender(
                    api=SlackWebApi(http=http), fallback=SlackWebhook(http=http), secret=secret
                ),
                "pagerduty": PagerDutyEvents(http=http, secret=HeldSecret(pagerduty_secret())),
            },
            re_wakes=self.world,
            undeliverable=self.world.undeliverable,
            dead_letters=MemoryDeadLetters(),
            journal=Notebook(),
            clock=self.world.clock,
            new_owner=lambda: owner,
        )
