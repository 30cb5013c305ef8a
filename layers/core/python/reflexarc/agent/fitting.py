"""Fits an agent with the sensors, rules and owners that its settings ask for."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from reflexarc.adapters.dcgm.sensor import DcgmSensor
from reflexarc.adapters.kubelet.pod_resources import PodResources
from reflexarc.adapters.nvml.events import NvmlEvents
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.adapters.nvml.sensor import NvmlSensor
from reflexarc.adapters.proc.vitals import VitalsSensor
from reflexarc.adapters.sysfs.ports import PortSensor
from reflexarc.agent.log import AgentLog
from reflexarc.agent.owners.service import KnownOwners
from reflexarc.agent.ports import Owners, Sensor
from reflexarc.agent.settings import AgentSettings
from reflexarc.events.problems import problems_of
from reflexarc.gpu.watch.rules import Watch
from reflexarc.gpu.watch.thresholds import Thresholds
from reflexarc.kernel.errors import Rejected

AddressOf = Callable[[str], str | None]


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


def fitted_rules(limits: Thresholds, state: Mapping[str, Any], log: AgentLog) -> Watch:
    """Return the rules, going on where an earlier agent stopped."""
    watch = Watch(limits)
    try:
        watch.restore(state)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("what an earlier agent's rules told cannot be read", why=error)
        watch = Watch(limits)
    return watch


def limits_of(settings: AgentSettings) -> Thresholds:
    """Return the thresholds with the operator's own; raises Rejected, naming each error."""
    try:
        return Thresholds.model_validate(settings.thresholds)
    except ValidationError as error:
        problems = "; ".join(problems_of(error, "thresholds"))
        raise Rejected(f"the agent's thresholds are wrong: {problems}") from error
