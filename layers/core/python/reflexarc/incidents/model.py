"""What a change of an incident is, and where alerts go."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.severity import Severity


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

    channels: tuple[Channel, ...]
    routes: tuple[Route, ...]
