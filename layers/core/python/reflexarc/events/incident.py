"""incident/1: the state of one incident, as stored, shown and sent."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import Value
from reflexarc.events.gpu_faults import Job
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order

State = Literal["open", "resolved"]
Role = Literal["member", "consequence", "echo"]
CAUSES_MAX = 20
BOOTS_MAX = 8
OPENINGS_MAX = 8
JOBS_MAX = 8
WHY_MAX = 8
WAS_MAX = 3


class PageRef(Value):
    """The name of one page: what people are told an incident as part of."""

    scope: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    generation: Annotated[int, Field(ge=1)]


class Cause(Value):
    """One kind of finding inside an incident, with its exact count."""

    cause: str
    title: str
    severity: Severity
    count: int
    first_at: AwareDatetime
    last_at: AwareDatetime


class Incident(Value):
    """What is broken, since when, how badly, and what to do: one document a fingerprint.

    A `generation` is one life of the incident, from opening to resolve; a `version` is one change.
    Both only grow. Generation 0 is a tombstone: a clear that overtook its fault.
    """

    schema_: Literal["incident/1"] = Field(default="incident/1", alias="schema")
    fingerprint: str
    generation: Annotated[int, Field(ge=0)]
    version: Annotated[int, Field(ge=1)]
    state: State
    severity: Severity
    entity: Entity
    cause: str = Field(description="the gravest cause so far; the others are in `causes`")
    title: str
    meaning: str = ""
    action: str = ""
    owner: Literal["oncall", "job"] = "oncall"
    job: Job | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    marks: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    other_causes: int = Field(default=0, description="findings beyond the causes listed, counted")
    count: int = 0
    first_at: AwareDatetime
    last_at: AwareDatetime
    opened_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    page: PageRef | None = Field(default=None, description="the page that tells it, if one does")
    was: tuple[PageRef, ...] = Field(
        default=(), description="pages that told it before, the last few, newest last"
    )
    role: Role = Field(default="member", description="as what it is part of its page")
    joined_at: AwareDatetime | None = Field(default=None, description="when that page took it in")
    openings: tuple[AwareDatetime, ...] = Field(
        default=(), description="when its last generations opened; many in an hour is flapping"
    )
    jobs: tuple[str, ...] = Field(
        default=(), description="jobs that an application fault hit here, newest last"
    )
    why: tuple[str, ...] = Field(
        default=(), description="which rules decided what, newest last, each with its time"
    )
    cleared: Order | None = Field(default=None, description="faults before this are history")
    boots: tuple[str, ...] = Field(
        default=(), description="boots of the node that were seen, the last one runs now"
    )
    latest: Order | None = Field(default=None, description="newest fault; older clears are late")
    clock_skew_s: float = 0.0
    hops: Hops = Field(description="of the finding that last raised the severity")
