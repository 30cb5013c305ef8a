"""Says of a fault or finding whose work it hit, and which GPU it is by its UUID."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reflexarc.agent.ports import Owners
from reflexarc.events.gpu_faults import Fault, Finding, Job
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.parse import parse

# More devices than this are no GPUs of one node.
_UUIDS_MAX = 256


@dataclass(slots=True, kw_only=True)
class Attribution:
    """Knows UUIDs from the last samples, and asks for owners; without owners it says none."""

    owners: Owners | None = None
    uuids: dict[str, str] = field(default_factory=dict)

    def learn(self, uuids: Mapping[str, str]) -> None:
        """Remember which UUID was read at which address; a GPU that is lost keeps its own."""
        if len(self.uuids) < _UUIDS_MAX:
            self.uuids.update({device: uuid for device, uuid in uuids.items() if uuid})

    def of_first(self, fault: Fault, line: FaultLine) -> Fault:
        """Return a first occurrence with its owner, asked for before the process is gone."""
        process, job = "", None
        if self.owners is not None and line.pid is not None:
            process, job = self.owners.of_process(line.pid)
        return self._of(fault, line, process, job)

    def of_repeats(self, fault: Fault) -> Fault:
        """Return counted repeats with the owner of their device."""
        return self._of(fault, parse(fault.line), "", None)

    def of_finding(self, finding: Finding) -> Finding:
        """Return a finding with the owner and UUID of its device, where it names none itself."""
        instance = finding.values.get("gpu_instance")
        known = {
            "gpu_uuid": finding.gpu_uuid or self.uuids.get(finding.device),
            "job": finding.job
            or self._holder(finding.device, None if instance is None else int(instance)),
        }
        return finding.model_copy(update=known)

    def _of(self, fault: Fault, line: FaultLine, process: str, job: Job | None) -> Fault:
        device = device_of(line.pci)
        known = {
            "gpu_uuid": self.uuids.get(device),
            "process": process or None,
            "job": job or self._holder(device, line.gpu_instance),
        }
        if not any(known.values()):
            return fault
        return fault.model_copy(update=known)

    def _holder(self, device: str, gpu_instance: int | None) -> Job | None:
        if self.owners is None or not device:
            return None
        return self.owners.of_device(device, gpu_instance)
