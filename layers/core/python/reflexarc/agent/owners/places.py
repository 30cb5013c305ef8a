"""Which device an index, a UUID or an address means now: "device", or "device/gpu instance"."""

import re
from dataclasses import dataclass, field

from reflexarc.gpu.identity import device_of
from reflexarc.gpu.watch.model import GpuSample, Observation

# More devices than this are no GPUs of one node.
DEVICES_MAX = 256
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}(\.[0-7])?", re.IGNORECASE)
_INDEX = re.compile(r"(?:nvidia)?([0-9]{1,3})(?:[./](?:gi)?([0-9]{1,3}))?")
# Drivers before 470 name a MIG device so; later ones give it a UUID of its own.
_OLD_MIG = re.compile(r"MIG-(GPU-[^/]+)/([0-9]{1,3})/[0-9]{1,3}")


@dataclass(slots=True)
class Places:
    """Learns from samples. NVML's newest numbering is the one that holds; it may change."""

    uuids: dict[str, str] = field(default_factory=dict)
    indexes: dict[int, str] = field(default_factory=dict)
    partitioned: set[str] = field(default_factory=set)
    _from_driver: bool = False

    def learn(self, observation: Observation) -> None:
        """Take in what one sensor saw. Only NVML's own looks tell the driver's version."""
        from_driver = bool(observation.driver)
        if from_driver:
            self._from_driver = True
            shown = {gpu.device for gpu in observation.gpus if gpu.index is not None}
            taken = {gpu.index for gpu in observation.gpus}
            for index in [i for i, d in self.indexes.items() if d in shown or i in taken]:
                del self.indexes[index]
        for gpu in observation.gpus:
            if len(self.uuids) < DEVICES_MAX or gpu.uuid in self.uuids:
                self._learn(gpu, numbers=from_driver or not self._from_driver)

    def of(self, name: str) -> str | None:
        """Return the place, None where the name means nothing here."""
        if device := self.uuids.get(name):
            return device
        if found := _OLD_MIG.fullmatch(name):
            device = self.uuids.get(found[1])
            return f"{device}/{found[2]}" if device else None
        if _PCI.fullmatch(name):
            return device_of(name)
        found = _INDEX.fullmatch(name)
        device = self.indexes.get(int(found[1])) if found else None
        if found is None or device is None:
            return None
        return f"{device}/{found[2]}" if found[2] else device

    def _learn(self, gpu: GpuSample, *, numbers: bool) -> None:
        if gpu.uuid:
            self.uuids[gpu.uuid] = gpu.device
        if numbers and gpu.index is not None:
            self.indexes[gpu.index] = gpu.device
        if gpu.mig:
            self.partitioned.add(gpu.device)
        elif gpu.mig is False:
            self.partitioned.discard(gpu.device)
