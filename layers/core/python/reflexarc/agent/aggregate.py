"""From a look a second to one reading a minute, and to hours of use. Pure: time is an argument.

A window is what was seen since the last heartbeat. Hours are counted beside it, because waste is
reckoned by the hour and must survive a restart: the running hours go to the disk with each
heartbeat, so that kill -9 loses at most what was counted since.
"""

import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reflexarc.events.gpu_faults import Job
from reflexarc.events.gpu_readings import Gauge, GpuHour, GpuReading, Health, PortReading, Vitals
from reflexarc.gpu.watch.model import (
    HW_POWER_BRAKE,
    HW_SLOWDOWN,
    HW_THERMAL,
    IDLE,
    SW_POWER_CAP,
    SW_THERMAL,
    GpuSample,
    NodeSample,
    PortSample,
)

GAUGES = (
    "temperature_c",
    "margin_c",
    "memory_c",
    "memory_margin_c",
    "power_w",
    "power_limit_w",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "utilization",
    "memory_used_mib",
    "memory_total_mib",
)
COUNTERS = (
    "ecc_corrected_volatile",
    "ecc_uncorrected_volatile",
    "ecc_corrected_aggregate",
    "ecc_uncorrected_aggregate",
    "remapped_correctable",
    "remapped_uncorrectable",
    "remap_pending",
    "remap_failure",
    "recovery_action",
    "nvlink_errors",
    "pcie_replays",
    "pcie_width",
    "pcie_width_max",
)
REASONS = {
    "idle": IDLE,
    "sw_power_cap": SW_POWER_CAP,
    "hw_slowdown": HW_SLOWDOWN,
    "sw_thermal": SW_THERMAL,
    "hw_thermal": HW_THERMAL,
    "hw_power_brake": HW_POWER_BRAKE,
}
IDLE_BELOW = 5.0
# A look stands for the time since the last one, unless the machine slept in between.
LONGEST_STEP = 5.0
# GPUs that were here once are reported as long as the agent runs; more are no GPUs of one node.
DEVICES_MAX = 128
# Closed hours stay known this long, so that a clock set back goes on counting in them.
_REMEMBERED = timedelta(hours=2)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a GPU beside its sample: rules that hold, its health and its job."""

    health: Health = "unknown"
    active: tuple[str, ...] = ()
    job: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one heartbeat carries; `running` is what must go to the disk with it."""

    seconds: float = 0.0
    driver: str = ""
    gpus: tuple[GpuReading, ...] = ()
    hours: tuple[GpuHour, ...] = ()
    ports: tuple[PortReading, ...] = ()
    vitals: Vitals | None = None
    running: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class _Gauge:
    least: float
    sum: float
    most: float
    last: float
    count: int = 1

    def add(self, value: float) -> None:
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        self.sum += value
        self.last = value
        self.count += 1

    def published(self) -> Gauge:
        return Gauge(
            min=round(self.least, 3),
            mean=round(self.sum / self.count, 3),
            max=round(self.most, 3),
            last=round(self.last, 3),
        )


@dataclass(slots=True)
class _Gpu:
    """What one GPU did in the window."""

    sample: GpuSample
    standing: Standing = field(default_factory=Standing)
    looks: int = 0
    gauges: dict[str, _Gauge] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    throttled: dict[str, float] = field(default_factory=dict)

    def add(self, sample: GpuSample, standing: Standing, seconds: float) -> None:
        # A lost GPU knows nothing any more; what it is called is kept from before.
        self.sample = replace(
            sample,
            uuid=sample.uuid or self.sample.uuid,
            name=sample.name or self.sample.name,
        )
        self.standing = standing
        if sample.lost:
            return
        self.looks += 1
        for name in GAUGES:
            value = getattr(sample, name)
            if value is None or not math.isfinite(value):
                continue
            if gauge := self.gauges.get(name):
                gauge.add(value)
            else:
                self.gauges[name] = _Gauge(value, value, value, value)
        for name in COUNTERS:
            value = getattr(sample, name)
            if value is not None:
                self.counters[name] = int(value)
        for name, bit in REASONS.items():
            if sample.reasons is not None and sample.reasons & bit:
                self.throttled[name] = self.throttled.get(name, 0.0) + seconds

    def published(self) -> GpuReading:
        sample = self.sample
        return GpuReading(
            device=sample.device,
            uuid=sample.uuid,
            index=sample.index,
            name=sample.name,
            health=self._health(),
            looks=self.looks,
            gauges={name: gauge.published() for name, gauge in self.gauges.items()},
            counters=self.counters,
            throttled_s={name: round(each, 1) for name, each in self.throttled.items()},
            active=self.standing.active,
            mig=sample.mig,
            job=self.standing.job,
        )

    def _health(self) -> Health:
        """Return its health, which is never good where nothing was read."""
        if self.sample.lost or self.standing.health == "lost":
            return "lost"
        return self.standing.health if self.looks else "unknown"


@dataclass(slots=True)
class _Hour:
    """How one GPU spends one hour."""

    device: str
    hour: datetime
    since: datetime
    uuid: str = ""
    name: str = ""
    observed: float = 0.0
    idle: float = 0.0
    allocated_idle: float = 0.0
    job: Job | None = None
    told: bool = False

    def add(self, sample: GpuSample, *, seconds: float, held: bool, job: Job | None) -> None:
        if sample.lost or sample.utilization is None or not math.isfinite(sample.utilization):
            return
        self.uuid, self.name, self.told = sample.uuid, sample.name, False
        self.observed += seconds
        if sample.utilization < IDLE_BELOW:
            self.idle += seconds
            if held:
                self.allocated_idle += seconds
                self.job = job or self.job

    def published(self, *, closed: bool) -> GpuHour:
        return GpuHour(
            device=self.device,
            uuid=self.uuid,
            name=self.name,
            hour=self.hour,
            since=self.since,
            observed_s=round(self.observed, 1),
            idle_s=round(self.idle, 1),
            allocated_idle_s=round(self.allocated_idle, 1),
            job=self.job,
            closed=closed,
        )


class Aggregator:
    """Counts looks; `swap` ends a window. Safe to call from two threads."""

    def __init__(self, *, started_at: datetime, seconds: float) -> None:
        self._since = started_at
        self._began = seconds
        self._last_seconds = seconds
        self._last_at = started_at
        self._gpus: dict[str, _Gpu] = {}
        self._hours: dict[tuple[str, datetime], _Hour] = {}
        self._ports: tuple[PortSample, ...] = ()
        self._vitals: Vitals | None = None
        self._driver = ""
        self._lock = threading.Lock()

    def look(
        self,
        sample: NodeSample,
        *,
        standing: Mapping[str, Standing],
        busy: Collection[str] = (),
        vitals: Vitals | None = None,
        driver: str = "",
    ) -> None:
        """Take in what the node knows now."""
        with self._lock:
            step = min(max(sample.seconds - self._last_seconds, 0.0), LONGEST_STEP)
            self._last_seconds = sample.seconds
            self._notice_time(sample.at)
            for gpu in sample.gpus:
                self._look_at(gpu, standing.get(gpu.device, Standing()), step, busy)
            self._notice_missing({gpu.device for gpu in sample.gpus}, standing)
            self._ports = sample.ports
            self._vitals = vitals or self._vitals
            self._driver = driver or self._driver

    def swap(self, seconds: float) -> Window:
        """End the window and begin the next. Hours that are over leave with it, once."""
        with self._lock:
            now = _hour_of(self._last_at)
            due = [each for each in self._hours.values() if not each.told and each.observed]
            due.sort(key=lambda each: (each.hour, each.device))
            hours = tuple(each.published(closed=each.hour != now) for each in due)
            for each in due:
                each.told = each.hour != now
            self._forget_hours()
            window = Window(
                seconds=round(max(seconds - self._began, 0.0), 3),
                driver=self._driver,
                gpus=tuple(self._gpus[device].published() for device in sorted(self._gpus)),
                hours=hours,
                ports=tuple(_port(port) for port in self._ports),
                vitals=self._vitals,
                running=tuple(
                    hour.model_dump(mode="json", exclude_none=True)
                    for hour in hours
                    if not hour.closed
                ),
            )
            self._began = seconds
            self._vitals = None
            self._ports = ()
            for device, gpu in self._gpus.items():
                self._gpus[device] = _Gpu(gpu.sample, gpu.standing)
            return window

    def restore(self, running: Iterable[Mapping[str, Any]]) -> None:
        """Go on with the hours that an earlier process had begun; raises ValueError on others."""
        with self._lock:
            for saved in running:
                hour = GpuHour.model_validate(saved)
                self._hours[hour.device, hour.hour] = _Hour(
                    device=hour.device,
                    hour=hour.hour,
                    since=hour.since,
                    uuid=hour.uuid,
                    name=hour.name,
                    observed=hour.observed_s,
                    idle=hour.idle_s,
                    allocated_idle=hour.allocated_idle_s,
                    job=hour.job,
                )

    def _look_at(
        self, sample: GpuSample, standing: Standing, step: float, busy: Collection[str]
    ) -> None:
        gpu = self._gpus.get(sample.device)
        if gpu is None:
            if len(self._gpus) >= DEVICES_MAX:
                return
            gpu = self._gpus[sample.device] = _Gpu(sample)
        gpu.add(sample, standing, step)
        key = sample.device, _hour_of(self._last_at)
        hour = self._hours.get(key)
        if hour is None:
            hour = self._hours[key] = _Hour(sample.device, key[1], self._since)
        hour.add(sample, seconds=step, held=sample.device in busy, job=standing.job)

    def _notice_missing(self, read: Collection[str], standing: Mapping[str, Standing]) -> None:
        for device, gpu in self._gpus.items():
            if device not in read and device in standing:
                gpu.standing = standing[device]

    def _notice_time(self, at: datetime) -> None:
        # A clock set far back meets hours that are forgotten here and were told: what is counted
        # in them from now on must not replace that, so it gets a `since` of its own.
        if at < self._last_at - _REMEMBERED:
            self._since = at
        self._last_at = at

    def _forget_hours(self) -> None:
        self._hours = {
            key: each
            for key, each in self._hours.items()
            if not each.told or abs(self._last_at - each.hour) < _REMEMBERED + _HOUR
        }


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _port(port: PortSample) -> PortReading:
    return PortReading(
        name=port.name,
        state=port.state,
        link=port.link,
        rate=port.rate,
        counters=dict(port.counters),
    )


Swap = Callable[[float], Window]
