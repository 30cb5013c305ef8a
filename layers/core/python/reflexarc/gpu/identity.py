"""What makes two fault lines the same fault, and which device a printed address names."""

import re
from typing import NamedTuple

from reflexarc.gpu.model import FaultLine

_COMPANION = re.compile(
    r"Severity\s+([0-9]{1,3})\s+Engine instance\s+([0-9]{1,4})|Data\s*[{\[]", re.IGNORECASE
)
_FROM_SPEAKER = re.compile(r"(?:NVRM|nvidia-nvswitch|S?Xid).*", re.IGNORECASE)
FATAL = 1  # NVSWITCH_ERROR_SEVERITY_FATAL, open-gpu-kernel-modules, ctrl_dev_nvswitch.h


class Companion(NamedTuple):
    """A second or third line of an SXid event: register data, or the severity and the engine.

    The engine instance is the link's number wherever an event has a link.
    """

    fatal: bool | None
    instance: int | None


def companion(fault: FaultLine) -> Companion | None:
    """Return what a line adds to its SXid event, or None when it is the event's own line."""
    if fault.kind != "sxid" or fault.detail is None:
        return None
    found = _COMPANION.match(fault.detail)
    if found is None:
        return None
    severity, instance = found.groups()
    if severity is None:
        return Companion(None, None)
    return Companion(int(severity) == FATAL, int(instance))


def device_of(pci: str | None) -> str:
    """Return the one spelling of a PCI address: lower case, short domain, no function 0.

    NVML prints 00000000:3B:00.0 where the kernel prints 0000:3b:00 for the same device.
    """
    if pci is None:
        return ""
    domain, colon, rest = pci.lower().removesuffix(".0").partition(":")
    if not colon or ":" not in rest:
        return f"{domain}{colon}{rest}"
    return f"{int(domain, 16):04x}:{rest}"


def bus_id(device: str) -> str:
    """Return a device as nvidia-smi -i takes it, or what stands for one that is not known."""
    if not device:
        return "<GPU>"
    return device if "." in device else f"{device}.0"


def collapse_key(fault: FaultLine, line: str) -> tuple[object, ...]:
    """Return a key that repeats of one fault share, though their register data differ.

    Whatever changes the verdict is part of it: a fatal repeat of a non-fatal fault is news. An
    SXid's severity line has its event's key; its data line names no link, so it has a key that all
    data lines of that switch and code share.
    """
    device = device_of(fault.pci)
    if fault.kind == "xid":
        return (
            *("xid", fault.code, device, fault.gpu_instance, fault.compute_instance),
            *(fault.link, fault.nvlink_unit, fault.nvlink_fatal, fault.pid, fault.process),
            *(fault.recovery_to, fault.caused_by, fault.rst, fault.drst),
        )
    if fault.kind == "sxid":
        if (extra := companion(fault)) is None:
            return ("sxid", fault.code, device, fault.link, fault.fatal)
        if extra.fatal is None:
            return ("sxid", fault.code, device, "data")
        return ("sxid", fault.code, device, extra.instance, extra.fatal)
    if fault.kind == "lost":
        return ("lost", device)
    # What the kernel said, without the prefix: every repeat has a time of its own.
    said = _FROM_SPEAKER.search(line)
    return ("none", said[0].rstrip() if said else line)
