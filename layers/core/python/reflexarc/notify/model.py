"""Leases on delivery groups, receipts of what was sent, and attempts to send."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Value
from reflexarc.events.notice import Action, Notice
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops

# A sender must be dead before its lease can expire: notify's timeout is 10 s. The queue's
# visibility is 30 s, more than both, so the redelivered wake-up finds the lease expired
# (docs/adr/002).
LEASE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to send for one delivery group until a moment.

    `suspect` is True when an earlier sender died or got no answer: what it sent is unknown, so
    look for it before posting again. `failures` counts consecutive failed looks.
    """

    group: str
    owner: str
    until: datetime
    suspect: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody else will look: a live sender (told to look again), or a planned re-wake."""

    until: datetime


class Receipt(Value):
    """What a vendor calls the message of one incident generation: enough to update it."""

    vendor_id: str
    """Slack's ts, PagerDuty's dedup_key; empty when the vendor returns none (webhook)."""
    destination: str = ""
    via: str = Field(default="", description="slack, webhook or pagerduty")
    posted_at: AwareDatetime
    severity: Severity | None = Field(default=None, description="the gravest that was told")
    latency_ms: int | None = Field(default=None, description="kernel line to that page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One answered attempt to tell a channel, for the incident's timeline."""

    channel: str
    action: Action
    outcome: str
    detail: str
    at: datetime
    latency_ms: int | None
    hops: Hops | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Notices of one incident generation and channel that are sent as one, oldest first."""

    notices: tuple[Notice, ...]

    @property
    def latest(self) -> Notice:
        """Return the newest state: what people should read."""
        return self.notices[-1]

    @property
    def opens(self) -> bool:
        """Return whether the channel was told nothing of this generation yet."""
        return any(notice.action == "trigger" for notice in self.notices)

    @property
    def pages(self) -> bool:
        """Return whether this tells somebody of trouble that nobody was told of yet."""
        return self.opens and self.latest.action != "resolve"
