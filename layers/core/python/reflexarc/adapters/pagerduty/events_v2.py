"""Fills notify.ports.Sender with PagerDuty's Events API v2.

https://developer.pagerduty.com/docs/events-api-v2-overview. A repeat under the same dedup_key does
nothing, so a missing answer is no danger here: it is Unavailable, and nothing needs to be found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.pagerduty.secret import PagerDutySecret
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.events.notice import Channel
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import pagerduty_plan
from reflexarc.notify.model import Receipt, Task


class _KeyRefused(Unavailable):
    """PagerDuty knows no integration with this key, or the secret holds none for the channel."""


@dataclass(frozen=True, kw_only=True)
class PagerDutyEvents:
    """Triggers, acknowledges and resolves alerts; their keys keep each page to one alert."""

    http: HttpPool
    secret: Secret[PagerDutySecret]
    url: str = "https://events.pagerduty.com"

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return the next event; every channel is told the same."""
        del channel
        return pagerduty_plan.next_task(story, receipt, now)

    def plain(self, task: Task, story: Story) -> Task:
        """Return the smallest event that says the same."""
        return pagerduty_plan.plain(task, story)

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:
        """Send one event; any repeat of it is harmless."""
        del receipt
        try:
            self._enqueue(task.body, self.secret.current().key(channel.secret), channel)
        except _KeyRefused:
            if (other := self.secret.renewed()) is None:
                raise
            self._enqueue(task.body, other.key(channel.secret), channel)
        return task.becomes

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Return None: a repeat is harmless, so there is nothing to look for."""
        del task, story, channel, receipt
        return None

    def _enqueue(self, event: Mapping[str, Any], key: str, channel: Channel) -> None:
        if not key:
            raise _KeyRefused(
                f"the PagerDuty secret has no key {channel.secret or 'routing_key'!r} for channel "
                f"{channel.name}: {self.secret.advice}"
            )
        try:
            answer = self.http.post(f"{self.url}/v2/enqueue", {"routing_key": key, **event})
        except Ambiguous as error:
            raise Unavailable(str(error)) from error
        self._check(answer)

    def _check(self, answer: Answer) -> None:
        match answer.status:
            case 202:
                return
            case 429:
                raise RateLimited("PagerDuty limits the rate", answer.retry_after)
            case 400 | 413:
                self._explain(answer)
            case _:
                raise Unavailable(f"PagerDuty answered HTTP {answer.status}")

    def _explain(self, answer: Answer) -> None:
        errors = (answer.json_object() or {}).get("errors")
        said = "; ".join(str(error) for error in errors) if isinstance(errors, list) else ""
        # The only sign of a deleted or mistyped integration is the wording of its 400.
        if "routing" in said.lower():
            raise _KeyRefused(f"PagerDuty refuses the integration key: {self.secret.advice}")
        raise Rejected(f"PagerDuty refuses the event: {said or answer.text()}"[:1_000])
