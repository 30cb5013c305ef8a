"""The vendors' stand-ins in this process, and senders that speak to them over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.pagerduty.events_v2 import PagerDutyEvents
from reflexarc.adapters.pagerduty.secret import PagerDutySecret
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.adapters.slack.sender import SlackSender
from reflexarc.adapters.slack.web_api import SlackWebApi
from reflexarc.adapters.slack.webhook import SlackWebhook
from reflexarc.adapters.webhook.secret import WebhookSecret
from reflexarc.adapters.webhook.sender import WebhookSender
from reflexarc.events.notice import Channel
from samples.standins.server import ROUTING_KEY, Limited, StandIns

T = TypeVar("T")
GENEROUS = Limited(
    slack_rate=1000, slack_burst=1000, slack_calls_per_minute=6000, pagerduty_per_minute=6000
)


@dataclass
class HeldSecret(Generic[T]):
    """A secret that a test holds: its value, and the value that a renewal brings."""

    value: T
    next_value: T | None = None
    renewals: int = 0
    advice: str = field(default="put a new one there")

    def current(self) -> T:
        """Return the value."""
        return self.value

    def renewed(self) -> T | None:
        """Return the next value, once."""
        self.renewals += 1
        if self.next_value is None:
            return None
        self.value, self.next_value = self.next_value, None
        return self.value


@contextmanager
def running(limited: Limited = GENEROUS) -> Iterator[StandIns]:
    """Serve both vendors from this process."""
    standins = StandIns.made(limited)
    standins.start()
    try:
        yield standins
    finally:
        standins.stop()


def slack_sender(
    standins: StandIns, http: HttpPool, secret: HeldSecret[SlackSecret] | None = None
) -> SlackSender:
    """Return a sender that speaks to the stand-in."""
    return SlackSender(
        api=SlackWebApi(http=http, url=f"{standins.url}/api"),
        fallback=SlackWebhook(http=http),
        secret=secret or HeldSecret(slack_secret(standins)),
    )


def slack_secret(standins: StandIns, **fields: str) -> SlackSecret:
    """Return the right secret, or one with fields of it changed."""
    return SlackSecret.model_validate(standins.addresses()["slack_secret"] | fields)


def pagerduty_sender(
    standins: StandIns, http: HttpPool, secret: HeldSecret[PagerDutySecret] | None = None
) -> PagerDutyEvents:
    """Return a sender that speaks to the stand-in."""
    return PagerDutyEvents(
        http=http, secret=secret or HeldSecret(pagerduty_secret()), url=standins.url
    )


def pagerduty_secret(key: str = ROUTING_KEY) -> PagerDutySecret:
    """Return the right secret, or another."""
    return PagerDutySecret.model_validate({"routing_key": key})


def webhook_sender(
    standins: StandIns, http: HttpPool, secret: HeldSecret[WebhookSecret] | None = None
) -> WebhookSender:
    """Return a sender whose signatures the stand-in verifies."""
    return WebhookSender(http=http, secret=secret or HeldSecret(webhook_secret(standins)))


def webhook_secret(standins: StandIns) -> WebhookSecret:
    """Return the right secret."""
    return WebhookSecret.model_validate(standins.addresses()["webhook_secret"])


def webhook_channel(standins: StandIns, **fields: str) -> Channel:
    """Return the channel whose URL the stand-in answers."""
    url = standins.addresses()["webhook_receiver_url"]
    return Channel(**{"name": "webhook", "kind": "webhook", "destination": url, **fields})
