"""Fits an agent with the sensors, rules and owners that its settings ask for."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reflexarc.adapters.nvml.events import NvmlEvents
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.adapters.nvml.sensor import NvmlSensor
from reflexarc.agent.ports import Rules, Sensor
from reflexarc.agent.settings import AgentSettings
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.gpu_readings import Health
from reflexarc.gpu.watch.model import NodeSample


@dataclass(frozen=True, slots=True)
class NoRules:
    """Fills Rules where none judge: finds nothing, and knows of nothing ill."""

    def step(self, sample: NodeSample) -> Sequence[Finding]:
        """Find nothing."""
        del sample
        return ()

    def snapshot(self) -> Mapping[str, Any]:
        """Remember nothing."""
        return {}

    def active(self, device: str) -> tuple[str, ...]:
        """Hold no rule."""
        del device
        return ()

    def health(self, device: str) -> Health:
        """Judge nothing: unknown, never ok."""
        del device
        return "unknown"


def fitted_sensors(settings: AgentSettings) -> list[Sensor]:
    """Return the sensors, the driver's own first: where two know a reading, the first has it."""
    sensors: list[Sensor] = []
    if settings.nvml == "auto":
        nvml = Nvml()
        sensors += [NvmlSensor(nvml, clock=time.monotonic), NvmlEvents(nvml)]
    return sensors


def fitted_rules(settings: AgentSettings, state: Mapping[str, Any]) -> Rules:
    """Return the rules, going on where an earlier agent stopped."""
    del settings, state
    return NoRules()
