"""Verdicts on SXids: the word on the line first, the catalogue where the line has none."""

import re

from reflexarc.events.severity import Severity
from reflexarc.gpu import catalog
from reflexarc.gpu.identity import Companion, companion
from reflexarc.gpu.model import FaultLine, Verdict

_WORD = re.compile(r"(Non-?fatal|Fatal)\b", re.IGNORECASE)  # without a link, or cut off before it


def judge(fault: FaultLine) -> Verdict:
    """Return the verdict on a line of an SXid event."""
    code = fault.code or 0
    known = catalog.sxid(code)
    extra = companion(fault)
    fatal = _is_fatal(fault, extra)
    title = "not in the catalogue of this version" if known is None else known.title
    link = "" if fault.link is None else f"link {fault.link}"
    word = "" if fatal is None else "fatal" if fatal else "non-fatal"
    details = ", ".join(part for part in (link, word) if part)
    return Verdict(
        cause=f"sxid/{code}",
        severity=_severity(known=known, extra=extra, fatal=fatal),
        title=f"SXid {code}: {title}" + (f" ({details})" if details else ""),
        meaning=_meaning(fault, known),
        action=_action(known=known, fatal=fatal),
        owner="oncall",
        marks=_marks(known, extra),
    )


def _is_fatal(fault: FaultLine, extra: Companion | None) -> bool | None:
    if fault.fatal is not None:
        return fault.fatal
    if extra is not None:
        return extra.fatal
    word = _WORD.match(fault.detail or "")
    return None if word is None else word[1].lower() == "fatal"


def _severity(
    *, fatal: bool | None, known: catalog.Sxid | None, extra: Companion | None
) -> Severity:
    if extra is not None and extra.fatal is None:
        return Severity.INFO  # register data; the event's own line has the severity
    if fatal:
        return Severity.CRITICAL
    if known is None:
        return Severity.WARNING
    if fatal is False and known.severity is Severity.CRITICAL:
        return Severity.WARNING
    return known.severity


def _action(*, fatal: bool | None, known: catalog.Sxid | None) -> str:
    usual = "look" if known is None else known.action
    if fatal and usual in {"look", "nothing"}:
        usual = "reset-fabric"
    if fatal is False and usual in {"reset-fabric", "reboot"}:
        usual = "look"
    return catalog.switch_action_text(usual)


def _meaning(fault: FaultLine, known: catalog.Sxid | None) -> str:
    says = "" if fault.detail is None else f" The line says: {fault.detail[:300]}"
    if known is None:
        return (
            f"An NVSwitch reported SXid {fault.code}, which the catalogue of this version does not "
            f"know.{says}"
        )
    unit = known.unit[0].upper() + known.unit[1:]
    return f"{unit} reports: {known.title}.{says}"


def _marks(known: catalog.Sxid | None, extra: Companion | None) -> tuple[str, ...]:
    marks = []
    if known is not None and known.xid74:
        marks.append("GPUs on this link may report Xid 74 as an echo")
    if known is not None and known.note:
        marks.append(known.note)
    if extra is not None:
        marks.append("a secondary line of the event; its first line has the link")
    return tuple(marks)
