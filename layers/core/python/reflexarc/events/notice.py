"""notice/1: one channel is behind on one page (a row of the outbox)."""

from typing import Literal, get_args

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Value
from reflexarc.events.incident import PageRef
from reflexarc.events.severity import Severity

ChannelKind = Literal["slack", "pagerduty", "webhook", "sns"]


class Channel(Value):
    """A destination that routes name.

    `destination` is Slack's channel id, a webhook's URL, an SNS topic's ARN; empty for PagerDuty.
    `secret` names the entry of the kind's secret that this channel speaks with; empty: the default.
    """

    name: str
    kind: ChannelKind
    destination: str = ""
    secret: str = ""


class Notice(Value):
    """A channel is behind on a page: whoever sends brings it up to date and removes this.

    There is one row a page and channel, whatever happened how often. `stamp` tells one write of
    the row from the next: what changed after a sender looked is not removed by that sender.
    """

    schema_: Literal["notice/1"] = Field(default="notice/1", alias="schema")
    channel: Channel
    page: PageRef
    severity: Severity
    created_at: AwareDatetime
    stamp: str = ""
    fresh: bool = Field(default=False, description="the channel was never told of this page")
    shared: bool = Field(default=False, description="others than the page's lead changed")

    @property
    def group(self) -> str:
        """Return the delivery group: what must be sent in order, by one sender at a time.

        Slack limits a channel to about one message a second, so its channel is the group; the
        others order by key, so there it is one line of pages.
        """
        return group_of(self.channel, self.page)

    @property
    def row(self) -> str:
        """Return the row's key inside its group; the generations of a page sort in their order."""
        return row_of(self.channel, self.page)


def group_of(channel: Channel, page: PageRef) -> str:
    """Return the delivery group of what a channel is told of a page."""
    if channel.kind == "slack":
        return f"slack/{channel.destination}"
    return f"{channel.kind}/{channel.name}/{page.scope}"


def row_of(channel: Channel, page: PageRef) -> str:
    """Return the key, inside its group, of what a channel is told of a page."""
    return f"{page.scope}#{page.generation:08d}#{channel.name}"


class WakeUp(Value):
    """wakeup/1: look at this delivery group. Idempotent; losing one costs a sweep's delay."""

    schema_: Literal["wakeup/1"] = Field(default="wakeup/1", alias="schema")
    group: str


class Canary(Value):
    """canary/1: a message that keeps a function warm and proves its queue; it changes nothing."""

    schema_: Literal["canary/1"] = Field(default="canary/1", alias="schema")
    sent_at: AwareDatetime


def vendor_of(group: str) -> ChannelKind:
    """Return the vendor that a delivery group belongs to."""
    kind = group.partition("/")[0]
    return next(known for known in get_args(ChannelKind) if known == kind)
