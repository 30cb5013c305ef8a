"""page_event/1: what programs are told of a page, by a signed webhook or a topic."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import Value
from reflexarc.events.incident import PageRef
from reflexarc.events.page import Entry
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity

# `acknowledged` and `resolved` say that the page became that; `repeated` reminds of what is known.
Happening = Literal["opened", "updated", "acknowledged", "resolved", "repeated"]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Work(Value):
    """The job that the lead's fault hit."""

    id: str = ""
    name: str = ""
    owner: str = ""
    namespace: str = ""


class Lead(Value):
    """The incident that opened the page, or the one that names where the trouble began."""

    fingerprint: str
    entity: Entity
    cause: str
    title: str
    meaning: str = ""
    action: str = Field(default="", description="what to do, as an instruction")
    owner: Literal["oncall", "job"] = "oncall"
    job: Work | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    marks: tuple[str, ...] = Field(default=(), description="caveats")
    evidence: tuple[str, ...] = ()
    count: int = Field(description="how often it was seen")
    first_at: AwareDatetime
    last_at: AwareDatetime
    observed_at: AwareDatetime = Field(description="when the gravest finding was observed")


class Counts(Value):
    """How far the page reaches."""

    incidents: int = Field(description="its lead and all members")
    devices: int
    open_devices: int
    nodes: int
    seen: int = Field(description="findings in all")


class Node(Value):
    """One node of a page, with the things on it that broke, and how many are still broken."""

    node: str
    devices: int
    open: int


class PageEvent(Value):
    """A page as it is now, and what happened to it since the channel was told last.

    `key` names the page for all its life; `id` names this state of it: an event that comes again
    with the same id says nothing new.
    """

    schema_: Literal["page_event/1"] = Field(default="page_event/1", alias="schema")
    id: Digest
    event: Happening
    key: Digest
    page: PageRef
    summary: str = Field(description="one line for people")
    severity: Severity = Field(description="the gravest so far")
    state: Literal["open", "acked", "resolved"]
    opened_at: AwareDatetime
    acked_at: AwareDatetime | None = None
    acked_by: str = ""
    resolved_at: AwareDatetime | None = None
    resolved_by: str = ""
    flapping: bool = False
    routes: tuple[str, ...] = ()
    lead: Lead
    counts: Counts
    nodes: tuple[Node, ...] = Field(default=(), description="those with most broken come first")
    truncated: bool = Field(default=False, description="there are more nodes than `nodes` lists")
    history: tuple[Entry, ...] = Field(default=(), description="the newest lines, oldest first")
