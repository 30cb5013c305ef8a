"""gpu_faults/1: kernel lines that report a fault, as the edge agent read them."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import Envelope, Value

# Linux cuts a printk record at 1,024 bytes (PRINTK_MESSAGE_MAX 2,048 with its prefix); several
# lines of one event may be joined by newlines.
LINE_MAX = 8_192


class Job(Value):
    """Whose work ran on the device, where the node knows it."""

    id: str = ""
    name: str = ""
    owner: str = ""
    namespace: str = ""


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


class GpuFaults(Envelope):
    """What one node's kernel said about its GPUs and NVSwitches."""

    schema_: Literal["gpu_faults/1"] = Field(default="gpu_faults/1", alias="schema")
    seq: int = Field(ge=0, description="number of this message since the node booted")
    faults: Annotated[tuple[Fault, ...], Field(min_length=1)]
