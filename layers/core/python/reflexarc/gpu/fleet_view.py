"""How a node's last state reads some time later: silence is never health. Pure."""

from datetime import datetime
from typing import Literal

from reflexarc.events.gpu_readings import Health
from reflexarc.gpu.fleet_silence import LATE_AFTER, SILENT_AFTER
from reflexarc.gpu.readings import GpuState, NodeState, is_heated

Status = Literal["live", "stale", "silent", "left"]
# Degrees to the slowdown at which a person who asks for hot GPUs wants to see one.
HOT_MARGIN_C = 10.0


def status_of(state: NodeState, now: datetime) -> Status:
    """Return whether a node speaks, as pages tell it; silence after a farewell is planned."""
    if state.left:
        return "left"
    age = now - state.queued_at
    return "live" if age < LATE_AFTER else "stale" if age < SILENT_AFTER else "silent"


def health_of(gpu: GpuState, status: Status) -> Health:
    """Return what is known of a GPU's health now: of a node that fell silent, nothing."""
    return gpu.health if status in {"live", "stale"} else "unknown"


def is_hot(gpu: GpuState) -> bool:
    """Return whether a thermal rule holds on a GPU, or little margin is left."""
    near = gpu.margin_c is not None and gpu.margin_c <= HOT_MARGIN_C
    return near or is_heated(gpu)
