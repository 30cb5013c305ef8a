"""Fits an agent with the sensors, rules and owners that its settings ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reflexarc.adapters.dcgm.sensor import DcgmSensor
from reflexarc.adapters.kubelet.pod_resources import PodResources
from reflexarc.adapters.nvml.events import NvmlEvents
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.adapters.nvml.sensor import NvmlSensor
from reflexarc.adapters.proc.vitals import VitalsSensor
from reflexarc.adapters.sysfs.ports import PortSensor
from reflexarc.agent.log import AgentLog
from reflexarc.agent.owners.service import KnownOwners
from reflexarc.agent.ports import Owners, Rules, Sensor
from reflexarc.agent.settings import AgentSettings
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.gpu_readings import Health
from reflexarc.gpu.watch.model import NodeSample

AddressOf = Callable[[str], str | None]


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


def fitted_sensors(settings: AgentSettings, address_of: AddressOf) -> list[Sensor]:
    """Return the sensors, the driver's own first: where two know a reading, the first has it.

    `address_of` tells which PCI address a GPU has whose UUID or number is all that a sensor knows.
    """
    sensors: list[Sensor] = []
    if settings.nvml == "auto":
        nvml = Nvml()
        sensors += [NvmlSensor(nvml), NvmlEvents(nvml)]
    if settings.dcgm_url:
        sensors.append(DcgmSensor(settings.dcgm_url, device_of_uuid=address_of))
    if settings.ports:
        sensors.append(PortSensor(settings.sys_dir))
    if settings.vitals:
        sensors.append(VitalsSensor(settings.proc_dir, settings.sys_dir, settings.spool_dir))
    sensors.append(PodResources(settings.kubelet_socket, place_of=address_of))
    return sensors


def fitted_owners(settings: AgentSettings, log: AgentLog) -> Owners:
    """Return what knows whose work runs where; raises Rejected on variables that are unfit."""
    return KnownOwners(
        proc_dir=settings.proc_dir,
        jobs_dir=settings.jobs_dir,
        hpc_dir=settings.hpc_job_dir,
        job_env=settings.job_env,
        node=settings.node,
        log=log,
    )


def fitted_rules(settings: AgentSettings, state: Mapping[str, Any]) -> Rules:
    """Return the rules, going on where an earlier agent stopped."""
    del settings, state
    return NoRules()
