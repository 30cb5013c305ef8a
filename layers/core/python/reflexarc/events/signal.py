"""signal/1: something that may open, join or clear an incident, whoever noticed it."""

import hashlib
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import Envelope, Value
from reflexarc.events.gpu_faults import Job
from reflexarc.events.severity import Severity

EVIDENCE_MAX = 5
# Incidents of this aspect are about the job that runs on a GPU, not about the GPU.
APPLICATION = "application"
Text = Annotated[str, StringConstraints(max_length=2_000)]


class Entity(Value):
    """The thing that is broken: its fingerprint, not a message's, is what an incident is about."""

    kind: Literal["gpu", "nvswitch", "node", "port", "rack", "fabric", "job"]
    node: str = ""
    device: str = Field(default="", description="PCI address without function, or a name")
    uuid: str = Field(default="", description="a label, not part of the identity")
    aspect: str = Field(
        default="",
        description="what of the thing is ill where that heals on its own: thermal, power, memory",
    )

    @property
    def fingerprint(self) -> str:
        """Return 32 hex digits that name this thing, or this aspect of it, for ever."""
        parts = f"{self.kind}\x1f{self.node}\x1f{self.device}"
        if self.aspect:
            parts += f"\x1f{self.aspect}"
        return hashlib.sha256(parts.encode()).hexdigest()[:32]


class Order(Value):
    """Where a signal stands in its source's own history; clocks play no part in it."""

    boot_id: str
    seq: int


class Hops(Value):
    """When each part touched the fault. `observed_at` is corrected where a node's clock is off."""

    observed_at: AwareDatetime
    sent_at: AwareDatetime | None = None
    queued_at: AwareDatetime | None = None
    received_at: AwareDatetime | None = None
    decided_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None


class Signal(Envelope):
    """One finding about one entity: `fire` says broken, `clear` says verified repaired."""

    schema_: Literal["signal/1"] = Field(default="signal/1", alias="schema")
    kind: Literal["fire", "clear"] = "fire"
    entity: Entity
    cause: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="what was found, e.g. xid/79"
    )
    severity: Severity
    title: Text
    meaning: Text = ""
    action: Text = Field(default="", description="what to do, as an instruction")
    owner: Literal["oncall", "job"] = "oncall"
    job: Job | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    marks: tuple[str, ...] = Field(default=(), description="caveats shown with the alert")
    evidence: tuple[Text, ...] = Field(default=(), max_length=EVIDENCE_MAX)
    count: int = Field(default=1, ge=1)
    first_at: AwareDatetime
    last_at: AwareDatetime
    order: Order | None = None
    clock_skew_s: float = Field(default=0.0, description="node's clock minus ours, where it is off")
    hops: Hops
