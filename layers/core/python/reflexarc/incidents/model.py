"""What a change of an incident is, and where alerts go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.severity import Severity

Effect = Literal["opens", "succeeds", "joins", "history", "resolves", "late"]
# One change tells each channel at most four things: an earlier generation's last update and its
# resolve, and the newest generation's trigger and resolve.
CHANNELS_MAX = 8
NOTICES_MAX = 4 * CHANNELS_MAX
# DynamoDB takes 100 items a transaction: the incident, its notices, and the rest for the ledger.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
EVENTS_MAX = 100 - 1 - NOTICES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transaction: the incident's next version, the notices it owes, the events it consumed.

    `expected_version` is the version that was read (0: no such incident yet). `events` are ledger
    ids; committing a change whose event was already recorded must fail.
    """

    incident: Incident
    expected_version: int
    notices: tuple[Notice, ...]
    events: tuple[str, ...]
    decided_at: datetime


class Match(BaseModel):
    """Which incidents a route takes; every stated condition must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: tuple[Severity, ...] = ()
    owner: tuple[Literal["oncall", "job"], ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)


class Route(BaseModel):
    """Incidents that match go to these channels; every matching route counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Match = Match()
    channels: tuple[str, ...] = Field(min_length=1)


class Routing(BaseModel):
    """Channels and the routes to them, as one pinned configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[Channel, ...] = Field(max_length=CHANNELS_MAX)
    routes: tuple[Route, ...]

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        check_routes([channel.name for channel in self.channels], self.routes)
        return self


def check_routes(channels: Sequence[str], routes: Sequence[Route]) -> None:
    """Raise ValueError, in words for an operator, where names clash or a route goes nowhere."""
    if twice := sorted({name for name in channels if channels.count(name) > 1}):
        raise ValueError(f"more than one channel is named {', '.join(twice)}")
    for number, route in enumerate(routes, start=1):
        if missing := sorted(set(route.channels) - set(channels)):
            raise ValueError(
                f"route {number} goes to {', '.join(missing)}, which is no channel;"
                f" there are: {', '.join(channels) or 'none'}"
            )
