"""Fills notify.ports.Sender with PagerDuty's Events API v2.

https://developer.pagerduty.com/docs/events-api-v2-overview. A repeat under the same dedup_key does
nothing, so a lost answer costs no second alert. What an unknown predecessor may have opened at
another severity cannot be looked up; it is resolved on suspicion.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.pagerduty.secret import PagerDutySecret
from reflexarc.adapters.secrets.refusal import despite_refusal
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.events.notice import Channel
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import pagerduty_plan
from reflexarc.notify.model import Receipt, Task

SERVER_FAILS = 500


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
        despite_refusal(
            self.secret,
            _KeyRefused,
            lambda secret: self._enqueue(task.body, secret.key(channel.secret), channel),
        )
        return task.becomes

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Return what may have been opened: nothing can be looked up, but a repeat is harmless."""
        del channel
        return pagerduty_plan.suspected(task, story, receipt)

    def _enqueue(self, event: Mapping[str, Any], key: str, channel: Channel) -> None:
        if not key:
            raise _KeyRefused(
                f"the PagerDuty secret has no key {channel.secret or 'routing_key'!r} for channel "
                f"{channel.name}"
            )
        self._check(self.http.post(f"{self.url}/v2/enqueue", {"routing_key": key, **event}))

    def _check(self, answer: Answer) -> None:
        match answer.status:
            case 202:
                return
            case 429:
                raise RateLimited("PagerDuty limits the rate", answer.retry_after)
            case 400 | 413:
                self._explain(answer)
            case status:
                # A server that fails may have taken the event before.
                error = Ambiguous if status >= SERVER_FAILS else Unavailable
                raise error(f"PagerDuty answered HTTP {status}")

    def _explain(self, answer: Answer) -> None:
        errors = (answer.json_object() or {}).get("errors")
        said = "; ".join(str(error) for error in errors) if isinstance(errors, list) else ""
        # The only sign of a deleted or mistyped integration is the wording of its 400.
        if "routing" in said.lower():
            raise _KeyRefused("PagerDuty refuses the integration key")
        raise Rejected(f"PagerDuty refuses the event: {said or answer.text()}"[:1_000])
