"""Fills notify.ports.Sender with a POST to anybody's URL, signed.

An event carries an id that is the same whenever the same state is told, so a receiver can drop what
it has seen: a missing answer is no danger, it is Unavailable, and nothing needs to be found.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.secrets.refusal import despite_refusal
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.webhook import signature
from reflexarc.adapters.webhook.secret import WebhookSecret
from reflexarc.events.notice import Channel
from reflexarc.events.page import Story
from reflexarc.kernel.clock import Clock, system_clock
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import page_feed
from reflexarc.notify.model import Receipt, Task

VIA = "webhook"
EVENT_ID = "X-Reflexarc-Event-Id"
ANSWER_MAX = 1_000
# The receiver does not know us, or is not there, or wants patience: none of it is the page's fault.
_KEY_REFUSED = frozenset({401, 403})
_NOT_NOW = frozenset({404, 405, 408, 410, 425})


class _KeyRefused(Unavailable):
    """The receiver refuses the signature, or there is no key to sign with."""


@dataclass(frozen=True, kw_only=True)
class WebhookSender:
    """Posts page_event/1 to a channel's URL, signed with the channel's keys."""

    http: HttpPool
    secret: Secret[WebhookSecret]
    clock: Clock = system_clock

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return the next event; every channel is told the same."""
        del channel
        return page_feed.next_task(story, receipt, now, VIA)

    def plain(self, task: Task, story: Story) -> Task:
        """Return the event with its essentials."""
        del story
        return page_feed.plain(task)

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:
        """Post one event; a refused key is read again once."""
        del receipt
        body = json.dumps(task.body, ensure_ascii=False, separators=(",", ":")).encode()
        despite_refusal(
            self.secret,
            _KeyRefused,
            lambda secret: self._post(body, str(task.body["id"]), secret, channel),
        )
        return task.becomes

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Return None: a repeat is harmless, so there is nothing to look for."""
        del task, story, channel, receipt
        return None

    def _post(self, body: bytes, event_id: str, secret: WebhookSecret, channel: Channel) -> None:
        name = channel.secret or channel.name
        keys = secret.of(name)
        if not keys:
            raise _KeyRefused(f"the webhook secret has no key {name!r} for channel {channel.name}")
        headers = {
            signature.HEADER: signature.header(body, keys, self.clock()),
            EVENT_ID: event_id,
            "User-Agent": "reflexarc",
        }
        try:
            answer = self.http.post_body(channel.destination, body, headers, answer_max=ANSWER_MAX)
        except Ambiguous as error:
            raise Unavailable(str(error)) from error
        _check(answer, channel)


def _check(answer: Answer, channel: Channel) -> None:
    said = f"channel {channel.name}'s receiver answered HTTP {answer.status}"
    match answer.status:
        case status if 200 <= status < 300:  # noqa: PLR2004 - every success
            return
        case 429:
            raise RateLimited(said, answer.retry_after)
        case status if status in _KEY_REFUSED:
            raise _KeyRefused(said)
        case status if 400 <= status < 500 and status not in _NOT_NOW:  # noqa: PLR2004 - our fault
            raise Rejected(f"{said}: {answer.text()}")
        case _:
            raise Unavailable(said)
