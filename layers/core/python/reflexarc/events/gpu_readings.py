"""gpu_readings/1: once a minute, that a node is alive and what its sensors read.

Readings are worthless when old and may be lost; sequence numbers say how many were.
"""

from typing import Literal

from pydantic import AwareDatetime, Field

from reflexarc.events.envelope import Envelope, Value
from reflexarc.events.gpu_faults import Job

# ok: read in this window and no rule holds. Never ok where nothing was read: that is unknown.
Health = Literal["ok", "warning", "critical", "lost", "unknown"]
SensorStatus = Literal["ok", "absent", "failing", "hung", "off"]


class AgentCounters(Value):
    """What the agent saw, sent and lost since it started; every number only grows."""

    lines: int = 0
    faults: int = 0
    collapsed: int = Field(default=0, description="repeats folded into a count")
    unparsed: int = Field(default=0, description="looked like an Xid and did not parse")
    spoofed: int = Field(default=0, description="fault-like lines that user space wrote to kmsg")
    kernel_lost: int = Field(default=0, description="records the kernel overwrote before we read")
    findings: int = Field(default=0, description="transitions of the node's own rules")
    corroborated: int = Field(
        default=0, description="faults that NVML or DCGM saw as well as the kernel log"
    )
    samples: int = Field(default=0, description="looks at the sensors")
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


class Gauge(Value):
    """What a reading was over the window; the mean is over the looks that read it."""

    min: float
    mean: float
    max: float
    last: float


class GpuReading(Value):
    """One GPU over the window. What could not be read is absent, never zero."""

    device: str = Field(description="PCI address without function: the identity")
    uuid: str = ""
    index: int | None = Field(default=None, description="NVML's index now; it may change")
    name: str = ""
    health: Health = "unknown"
    looks: int = Field(default=0, ge=0, description="how often it was read in the window")
    gauges: dict[str, Gauge] = Field(
        default_factory=dict,
        description="temperature_c, margin_c, memory_c, power_w, utilization, memory_used_mib, ...",
    )
    counters: dict[str, int] = Field(
        default_factory=dict,
        description="as last read: ecc_uncorrected_volatile, pcie_replays, ...",
    )
    throttled_s: dict[str, float] = Field(
        default_factory=dict, description="seconds of the window, by clocks-event reason"
    )
    active: tuple[str, ...] = Field(default=(), description="rules that hold now")
    mig: bool | None = None
    job: Job | None = None


class GpuHour(Value):
    """How one GPU spent one hour of UTC, as this agent saw it. Replaces what it said before.

    The numbers of one (device, hour, since) only grow, so the last one told is the true one.
    """

    device: str
    uuid: str = ""
    name: str = ""
    hour: AwareDatetime = Field(description="the start of the hour")
    since: AwareDatetime = Field(description="start of the run of the agent that counted")
    observed_s: float = Field(ge=0)
    idle_s: float = Field(ge=0, description="of these, seconds with a utilization under 5 %")
    allocated_idle_s: float = Field(ge=0, description="of these, seconds in which a job held it")
    job: Job | None = Field(default=None, description="the last that held it idle")
    closed: bool = Field(default=False, description="the hour is over")


class PortReading(Value):
    """One InfiniBand, RoCE or EFA port, as sysfs shows it at the window's end."""

    name: str = Field(description="device/port: mlx5_0/1")
    state: str = Field(description="ACTIVE, INIT, DOWN, ...")
    link: str = Field(default="", description="InfiniBand, Ethernet, EFA")
    rate: str = ""
    counters: dict[str, int] = Field(default_factory=dict)


class Vitals(Value):
    """What of the node itself explains faults. Absent: not known."""

    memory_available_mib: int | None = None
    memory_total_mib: int | None = None
    disk_free_mib: int | None = Field(default=None, description="where the spool lives")
    cpu_throttled: int | None = Field(default=None, description="times since boot, all packages")
    cpu_pressure: float | None = Field(default=None, description="PSI some avg60, percent")
    memory_pressure: float | None = Field(default=None, description="PSI full avg60, percent")
    io_pressure: float | None = Field(default=None, description="PSI full avg60, percent")
    oom_kills: int | None = Field(default=None, description="since boot")
    load1: float | None = None
    uptime_s: float | None = None


class SensorReport(Value):
    """How one sensor fared: what is absent or failing is said, not passed over."""

    name: str
    status: SensorStatus
    says: str = Field(default="", description="why, and what to do")


class GpuReadings(Envelope):
    """One node's heartbeat with what its sensors read since the last one."""

    schema_: Literal["gpu_readings/1"] = Field(default="gpu_readings/1", alias="schema")
    seq: int = Field(ge=0, description="number of this message since the node booted")
    heartbeat: Heartbeat
    window_s: float = Field(default=0.0, ge=0, description="what gauges and seconds refer to")
    driver: str = Field(default="", description="version of the NVIDIA driver")
    gpus: tuple[GpuReading, ...] = ()
    hours: tuple[GpuHour, ...] = ()
    ports: tuple[PortReading, ...] = ()
    vitals: Vitals | None = None
    sensors: tuple[SensorReport, ...] = ()
