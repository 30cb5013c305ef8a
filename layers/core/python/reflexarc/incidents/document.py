"""The parts of what an operator writes under `incidents:`: channels, routes, times, quiet."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from reflexarc.events.notice import ChannelKind
from reflexarc.events.severity import Severity
from reflexarc.incidents.spans import Span

# A channel's name is part of row keys and of delivery groups, where # and / separate.
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CHANNELS_MAX = 8
WORKDAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")


class Stated(BaseModel):
    """A part of the document: a typo is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelConfig(Stated):
    """One destination; see events.notice.Channel for what `destination` and `secret` are."""

    name: ChannelName
    kind: ChannelKind
    destination: str = ""
    secret: str = ""


class Match(Stated):
    """Which incidents something is about; every stated condition must hold.

    `causes` and the values of `labels` may hold * and ?. Labels are those of the incident and, by
    their names, its severity, owner, cause, kind, node, device, aspect, job (the job's id) and
    job_owner. The value "" asks that a label is absent.
    """

    severity: tuple[Severity, ...] = ()
    owner: tuple[Literal["oncall", "job"], ...] = ()
    causes: tuple[Text, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)


class Escalation(Stated):
    """Further channels that are told when nobody acknowledged after a while."""

    after: Span
    channels: tuple[ChannelName, ...] = Field(min_length=1)


class Route(Stated):
    """Incidents that match go to these channels; every matching route counts.

    `during` names hours: outside of them the channels are told when the hours begin, if the
    incident is still open then.
    """

    name: str = ""
    match: Match = Match()
    channels: tuple[ChannelName, ...] = Field(min_length=1)
    during: str = ""
    escalate: tuple[Escalation, ...] = Field(default=(), max_length=5)
    repeat: Span | None = None


class Hours(Stated):
    """Times of the week, as people write them; an end before its start is on the next day."""

    name: Name
    days: tuple[Day, ...] = Field(default=WORKDAYS, min_length=1)
    start: Clock = "09:00"
    end: Clock = "17:00"
    timezone: str = "UTC"


class Maintenance(Stated):
    """Planned work: what matches is not told while it lasts, once or every week."""

    name: Name
    match: Match
    reason: Text
    starts: AwareDatetime | None = None
    ends: AwareDatetime | None = None
    during: str = ""


class Inhibition(Stated):
    """While an incident that matches `source` is open, those that match `target` are not told.

    `equal` names labels that must have the same value on both.
    """

    name: Name
    source: Match
    target: Match
    equal: tuple[str, ...] = ()


class Grouping(Stated):
    """What is told as one page: incidents of these causes with equal values of the labels `by`.

    A label may be written as alternatives, `fabric|node`: the first that an incident has counts.
    `origin` causes lead the page; `consequences` join a page that is there and open none.
    """

    family: Name
    causes: tuple[Text, ...] = Field(min_length=1)
    by: tuple[Text, ...] = ()
    window: Span | None = None
    origin: tuple[Text, ...] = ()
    consequences: tuple[Text, ...] = ()
