"""Rows of the exporter's page as readings of GPUs and owners of devices. Pure.

Names: https://github.com/NVIDIA/dcgm-exporter/blob/main/etc/default-counters.csv and
https://docs.nvidia.com/datacenter/dcgm/latest/dcgm-api/dcgm-api-field-ids.html
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reflexarc.adapters.dcgm.page import Row
from reflexarc.adapters.kubelet.workload import workload_of
from reflexarc.events.gpu_faults import Job
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.watch.model import GpuSample

NUMBERS = {
    "DCGM_FI_DEV_GPU_TEMP": "temperature_c",
    # 153: degrees left to the nearest slowdown threshold.
    "DCGM_FI_DEV_GPU_TEMP_LIMIT": "margin_c",
    "DCGM_FI_DEV_MEMORY_TEMP": "memory_c",
    "DCGM_FI_DEV_POWER_USAGE": "power_w",
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": "power_limit_w",
    "DCGM_FI_DEV_SM_CLOCK": "sm_clock_mhz",
    "DCGM_FI_DEV_MEM_CLOCK": "memory_clock_mhz",
}
COUNTS = {
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": "reasons",
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": "reasons",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": "ecc_corrected_volatile",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "ecc_uncorrected_volatile",
    "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL": "ecc_corrected_aggregate",
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL": "ecc_uncorrected_aggregate",
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": "remapped_correctable",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": "remapped_uncorrectable",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": "pcie_replays",
}
FLAGS = {
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": "remap_failure",
    "DCGM_FI_DEV_ROW_REMAP_PENDING": "remap_pending",
}
# Of a MIG instance's row these are the instance's own, not the GPU's.
WHOLE_GPU_ONLY = {"DCGM_FI_DEV_GPU_UTIL": "utilization", "DCGM_FI_DEV_FB_USED": "memory_used_mib"}
_FREE = "DCGM_FI_DEV_FB_FREE"
_RESERVED = "DCGM_FI_DEV_FB_RESERVED"
_USED = "DCGM_FI_DEV_FB_USED"
MEMORY = frozenset({_FREE, _RESERVED, _USED})
WANTED = frozenset({*NUMBERS, *COUNTS, *FLAGS, *WHOLE_GPU_ONLY, *MEMORY})
# More devices than this are no GPUs of one node.
DEVICES_MAX = 256
_PCI = re.compile(r"(?:[0-9a-fA-F]{1,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?")
_LABEL_MAX = 253


@dataclass(slots=True, kw_only=True)
class Addresses:
    """Knows which device a row is about: by its PCI address, else by a UUID seen before."""

    ask: Callable[[str], str | None] | None = None
    seen: dict[str, str] = field(default_factory=dict)

    def learn(self, rows: Iterable[Row]) -> None:
        """Remember which UUID stands beside which address."""
        for row in rows:
            uuid, device = uuid_of(row.labels), pci_of(row.labels)
            if uuid and device and (uuid in self.seen or len(self.seen) < DEVICES_MAX):
                self.seen[uuid] = device

    def of(self, labels: Mapping[str, str]) -> str | None:
        """Return the device, None where the row names none that is known."""
        if device := pci_of(labels):
            return device
        if not (uuid := uuid_of(labels)):
            return None
        return self.seen.get(uuid) or (self.ask(uuid) if self.ask else None) or None


def pci_of(labels: Mapping[str, str]) -> str:
    """Return the address a row prints, spelled as ours, or nothing."""
    printed = labels.get("pci_bus_id", "")
    if not _PCI.fullmatch(printed):
        return ""
    return device_of(printed if printed.count(":") > 1 else f"0000:{printed}")


def uuid_of(labels: Mapping[str, str]) -> str:
    """Return the UUID of a row, under the label's new, old or link spelling."""
    for name in ("UUID", "uuid", "gpu_uuid"):
        if uuid := labels.get(name, ""):
            return uuid[:_LABEL_MAX]
    return ""


def instance_of(labels: Mapping[str, str]) -> int | None:
    """Return the GPU instance of a MIG row."""
    printed = labels.get("GPU_I_ID", "")
    return int(printed) if printed.isascii() and printed.isdigit() and len(printed) < 4 else None  # noqa: PLR2004


def samples_of(rows: Iterable[tuple[str, Row]]) -> tuple[GpuSample, ...]:
    """Return one partial sample a device; what is no row stays unknown."""
    found: dict[str, dict[str, Any]] = {}
    for device, row in rows:
        if device not in found and len(found) >= DEVICES_MAX:
            continue
        facts = found.setdefault(device, {})
        _name(facts, row.labels)
        _read(facts, row)
    return tuple(
        GpuSample(device=device, **_with_total(facts)) for device, facts in sorted(found.items())
    )


def _name(facts: dict[str, Any], labels: Mapping[str, str]) -> None:
    instance = instance_of(labels)
    facts["mig"] = facts.get("mig") or (True if instance is not None else None)
    if (uuid := uuid_of(labels)) and instance is None:
        facts.setdefault("uuid", uuid)
    if name := labels.get("modelName") or labels.get("model_name"):
        facts.setdefault("name", name[:_LABEL_MAX])
    index = labels.get("gpu", "")
    if index.isascii() and index.isdigit() and len(index) < 4:  # noqa: PLR2004
        facts.setdefault("index", int(index))


def _read(facts: dict[str, Any], row: Row) -> None:
    if field_name := NUMBERS.get(row.name):
        facts.setdefault(field_name, row.value)
    elif (field_name := COUNTS.get(row.name)) and row.value >= 0:
        facts.setdefault(field_name, int(row.value))
    elif field_name := FLAGS.get(row.name):
        facts.setdefault(field_name, row.value != 0)
    if row.name in MEMORY | WHOLE_GPU_ONLY.keys() and instance_of(row.labels) is None:
        if field_name := WHOLE_GPU_ONLY.get(row.name):
            facts.setdefault(field_name, row.value)
        if row.name in MEMORY:
            facts.setdefault(row.name, row.value)


def _with_total(facts: dict[str, Any]) -> dict[str, Any]:
    free, used = facts.pop(_FREE, None), facts.pop(_USED, None)
    reserved = facts.pop(_RESERVED, None) or 0.0
    if free is not None and used is not None:
        facts["memory_total_mib"] = free + used + reserved
    return facts


def jobs_of(rows: Iterable[tuple[str, Row]]) -> dict[str, Job]:
    """Return who holds which device, or "device/instance", by the labels of the rows."""
    found: dict[str, Job] = {}
    for device, row in rows:
        instance = instance_of(row.labels)
        key = device if instance is None else f"{device}/{instance}"
        if key not in found and (job := job_of(row.labels)):
            found[key] = job
    return found


def job_of(labels: Mapping[str, str]) -> Job | None:
    """Return the job that the labels of one row name, None where they name none.

    Prometheus writes exported_pod where its own labels collide; the exporter's old namespace
    writes pod_name. A page through a federating server has either.
    """

    def first(*names: str) -> str:
        return next((v[:_LABEL_MAX] for n in names if (v := labels.get(n, "").strip())), "")

    if pod := first("exported_pod", "pod", "pod_name"):
        return Job(
            id=first("pod_uid"),
            name=pod,
            workload=workload_of(pod),
            namespace=first("exported_namespace", "namespace", "pod_namespace"),
            container=first("exported_container", "container", "container_name"),
            scheduler="kubernetes",
        )
    if job := first("hpc_job", "exported_hpc_job"):
        return Job(id=job, scheduler="slurm")
    return None
