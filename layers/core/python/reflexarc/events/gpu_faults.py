"""gpu_faults/1: what an edge agent noticed and somebody should know now.

Kernel lines that report a fault, as they were read, and findings: what rules on the node concluded
from its sensors.
"""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from reflexarc.events.envelope import Envelope, Value
from reflexarc.events.severity import Severity

# Linux cuts a printk record at 1,024 bytes (PRINTK_MESSAGE_MAX 2,048 with its prefix); several
# lines of one event may be joined by newlines.
LINE_MAX = 8_192
SAYS_MAX = 500
ASPECT_MAX = 32
RULE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,30}/[a-z0-9][a-z0-9-]{0,30}$"

Scheduler = Literal["slurm", "kubernetes", "process", ""]


class Job(Value):
    """Whose work ran on the device, where the node knows it."""

    id: str = Field(default="", description="Slurm job id, pod uid")
    name: str = Field(default="", description="Slurm job name, pod name")
    owner: str = Field(default="", description="user or team")
    namespace: str = Field(default="", description="Kubernetes namespace, Slurm account")
    scheduler: Scheduler = ""
    workload: str = Field(default="", description="what made the pod: a Deployment's or Job's name")
    container: str = ""
    nodes: str = Field(default="", description="Slurm's node list of the job, as Slurm writes it")
    rank: str = Field(default="", description="rank of the process in its job")
    ended: bool = Field(default=False, description="the last owner known; it is gone by now")


class Fault(Value):
    """One distinct fault line and how often it was seen since the last message."""

    line: Annotated[str, StringConstraints(min_length=1, max_length=LINE_MAX)]
    observed_at: AwareDatetime = Field(description="first time in this message, node's clock")
    last_at: AwareDatetime | None = Field(default=None, description="last time, if count > 1")
    count: int = Field(default=1, ge=1, description="exact number of identical faults collapsed")
    kernel_seq: int | None = Field(default=None, description="sequence number in /dev/kmsg")
    gpu_uuid: str | None = None
    process: str | None = Field(default=None, description="name read from /proc while it lived")
    job: Job | None = None


class Finding(Value):
    """A transition of one rule on the node: something became ill, or all of an aspect is well.

    `raised` says that a rule's condition holds. `cleared` says that no rule of that aspect of the
    device holds any more, by each rule's own clear condition: it ends the incident of the aspect.
    """

    rule: Annotated[str, StringConstraints(pattern=RULE_PATTERN)] = Field(
        description="thermal/near-limit; xid/79 where NVML or DCGM saw what the kernel log did not"
    )
    state: Literal["raised", "cleared"] = "raised"
    aspect: Annotated[str, StringConstraints(max_length=ASPECT_MAX)] = Field(
        default="",
        description="thermal, power, memory, link, network, driver; empty: the GPU itself",
    )
    kind: Literal["gpu", "nvswitch", "node", "port"] = "gpu"
    device: str = Field(default="", description="PCI address without function; port name; empty")
    gpu_uuid: str | None = None
    severity: Severity = Field(description="as the node's rules have it; the cloud may overrule")
    says: Annotated[str, StringConstraints(max_length=SAYS_MAX)] = Field(
        description="what was measured, in words: margin 3 C for 60 s at 87 C"
    )
    values: dict[str, float] = Field(
        default_factory=dict, description="the measured numbers; xid, gpu_instance, recovery_to"
    )
    observed_at: AwareDatetime
    process: str | None = None
    job: Job | None = None


class GpuFaults(Envelope):
    """What one node's kernel and sensors said about its GPUs, NVSwitches and ports."""

    schema_: Literal["gpu_faults/1"] = Field(default="gpu_faults/1", alias="schema")
    seq: int = Field(ge=0, description="number of this message since the node booted")
    faults: tuple[Fault, ...] = ()
    findings: tuple[Finding, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.faults and not self.findings:
            raise ValueError("neither faults nor findings")
        return self
