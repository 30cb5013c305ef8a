"""Verdicts on NVLink 5 reports (Xid 144 to 150): the word on the line first, NVIDIA's table second.

A nonfatal report is not a fatal one, whatever its number: peers have paged for a nonfatal 145.
"""

import re

from reflexarc.events.severity import Severity
from reflexarc.gpu import catalog
from reflexarc.gpu.model import FaultLine, Verdict

LINK_REPORT = 149
_WORD = re.compile(r"\b(Non-?fatal|Fatal)\b", re.IGNORECASE)  # of a line that was cut off


def judge(fault: FaultLine, known: catalog.Xid) -> Verdict:
    """Return the verdict on an NVLink 5 report."""
    fatal = _is_fatal(fault)
    rule = catalog.nvlink_rule(fault)
    return Verdict(
        cause=f"xid/{known.code}",
        severity=_severity(rule=rule, known=known, fatal=fatal),
        title=_title(fault, known, fatal=fatal),
        meaning=known.means + _reason(fault),
        action=_action(rule=rule, known=known, fatal=fatal),
        owner="oncall",
        marks=_marks(fault, rule, fatal=fatal),
    )


def link_down_reason(fault: FaultLine) -> int | None:
    """Return why a link went down: bits 25 to 20 of the first register of a fatal Xid 149."""
    if fault.code != LINK_REPORT or not fault.nvlink_fatal or fault.intr_info is None:
        return None
    return int(fault.intr_info, 16) >> 20 & 0x3F


def _is_fatal(fault: FaultLine) -> bool | None:
    if fault.nvlink_fatal is not None:
        return fault.nvlink_fatal
    word = _WORD.search(fault.detail or "")
    return None if word is None else word[1].lower() == "fatal"


def _severity(
    *, fatal: bool | None, rule: catalog.NvlinkRule | None, known: catalog.Xid
) -> Severity:
    if fatal is None:
        return known.severity
    if fatal:
        return Severity.CRITICAL
    harmless = rule is not None and rule.now == "IGNORE" and rule.later.startswith("IGNORE")
    if harmless or known.severity is Severity.INFO:
        return Severity.INFO
    return Severity.WARNING


def _action(*, fatal: bool | None, rule: catalog.NvlinkRule | None, known: catalog.Xid) -> str:
    if rule is None:
        if fatal is False:
            return catalog.action_text("look")
        return catalog.action_text("reset-gpu") if fatal else known.do
    if rule.now == "XID_154_EVAL":
        first = "Wait for the Xid 154 that follows on this GPU and do what it announces."
    elif fatal or rule.now == "RESET_GPU":
        first = catalog.action_text("reset-gpu")
    else:
        first = "No action now."
    if rule.later.startswith("IGNORE"):
        return first
    return f"{first} Afterwards: {catalog.bucket(rule.later)}."


def _title(fault: FaultLine, known: catalog.Xid, *, fatal: bool | None) -> str:
    # -1 is how the driver says that the report concerns no single link.
    link = "" if fault.link is None or fault.link < 0 else f"link {fault.link}"
    word = "" if fatal is None else "fatal" if fatal else "nonfatal"
    if link and fatal and fault.code == LINK_REPORT and "LINK" in (fault.nvlink_unit or ""):
        return f"Xid {known.code}: NVLink 5 {link} is down ({fault.nvlink_unit}, fatal)"
    details = ", ".join(part for part in (fault.nvlink_unit, link, word) if part)
    return f"Xid {known.code}: {known.title}" + (f" ({details})" if details else "")


def _reason(fault: FaultLine) -> str:
    reason = link_down_reason(fault)
    return "" if reason is None else f" Link-down reason {reason}."


def _marks(
    fault: FaultLine, rule: catalog.NvlinkRule | None, *, fatal: bool | None
) -> tuple[str, ...]:
    marks = []
    if fault.injected:
        marks.append("injected for a test")
    if rule is not None and fatal is not None and (rule.word != "nonfatal") != fatal:
        table = rule.word.replace("-", " ")
        marks.append(f"NVIDIA's table calls this report {table}; the word on the line was used")
    if rule is not None and rule.promoted:
        marks.append("the driver promoted this report: NVIDIA asks for a reset")
    return tuple(marks)
