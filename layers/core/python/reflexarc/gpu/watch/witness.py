"""NVML and DCGM beside the kernel log: what both saw is one fault, the rest is told. Pure.

A kernel line takes milliseconds to reach the agent, so a report that no line matches within seconds
was missed by the kernel log: the log was not readable, or the kernel overwrote it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from reflexarc.events.gpu_faults import Finding
from reflexarc.events.severity import Severity
from reflexarc.gpu import catalog
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.watch.model import XidSeen

WAIT_SECONDS = 5.0
MATCH_SECONDS = 30.0
# More faults at once than this are a storm, in which the kernel log leads anyway.
KEPT_MAX = 4_096
LOST_CODE = 79
RECOVERY_CODE = 154
# nvml.h has this number for an Xid that it cannot name: it matches any of that GPU.
UNNAMED_CODE = 999


class _Key(NamedTuple):
    sxid: bool
    device: str
    code: int
    recovery_to: int | None


@dataclass(slots=True)
class _Report:
    """What second witnesses said of one fault, until it is confirmed or told."""

    xid: XidSeen
    seconds: float
    witnesses: tuple[str, ...]
    told: bool = False


class Witness:
    """Matches reports with kernel lines, by device and code. One owner calls it."""

    def __init__(self) -> None:
        self._kernel: dict[_Key, float] = {}
        self._reports: dict[_Key, _Report] = {}
        self._corroborated = 0

    @property
    def corroborated(self) -> int:
        """Return how many faults both saw."""
        return self._corroborated

    def kernel(self, fault: FaultLine, seconds: float) -> None:
        """Take note of a fault line of the kernel's log."""
        if (key := _key_of_line(fault)) is None:
            return
        self._kernel.pop(key, None)
        self._kernel[key] = seconds
        if len(self._kernel) > KEPT_MAX:
            del self._kernel[next(iter(self._kernel))]
        for each in (key, key._replace(code=UNNAMED_CODE, recovery_to=None)):
            report = self._reports.get(each)
            if report is not None and not report.told:
                del self._reports[each]
                self._corroborated += 1

    def seen(self, xid: XidSeen, seconds: float) -> None:
        """Take note of what a second witness saw."""
        if xid.code == 0:
            return
        key = _Key(xid.sxid, device_of(xid.device), xid.code, xid.recovery_to)
        known = self._reports.get(key)
        if known is not None and abs(seconds - known.seconds) <= MATCH_SECONDS:
            known.witnesses = tuple(dict.fromkeys((*known.witnesses, xid.witness)))
            return
        if self._in_kernel_log(key, seconds):
            self._corroborated += 1
            return
        self._reports[key] = _Report(xid=xid, seconds=seconds, witnesses=(xid.witness,))
        if len(self._reports) > KEPT_MAX:
            del self._reports[next(iter(self._reports))]

    def due(self, seconds: float) -> tuple[Finding, ...]:
        """Return what the kernel log has not confirmed in time, each once."""
        findings: list[Finding] = []
        for key, report in tuple(self._reports.items()):
            waited = seconds - report.seconds
            if not report.told and not 0 <= waited < WAIT_SECONDS:
                report.told = True
                findings.append(_finding(key, report))
            if report.told and not 0 <= waited <= MATCH_SECONDS:
                del self._reports[key]
        return tuple(findings)

    def snapshot(self) -> dict[str, Any]:
        """Return what waits to be told, as JSON."""
        return {
            "waiting": [
                {**asdict(each.xid), "at": each.xid.at.isoformat(), "by": list(each.witnesses)}
                for each in self._reports.values()
                if not each.told
            ]
        }

    def restore(self, state: Mapping[str, Any], seconds: float) -> None:
        """Go on where an earlier process stopped: the kernel log may still confirm what waits."""
        for saved in state.get("waiting", ()):
            values = dict(saved)
            by = tuple(values.pop("by"))
            xid = XidSeen(**{**values, "at": datetime.fromisoformat(values["at"])})
            key = _Key(xid.sxid, device_of(xid.device), xid.code, xid.recovery_to)
            self._reports[key] = _Report(xid=xid, seconds=seconds, witnesses=by)

    def _in_kernel_log(self, key: _Key, seconds: float) -> bool:
        if key.code == UNNAMED_CODE:
            return any(
                line.device == key.device and abs(seconds - at) <= MATCH_SECONDS
                for line, at in self._kernel.items()
            )
        return abs(seconds - self._kernel.get(key, -math.inf)) <= MATCH_SECONDS


def _key_of_line(fault: FaultLine) -> _Key | None:
    device = device_of(fault.pci)
    if fault.kind == "lost":
        return _Key(sxid=False, device=device, code=LOST_CODE, recovery_to=None)
    if fault.code is None or fault.kind not in {"xid", "sxid"}:
        return None
    to = fault.recovery_to if fault.code == RECOVERY_CODE else None
    return _Key(sxid=fault.kind == "sxid", device=device, code=fault.code, recovery_to=to)


def _finding(key: _Key, report: _Report) -> Finding:
    xid = report.xid
    kind = "sxid" if key.sxid else "xid"
    named = {
        kind: xid.code,
        "gpu_instance": xid.gpu_instance,
        "compute_instance": xid.compute_instance,
        "recovery_to": xid.recovery_to,
    }
    by = " and ".join(each.upper() for each in report.witnesses)
    healthy = not key.sxid and xid.code == RECOVERY_CODE and xid.recovery_to == 0
    return Finding(
        rule=f"{kind}/{xid.code}",
        state="cleared" if healthy else "raised",
        kind="nvswitch" if key.sxid else "gpu",
        device=key.device,
        gpu_uuid=xid.uuid or None,
        severity=_severity(key),
        says=f"{by} reported {kind.upper()} {xid.code}; the kernel log did not",
        values={name: float(value) for name, value in named.items() if value is not None},
        observed_at=xid.at,
    )


def _severity(key: _Key) -> Severity:
    known = catalog.sxid(key.code) if key.sxid else catalog.xid(key.code)
    return Severity.WARNING if known is None else known.severity
