"""Which GPUs NVML lists, each by its PCI address."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reflexarc.adapters.nvml.library import SESSION_OVER, SessionOver
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


def _try(api: Any, call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except api.NVMLError as error:
        if error.value in SESSION_OVER:
            raise SessionOver(error.value) from error
        return None


def listed(api: Any) -> tuple[list[Card], list[str]]:
    """Return the GPUs that can be named, and remarks on those that cannot."""
    cards, remarks = [], []
    for index in range(_try(api, api.nvmlDeviceGetCount) or 0):
        handle = _try(api, api.nvmlDeviceGetHandleByIndex, index)
        pci = None if handle is None else _try(api, api.nvmlDeviceGetPciInfo, handle)
        if pci is None:
            remarks.append(f"GPU {index} does not tell its PCI address and is left out")
            continue
        cards.append(
            Card(
                device=device_of(pci.busId),
                handle=handle,
                address=address_of(handle),
                index=index,
                uuid=_try(api, api.nvmlDeviceGetUUID, handle) or "",
                name=_try(api, api.nvmlDeviceGetName, handle) or "",
            )
        )
    return cards, remarks
