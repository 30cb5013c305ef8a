"""Which GPUs NVML lists, each by its PCI address."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reflexarc.adapters.nvml.library import tried
from reflexarc.gpu.identity import device_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One listed GPU. `address` is the handle's own: what an event names its GPU by."""

    device: str
    handle: Any
    address: int
    index: int
    uuid: str = ""
    name: str = ""


def address_of(handle: Any) -> int:
    """Return a handle as a number."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _told(api: Any, call: Callable[..., Any], *args: Any) -> Any:
    return tried(api, call, *args)[0]


def listed(api: Any) -> tuple[list[Card], list[str]]:
    """Return the GPUs that can be named, and remarks on those that cannot."""
    cards, remarks = [], []
    for index in range(_told(api, api.nvmlDeviceGetCount) or 0):
        handle = _told(api, api.nvmlDeviceGetHandleByIndex, index)
        pci = None if handle is None else _told(api, api.nvmlDeviceGetPciInfo, handle)
        if pci is None:
            remarks.append(f"GPU {index} does not tell its PCI address and is left out")
            continue
        cards.append(
            Card(
                device=device_of(pci.busId),
                handle=handle,
                address=address_of(handle),
                index=index,
                uuid=_told(api, api.nvmlDeviceGetUUID, handle) or "",
                name=_told(api, api.nvmlDeviceGetName, handle) or "",
            )
        )
    return cards, remarks
