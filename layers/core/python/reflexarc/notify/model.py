"""Leases on delivery groups, receipts of what was told, and attempts to tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Value
from reflexarc.events.page import PageState
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops

# A sender must be dead before its lease can expire: notify's timeout is 10 s. The queue's
# visibility is 30 s, more than both, so the redelivered wake-up finds the lease expired
# (docs/adr/002).
LEASE = timedelta(seconds=15)
# A re-wake that comes so much later than a deferral asks for is as good: nobody reads faster.
DEFER_SLACK = timedelta(seconds=1)

Deferred = Literal["again", "rewake", "planned"]


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


class Posted(Value):
    """One further message about a page, in its thread: enough to update it."""

    vendor_id: str
    digest: str = ""
    updated_at: AwareDatetime | None = Field(default=None, description="when it was last sent")


class Receipt(Value):
    """What one channel was told of one page: enough to see what it is behind on.

    `digest` is of the words last sent: the same words are not sent again.
    """

    vendor_id: str = Field(description="Slack's ts, PagerDuty's dedup_key; may be empty")
    destination: str = ""
    via: str = Field(default="", description="slack, fallback, pagerduty, webhook or sns")
    posted_at: AwareDatetime
    updated_at: AwareDatetime | None = None
    severity: Severity | None = Field(default=None, description="the gravest that was told")
    state: PageState | None = Field(default=None, description="the state that was told")
    latency_ms: int | None = Field(default=None, description="kernel line to that page")
    digest: str = ""
    shared: bool = Field(default=False, description="members beside the lead were told")
    said: int = Field(default=0, description="the newest line of history that was told")
    parts: dict[str, Posted] = Field(
        default_factory=dict, description="messages in the thread, by what they are: list/1"
    )

    def doubted(self) -> "Receipt":
        """Return the same without trust in the words last sent: they are sent once more.

        That is for messages that are edited in place; the other vendors know events, which a
        repeat does not change.
        """
        if self.via != "slack":
            return self
        parts = {name: part.model_copy(update={"digest": ""}) for name, part in self.parts.items()}
        return self.model_copy(update={"digest": "", "parts": parts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One call of a vendor that brings a channel nearer to what it should show.

    `part` names the message inside the page: `root`, `list/2`, `history/7`; a vendor without
    messages names what it does. `pages` when it wakes somebody who was not woken for this yet.
    `becomes` is the receipt once it is done, without what only the vendor can say (its ids).
    """

    part: str
    action: Literal["trigger", "update", "acknowledge", "resolve", "reply"]
    body: Mapping[str, Any]
    becomes: Receipt
    pages: bool = False
    earliest: datetime | None = None
    """Not before this moment: what changes often is shown at most once a second."""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One answered attempt to tell a channel, for the page's timeline."""

    channel: str
    action: str
    outcome: str
    detail: str
    at: datetime
    latency_ms: int | None
    hops: Hops | None = None
    part: str = "root"
