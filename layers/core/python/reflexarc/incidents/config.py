"""The incidents part of the configuration document: who is told what, when, and with what else."""

from datetime import timedelta

from pydantic import Field

from reflexarc.events.notice import Channel
from reflexarc.events.page import Silence
from reflexarc.events.severity import Severity
from reflexarc.incidents.document import (
    CHANNELS_MAX,
    ChannelConfig,
    Escalation,
    Grouping,
    Hours,
    Inhibition,
    Maintenance,
    Match,
    Route,
    Stated,
)
from reflexarc.incidents.model import Policy
from reflexarc.incidents.spans import Span

__all__ = [
    "ChannelConfig",
    "Escalation",
    "Grouping",
    "Hours",
    "IncidentsConfig",
    "Inhibition",
    "Maintenance",
    "Match",
    "Route",
    "default_policy",
]


class IncidentsConfig(Stated):
    """What an operator writes under `incidents:`."""

    channels: tuple[ChannelConfig, ...] = Field(default=(), max_length=CHANNELS_MAX)
    routes: tuple[Route, ...] = ()
    hours: tuple[Hours, ...] = ()
    groupings: tuple[Grouping, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    window: Span = timedelta(minutes=2)
    flaps: int = Field(default=3, ge=2, le=8)
    dead_man_url: str = Field(default="", description="called every minute that all is well")

    def policy(self, silences: tuple[Silence, ...] = ()) -> Policy:
        """Return what the rules decide by; `silences` are those that have not ended."""
        channels = tuple(
            Channel(
                name=channel.name,
                kind=channel.kind,
                destination=channel.destination,
                secret=channel.secret,
            )
            for channel in self.channels
        )
        return Policy(
            channels=channels,
            routes=self.routes,
            groupings=self.groupings,
            hours={hours.name: hours for hours in self.hours},
            inhibitions=self.inhibitions,
            maintenance=self.maintenance,
            silences=silences,
            window=self.window,
            flaps=self.flaps,
        )


def default_policy(slack_channel: str, silences: tuple[Silence, ...] = ()) -> Policy:
    """Page on-call for what is critical, show warnings in Slack, and keep the rest in the list.

    Application faults belong to a job's owner. They go to Slack as well: until routes by owner are
    configured it is the one place where that owner can see them.
    """
    return Policy(
        channels=(
            Channel(name="pagerduty", kind="pagerduty"),
            Channel(name="slack", kind="slack", destination=slack_channel),
        ),
        routes=(
            Route(
                name="critical",
                match=Match(severity=(Severity.CRITICAL,)),
                channels=("pagerduty", "slack"),
            ),
            Route(
                name="warning",
                match=Match(severity=(Severity.WARNING,), owner=("oncall",)),
                channels=("slack",),
            ),
            Route(
                name="application-fault",
                match=Match(severity=(Severity.WARNING,), owner=("job",)),
                channels=("slack",),
            ),
        ),
        silences=silences,
    )
