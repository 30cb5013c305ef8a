"""What a fault line says once parsed, and the verdict on it."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.severity import Severity

__all__ = ["Delivery", "FaultLine", "Kind", "Outcome", "Verdict"]

Kind = Literal["xid", "sxid", "lost", "none"]


class FaultLine(NamedTuple):
    """One kernel line, taken apart. Fields that a line does not carry are None.

    `kind` is "lost" for "fallen off the bus" without an Xid, and "none" for every other line;
    `suspicious` marks a "none" that looks like an Xid or SXid and did not parse.
    `pci` is the address as printed, lower case, without the "PCI:" prefix. A named tuple, because
    an agent builds one for every line of a storm and a frozen dataclass costs four times as much.
    """

    kind: Kind
    code: int | None = None
    pci: str | None = None
    pid: int | None = None
    process: str | None = None
    suspicious: bool = False
    detail: str | None = None
    gpu_instance: int | None = None
    compute_instance: int | None = None
    caused_by: int | None = None
    rst: bool | None = None
    drst: bool | None = None
    recovery_from: int | None = None
    recovery_to: int | None = None
    nvlink_unit: str | None = None
    nvlink_fatal: bool | None = None
    cross_contained: bool | None = None
    injected: bool | None = None
    link: int | None = None
    intr_info: str | None = None
    error_status: str | None = None
    nvswitch: int | None = None
    fatal: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a fault line means for an operator, after policy and overrides."""

    cause: str
    severity: Severity
    title: str
    meaning: str
    action: str
    owner: Literal["oncall", "job"]
    clears: bool = False
    marks: tuple[str, ...] = ()
