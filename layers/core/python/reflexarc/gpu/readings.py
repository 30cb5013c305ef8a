"""Reads one message of the gpu-readings queue, and what of it is worth keeping. Pure.

Unlike a fault a reading is never salvaged: the next one comes in a minute.
"""

from datetime import datetime

from pydantic import AwareDatetime, Field, ValidationError

from reflexarc.events.delivery import Delivery
from reflexarc.events.envelope import Value
from reflexarc.events.gpu_faults import Job
from reflexarc.events.gpu_readings import (
    GpuReading,
    GpuReadings,
    Health,
    SensorReport,
    Vitals,
)
from reflexarc.events.problems import first_of, problems_of
from reflexarc.kernel.errors import Rejected

NAME = "gpu_readings/1"
# Far beyond a node of 16 GPUs; what is larger is no heartbeat.
BODY_MAX = 256 * 1024
_PROBLEMS_SHOWN = 3
_CANARY = "canary/"
_THERMAL = "thermal/"


class GpuState(Value):
    """What one GPU was like when its node last spoke. Absent: not read, which is never zero."""

    device: str
    uuid: str = ""
    index: int | None = None
    name: str = ""
    health: Health = "unknown"
    temperature_c: float | None = None
    margin_c: float | None = None
    power_w: float | None = None
    utilization: float | None = None
    memory_used_mib: float | None = None
    active: tuple[str, ...] = ()
    throttled: tuple[str, ...] = ()
    mig: bool | None = None
    job: Job | None = None


def is_heated(gpu: GpuState) -> bool:
    """Return whether a thermal rule holds on a GPU."""
    return any(rule.startswith(_THERMAL) for rule in gpu.active)


class RunningHour(Value):
    """How a GPU has spent the hour that runs, or one that closed."""

    device: str
    name: str = ""
    hour: AwareDatetime
    since: AwareDatetime
    observed_s: float
    idle_s: float
    allocated_idle_s: float
    job: Job | None = None


class NodeState(Value):
    """What a node last said of itself, without what only its next minute needs."""

    node: str
    boot_id: str = ""
    seq: int
    sent_at: AwareDatetime
    queued_at: AwareDatetime
    labels: dict[str, str] = Field(default_factory=dict)
    agent: str = ""
    driver: str = ""
    started_at: AwareDatetime
    left: bool = Field(default=False, description="it said farewell: silence is planned")
    counters: dict[str, int] = Field(default_factory=dict)
    spool_bytes: int = 0
    gpus: tuple[GpuState, ...] = ()
    hours: tuple[RunningHour, ...] = ()
    ports: dict[str, str] = Field(default_factory=dict, description="port -> state")
    vitals: Vitals | None = None
    sensors: tuple[SensorReport, ...] = ()


def read(delivery: Delivery) -> GpuReadings | None:
    """Return what a message says, or None for a canary; raises Rejected, saying why."""
    if len(delivery.body) > BODY_MAX:
        raise Rejected(f"the body has {len(delivery.body):,} characters; at most {BODY_MAX:,}")
    try:
        return GpuReadings.model_validate_json(delivery.body)
    except ValidationError as error:
        if _CANARY in delivery.body[:100]:
            return None
        shown = "".join(first_of(problems_of(error, "message"), _PROBLEMS_SHOWN))
        raise Rejected(f"not a message of {NAME}: {shown}") from error


def state_of(message: GpuReadings, queued_at: datetime) -> NodeState:
    """Return what is kept of a message."""
    heartbeat = message.heartbeat
    counters = heartbeat.counters.model_dump()
    return NodeState(
        node=message.source.node,
        boot_id=message.source.boot_id,
        seq=message.seq,
        sent_at=message.sent_at,
        queued_at=queued_at,
        labels=message.source.labels,
        agent=message.source.agent,
        driver=message.driver,
        started_at=heartbeat.started_at,
        left=heartbeat.farewell,
        counters={name: number for name, number in counters.items() if number},
        spool_bytes=heartbeat.spool_bytes,
        gpus=tuple(_gpu(gpu) for gpu in message.gpus),
        hours=hours_of(message, closed=False),
        ports={port.name: port.state for port in message.ports},
        vitals=message.vitals,
        sensors=message.sensors,
    )


def hours_of(message: GpuReadings, *, closed: bool) -> tuple[RunningHour, ...]:
    """Return the hours of a message that are over, or those that still run."""
    names = {gpu.device: gpu.name for gpu in message.gpus}
    return tuple(
        RunningHour.model_construct(
            device=hour.device,
            name=hour.name or names.get(hour.device, ""),
            hour=hour.hour,
            since=hour.since,
            observed_s=hour.observed_s,
            idle_s=hour.idle_s,
            allocated_idle_s=hour.allocated_idle_s,
            job=hour.job,
        )
        for hour in message.hours
        if hour.closed is closed
    )


def _gpu(gpu: GpuReading) -> GpuState:
    # Its parts were validated with the message; eighty thousand a minute need not be again.
    return GpuState.model_construct(
        device=gpu.device,
        uuid=gpu.uuid,
        index=gpu.index,
        name=gpu.name,
        # Nothing was read, so nothing is known, whatever the sender believes.
        health="unknown" if gpu.looks == 0 and gpu.health == "ok" else gpu.health,
        # The mean of a minute tells of power and use; the last value of heat and memory.
        temperature_c=_last(gpu, "temperature_c"),
        margin_c=_last(gpu, "margin_c"),
        power_w=_mean(gpu, "power_w"),
        utilization=_mean(gpu, "utilization"),
        memory_used_mib=_last(gpu, "memory_used_mib"),
        active=gpu.active,
        throttled=tuple(sorted(name for name, seconds in gpu.throttled_s.items() if seconds)),
        mig=gpu.mig,
        job=gpu.job,
    )


def _last(gpu: GpuReading, name: str) -> float | None:
    gauge = gpu.gauges.get(name)
    return None if gauge is None else round(gauge.last, 1)


def _mean(gpu: GpuReading, name: str) -> float | None:
    gauge = gpu.gauges.get(name)
    return None if gauge is None else round(gauge.mean, 1)
