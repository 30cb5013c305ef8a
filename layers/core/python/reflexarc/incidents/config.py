"""The incidents part of the configuration document: channels and the routes to them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from reflexarc.events.notice import Channel, ChannelKind
from reflexarc.events.severity import Severity
from reflexarc.incidents.model import CHANNELS_MAX, Match, Route, Routing, check_routes

# A channel's name is part of row keys and of delivery groups, where # and / separate.
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class ChannelConfig(BaseModel):
    """One destination. `destination` is Slack's channel id; PagerDuty and webhooks need none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ChannelName
    kind: ChannelKind
    destination: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,40}$")] = ""


class IncidentsConfig(BaseModel):
    """What an operator writes under `incidents:`; a typo is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[ChannelConfig, ...] = Field(min_length=1, max_length=CHANNELS_MAX)
    routes: tuple[Route, ...] = ()

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        check_routes([channel.name for channel in self.channels], self.routes)
        return self

    def routing(self) -> Routing:
        """Return the routing that the rules use."""
        channels = tuple(
            Channel(name=channel.name, kind=channel.kind, destination=channel.destination)
            for channel in self.channels
        )
        return Routing(channels=channels, routes=self.routes)


def default_routing(slack_channel: str) -> Routing:
    """Page on-call for what is critical, show warnings in Slack, and keep the rest in the list.

    Warnings that belong to a job's owner go to Slack as well: until routes by owner are
    configured it is the one place where that owner can see them.
    """
    return Routing(
        channels=(
            Channel(name="pagerduty", kind="pagerduty"),
            Channel(name="slack", kind="slack", destination=slack_channel),
        ),
        routes=(
            Route(match=Match(severity=(Severity.CRITICAL,)), channels=("pagerduty", "slack")),
            Route(match=Match(severity=(Severity.WARNING,)), channels=("slack",)),
        ),
    )
