"""page/1: what people are told. One incident, or many with one cause, told as one thing."""

import hashlib
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import Value
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident, PageRef, Role, State
from reflexarc.events.notice import Channel
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity

PageState = Literal["open", "acked", "closing", "resolved"]
HISTORY_MAX = 20
LIVE: frozenset[PageState] = frozenset({"open", "acked", "closing"})
JOINABLE: frozenset[PageState] = frozenset({"open", "acked"})


class Mute(Value):
    """Why nobody is told yet: a silence, planned work, or another incident that explains this."""

    kind: Literal["silence", "inhibition", "maintenance"]
    name: str = Field(description="the silence's id, or the rule's name")
    why: str = ""
    until: AwareDatetime | None = Field(default=None, description="None: while its cause lasts")


class Step(Value):
    """What is to happen at a moment unless the page ends before, or somebody acknowledges it.

    `look` sees whether a mute still holds; `begin` tells channels whose hours begin; `escalate`
    tells further channels; `repeat` reminds those that were told; `settle` ends a flapping page
    that stayed well.
    """

    kind: Literal["look", "begin", "escalate", "repeat", "settle"]
    at: AwareDatetime
    channels: tuple[str, ...] = ()
    every_s: float = Field(default=0, description="of a repeat: seconds until the next one")


class Entry(Value):
    """One line of a page's history, as its thread shows it."""

    number: int
    at: AwareDatetime
    what: str
    by: str = Field(default="", description="the person who did it, as the channel names them")
    loud: bool = Field(default=False, description="the whole channel should notice")


class Member(Value):
    """One incident of a page, beside the one that leads it."""

    fingerprint: str
    generation: int
    version: int
    state: State
    role: Role = "member"
    severity: Severity
    entity: Entity
    cause: str
    title: str
    count: int
    owner: Literal["oncall", "job"] = "oncall"
    job: Job | None = None
    first_at: AwareDatetime
    last_at: AwareDatetime
    joined_at: AwareDatetime
    resolved_at: AwareDatetime | None = None


class Page(Value):
    """What is told as one: its lead, what joins it, whom it was told to, and what comes next.

    `scope` names what may join (a family of causes, and the values of the labels that group it); a
    generation is one page of it. `closing` means that nobody may join while somebody looks whether
    all members are well.
    """

    schema_: Literal["page/1"] = Field(default="page/1", alias="schema")
    scope: str
    generation: Annotated[int, Field(ge=1)]
    version: Annotated[int, Field(ge=1)]
    state: PageState
    family: str
    by: dict[str, str] = Field(default_factory=dict, description="labels that group it")
    severity: Severity = Field(description="the gravest so far")
    lead: Incident
    opened_at: AwareDatetime
    accepts_until: AwareDatetime
    resolved_at: AwareDatetime | None = None
    resolved_by: str = ""
    acked_at: AwareDatetime | None = None
    acked_by: str = ""
    channels: tuple[Channel, ...] = Field(
        default=(), description="who was told, as configured then"
    )
    routes: tuple[str, ...] = Field(default=(), description="the routes that took it, by name")
    muted: Mute | None = None
    steps: tuple[Step, ...] = ()
    timer: int = Field(default=0, description="changes with `steps`: an older timer does nothing")
    history: tuple[Entry, ...] = Field(default=(), description="the newest lines, oldest first")
    flapping: bool = False

    @property
    def ref(self) -> PageRef:
        """Return the page's name."""
        return PageRef(scope=self.scope, generation=self.generation)

    @property
    def key(self) -> str:
        """Return the id of this page, stable for every vendor: 64 hex digits."""
        return page_key(self.ref)

    @property
    def due_at(self) -> AwareDatetime | None:
        """Return when the next step is due, None for none."""
        return min((step.at for step in self.steps), default=None)


class Story(Value):
    """A page with all that people may read of it."""

    page: Page
    members: tuple[Member, ...] = Field(default=(), description="in the order in which they joined")


def page_key(ref: PageRef) -> str:
    """Return what vendors know a page by."""
    return hashlib.sha256(f"{ref.scope}|{ref.generation}".encode()).hexdigest()


class Silence(Value):
    """silence/1: what matches is not told until it ends; what was told is still resolved."""

    schema_: Literal["silence/1"] = Field(default="silence/1", alias="schema")
    id: str
    labels: dict[str, str] = Field(
        min_length=1, description="label to value; * and ? in a value stand for any text"
    )
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    author: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    created_at: AwareDatetime
    expired_by: str = ""
