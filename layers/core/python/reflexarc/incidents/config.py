"""The incidents part of the configuration document: channels and the routes to them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from reflexarc.events.notice import Channel, ChannelKind
from reflexarc.events.severity import Severity
from reflexarc.incidents.model import CHANNELS_MAX, Match, Route, Routing
from reflexarc.kernel.errors import Rejected

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

    def routing(self) -> Routing:
        """Return the routing that the rules use; raises ValueError where routes go nowhere."""
        channels = tuple(
            Channel(name=channel.name, kind=channel.kind, destination=channel.destination)
            for channel in self.channels
        )
        return Routing(channels=channels, routes=self.routes)


def routing_from(document: Any) -> Routing:
    """Return the routing of a configuration document, or raise Rejected with every problem."""
    try:
        return IncidentsConfig.model_validate(document).routing()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'incidents'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise Rejected(f"the configuration is not valid: {problems}") from error


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
