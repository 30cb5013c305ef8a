"""Which PCI address a GPU has that others call by its UUID or number."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from reflexarc.gpu.watch.model import GpuSample

# More addresses than this are no GPUs of one node.
_MAX = 256


@dataclass(slots=True)
class Addresses:
    """Learns from samples; read by threads other than the one that learns."""

    by_name: dict[str, str] = field(default_factory=dict)
    uuids: dict[str, str] = field(default_factory=dict)

    def learn(self, gpus: Iterable[GpuSample]) -> None:
        """Take in what a sample calls its GPUs; numbers may change, and the newest holds."""
        for gpu in gpus:
            if not gpu.uuid or (gpu.device not in self.uuids and len(self.uuids) >= _MAX):
                continue
            self.uuids[gpu.device] = gpu.uuid
            self.by_name[gpu.uuid] = gpu.device
            if gpu.index is not None:
                # GKE's device plugin: nvidia0. https://github.com/GoogleCloudPlatform/container-engine-accelerators
                self.by_name[f"nvidia{gpu.index}"] = gpu.device
        if len(self.by_name) > 4 * _MAX:
            self.by_name = {uuid: device for device, uuid in self.uuids.items()}

    def of(self, name: str) -> str | None:
        """Return the address of a GPU; None if it is not known, as that of a MIG instance is."""
        return self.by_name.get(name)
