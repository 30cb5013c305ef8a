"""gpu_readings/1: heartbeats and, later, aggregated readings of one node."""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Envelope, Value


class AgentCounters(Value):
    """What the agent saw, sent and lost since it started; every number only grows."""

    lines: int = 0
    faults: int = 0
    collapsed: int = Field(default=0, description="repeats folded into a count")
    unparsed: int = Field(default=0, description="looked like an Xid and did not parse")
    spoofed: int = Field(default=0, description="fault-like lines that user space wrote to kmsg")
    kernel_lost: int = Field(default=0, description="records the kernel overwrote before we read")
    sent: int = 0
    faults_shed: int = Field(default=0, description="faults lost because the spool was full")
    readings_shed: int = 0


class Heartbeat(Value):
    """I am alive; a farewell says that silence from here on is planned."""

    started_at: AwareDatetime
    counters: AgentCounters = AgentCounters()
    spool_bytes: int = 0
    spool_oldest_at: AwareDatetime | None = None
    farewell: bool = False
    unparsed_sample: str = Field(default="", description="the newest line that did not parse")


class GpuReadings(Envelope):
    """One node's heartbeat."""

    schema_: Literal["gpu_readings/1"] = Field(default="gpu_readings/1", alias="schema")
    seq: int = Field(ge=0, description="number of this message since the node booted")
    heartbeat: Heartbeat
