"""What sensors read, and what a node knows at one instant. None: not known, which is never zero.

Values here are made ten times a second and more, so they are slotted dataclasses, not models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from reflexarc.events.gpu_faults import Job
from reflexarc.events.gpu_readings import Vitals

# answers: read within the last seconds. hung: a call into it does not return. absent: no library,
# no module, no device. failing: it answers with errors.
DriverState = Literal["answers", "hung", "absent", "failing", "off"]

# Clocks-event reasons, nvml.h. https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
IDLE = 0x1
SW_POWER_CAP = 0x4
HW_SLOWDOWN = 0x8
SW_THERMAL = 0x20
HW_THERMAL = 0x40
HW_POWER_BRAKE = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """One look at one GPU. `device` is the address as gpu.identity.device_of spells it.

    Temperatures in C, power in W, clocks in MHz, memory in MiB, utilization in percent. Margins are
    degrees left until the hardware slows down: T.Limit on Ada and later, else threshold minus
    temperature. Counters are the driver's own; they restart at zero with the driver.
    """

    device: str
    uuid: str = ""
    index: int | None = None
    name: str = ""
    lost: bool = False
    temperature_c: float | None = None
    margin_c: float | None = None
    memory_c: float | None = None
    memory_margin_c: float | None = None
    reasons: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    utilization: float | None = None
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None
    ecc_corrected_volatile: int | None = None
    ecc_uncorrected_volatile: int | None = None
    ecc_corrected_aggregate: int | None = None
    ecc_uncorrected_aggregate: int | None = None
    remapped_correctable: int | None = None
    remapped_uncorrectable: int | None = None
    remap_pending: bool | None = None
    remap_failure: bool | None = None
    recovery_action: int | None = None
    nvlink_errors: int | None = None
    pcie_replays: int | None = None
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    mig: bool | None = None
    pids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSample:
    """One look at one InfiniBand, RoCE or EFA port; `name` is device/port: mlx5_0/1."""

    name: str
    state: str
    link: str = ""
    rate: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class XidSeen:
    """An Xid or a recovery action that NVML or DCGM reported: a second witness of the kernel log.

    `count` is how many reports this stands for where the witness counts them. `sxid` marks a code
    of an NVSwitch; `recovery_to` the action of a code 154.
    """

    witness: Literal["nvml", "dcgm"]
    device: str
    code: int
    at: datetime
    uuid: str = ""
    gpu_instance: int | None = None
    compute_instance: int | None = None
    recovery_to: int | None = None
    sxid: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one look of one sensor found; a sensor fills what it knows.

    `jobs` are owners by device, or by "device/gpu instance" where a MIG instance has its own.
    """

    gpus: tuple[GpuSample, ...] = ()
    ports: tuple[PortSample, ...] = ()
    xids: tuple[XidSeen, ...] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    vitals: Vitals | None = None
    driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSample:
    """What a node knows at one instant: the input of every rule.

    `seconds` is a monotonic clock and the only time rules reckon with; `at` is only copied into
    what they find. `gpus` are those read this time; a GPU that is missing was not read.
    """

    at: datetime
    seconds: float
    gpus: tuple[GpuSample, ...] = ()
    ports: tuple[PortSample, ...] = ()
    driver: DriverState = "off"
