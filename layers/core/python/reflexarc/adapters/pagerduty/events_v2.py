"""Fills notify.ports.Sender with PagerDuty's Events API v2.

https://developer.pagerduty.com/docs/events-api-v2-overview. A repeat under the same dedup_key does
nothing, so a missing answer is no danger here: it is Unavailable, and nothing needs to be found.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reflexarc.adapters.http.pool import Answer, HttpPool
from reflexarc.adapters.pagerduty.secret import PagerDutySecret
from reflexarc.adapters.secrets.secret import Secret
from reflexarc.events.notice import Notice
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify import pagerduty_event, rules
from reflexarc.notify.model import Receipt

VIA = "pagerduty"


class _KeyRefused(Unavailable):
    """PagerDuty knows no integration with this key."""


@dataclass(frozen=True, kw_only=True)
class PagerDutyEvents:
    """Triggers and resolves alerts; the incident's key keeps each generation to one alert."""

    http: HttpPool
    secret: Secret[PagerDutySecret]
    url: str = "https://events.pagerduty.com"

    def send(
        self, notice: Notice, receipt: Receipt | None, now: datetime, *, plain: bool = False
    ) -> Receipt:
        """Send one event; any repeat of it is harmless."""
        severity, latency = rules.told(notice, receipt, now)
        event = pagerduty_event.plain(notice) if plain else pagerduty_event.render(notice, latency)
        try:
            self._enqueue(event, self.secret.current())
        except _KeyRefused:
            if (other := self.secret.renewed()) is None:
                raise
            self._enqueue(event, other)
        return Receipt(
            vendor_id=event["dedup_key"],
            via=VIA,
            posted_at=receipt.posted_at if receipt else now,
            severity=severity,
            latency_ms=latency,
        )

    def find(self, notice: Notice) -> Receipt | None:  # noqa: ARG002 - the port's form
        """Return None: a repeat is harmless, so there is nothing to look for."""
        return None

    def _enqueue(self, event: dict[str, Any], secret: PagerDutySecret) -> None:
        key = secret.routing_key.get_secret_value()
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
