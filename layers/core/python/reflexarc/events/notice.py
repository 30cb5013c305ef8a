"""notice/1: one thing to tell one channel about one incident (a row of the outbox)."""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Value
from reflexarc.events.incident import Incident

ChannelKind = Literal["slack", "pagerduty"]
Action = Literal["trigger", "update", "resolve"]


class Channel(Value):
    """A destination that routes name. `destination` is Slack's channel id; empty for PagerDuty."""

    name: str
    kind: ChannelKind
    destination: str = ""


class Notice(Value):
    """Tell `channel` that `incident` was triggered, changed or resolved, as of its version."""

    schema_: Literal["notice/1"] = Field(default="notice/1", alias="schema")
    action: Action
    channel: Channel
    incident: Incident
    created_at: AwareDatetime

    @property
    def group(self) -> str:
        """Return the delivery group: what must be sent in order, by one sender at a time.

        Slack limits a channel to about one message a second, so its channel is the group;
        PagerDuty orders events by key, so there it is one incident.
        """
        if self.channel.kind == "slack":
            return f"slack/{self.channel.destination}"
        return f"{self.channel.kind}/{self.channel.name}/{self.incident.fingerprint}"

    @property
    def row(self) -> str:
        """Return the row's key inside its group; rows of one incident sort in their true order."""
        incident = self.incident
        return (
            f"{incident.fingerprint}#{incident.generation:08d}#{incident.version:010d}"
            f"#{self.channel.name}"
        )


class WakeUp(Value):
    """wakeup/1: look at this delivery group. Idempotent; losing one costs a sweep's delay."""

    schema_: Literal["wakeup/1"] = Field(default="wakeup/1", alias="schema")
    group: str


class Canary(Value):
    """canary/1: a message that keeps a function warm and proves its queue; it changes nothing."""

    schema_: Literal["canary/1"] = Field(default="canary/1", alias="schema")
    sent_at: AwareDatetime


def vendor_of(group: str) -> ChannelKind:
    """Return the vendor whose wake-up queue serves a delivery group."""
    return "slack" if group.startswith("slack/") else "pagerduty"
