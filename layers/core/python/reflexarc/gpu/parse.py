"""Takes one kernel line apart: Xid, SXid, "fallen off the bus", or nothing of ours.

`parse` never raises and never guesses a field: what a line does not say is None. The formats are
NVIDIA's (open-gpu-kernel-modules, src/nvidia/src/kernel/gpu/rc/kernel_rc.c and osapi.c), with any
prefix that a console, syslog, journald, /dev/kmsg or a log shipper puts before them.
"""

import re
from typing import TypedDict

from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.unwrap import lines_in

# A printk record ends at 1 KiB, a message's line at 8 KiB; more than this is no kernel line, and
# a bound keeps hostile input from costing more than it should.
LONGEST = 65_536

NOTHING = FaultLine(kind="none")
SUSPICIOUS = FaultLine(kind="none", suspicious=True)

_FLAGS = re.ASCII | re.IGNORECASE
# Domain, bus and device; drivers before r256 printed bus and device alone.
_ADDRESS = r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2,4}:[0-9a-f]{2}(?:\.[0-9a-f])?"
_XID = re.compile(
    rf"(?<![a-z0-9_])NVRM:\s*Xid\s*\(\s*(?:PCI:\s*)?({_ADDRESS})"
    r"(?:[\s,]+GPU-I:\s*([0-9]{1,4}))?(?:[\s,]+GPU-CI:\s*([0-9]{1,4}))?(?:[\s,][^()]{0,80})?\)"
    r"\s*:\s*([0-9]{1,4})(?![0-9a-z_])"
    r"(.*)",
    _FLAGS,
)
_SXID = re.compile(
    r"(?:nvidia-nvswitch([0-9]{1,4}):\s*)?(?<![a-z0-9_])SXid\s*\(\s*(?:PCI:\s*)?"
    rf"({_ADDRESS})(?:[\s,][^()]{{0,80}})?\)\s*:\s*([0-9]{{1,5}})(?![0-9a-z_])(.*)",
    _FLAGS,
)
_PID = re.compile(r"[\s,]*pid\s*=\s*('[^']*'|\"[^\"]*\"|[^\s,]*)", _FLAGS)
# TASK_COMM allows spaces, brackets, colons, and commas that no space follows.
_NAME = re.compile(r"[\s,]*name\s*=\s*([^,]*(?:,(?=[^\s,])[^,]*)*)", _FLAGS)
_ADVICE = re.compile(r"\s+Recommended Action=", _FLAGS)  # what a monitor adds when it quotes
# By far the most frequent shape, at a third of the time of the patterns above.
_USUAL = re.compile(r", pid=([0-9]{1,10}), name=([^,='\"<]+), (.*)", re.ASCII)
_UNKNOWN = frozenset({"", "<unknown>"})
_EDGES = " \t\r\n,"
_DECIMAL = re.compile(r"[0-9]{1,10}\Z")

_NVLINK = re.compile(
    r"([a-z][\w/ ]{0,40}?)\s+(Non-?fatal|Fatal)\s+XC\s*([0-9]{1,4})\s+i\s*([0-9]{1,4})"
    r"\s+Link\s*(-?[0-9]{1,4})"
    # Eight digits, or fewer where a separator shows that they were not cut off.
    r"(?:\s*[(\[]\s*(0x(?:[0-9a-f]{8}\b|[0-9a-f]{1,16}(?=[\s,)\]])))"
    r"(?:[\s,]+(0x(?:[0-9a-f]{8}\b|[0-9a-f]{1,16}(?=[\s,)\]]))))?)?",
    _FLAGS,
)
_NVLINK4 = 74
_NVLINK5 = range(144, 151)
_RECOVERY = 154
_OLD_LINK = re.compile(r"\blink\s+([0-9]{1,4})\b", _FLAGS)
_FROM = re.compile(r"\bfrom\s+0x([0-9a-f]{1,8})\b", _FLAGS)
_TO = re.compile(r"\bto\s+0x([0-9a-f]{1,8})\b", _FLAGS)
_CAUSED_BY = re.compile(r"caused by previous Xid\s*:?\s*([0-9]{1,4})\b", _FLAGS)
_RESET = re.compile(r"(?<![\w-])(D-)?RST:\s*(Yes|No)\b", _FLAGS)
_SWITCH_LINK = re.compile(r"[\s,]*(Fatal|Non-?fatal),\s*Link\s+(-?[0-9]{1,4})", _FLAGS)

_LOST = "fallen off the bus"
_SPEAKER = re.compile(rf"(?<![a-z0-9_])NVRM:|\bnvidia\s+{_ADDRESS}", _FLAGS)
_FULL_ADDRESS = re.compile(
    r"(?<![0-9a-f])(?<![0-9a-f]:)[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}(?:\.[0-9a-f])?(?![0-9a-f])",
    _FLAGS,
)
_BYTES = re.compile(r'"MESSAGE"\s?:\s?\[')  # journald's way of showing unprintable messages
# Somebody searched for, or printed, such a line: the audit log and sudo show their commands.
_QUOTED = re.compile(
    r"\b(?:[ef]?grep|rg|echo|printf)\s+(?:-\S+\s+){0,4}[\"']?(?:<[0-9]>)?\Z", _FLAGS
)
# A string of JSON or logfmt that could not be decoded, so the fault ends where the string ends.
_IN_STRING = re.compile(r"(?:\A|[:=,\[{])\s*\"[^\"]*\Z")
_LOOKS_LIKE_XID = re.compile(
    r"(?<![a-z0-9_])NVRM:\s*Xid\s*(?:[(:#=0-9]|\Z)|\bXid\s*\(\s*PCI", _FLAGS
)
_LOOKS_LIKE_SXID = re.compile(r"nvswitch[0-9]*:\s*SXid|(?<![a-z0-9_])SXid\s*[(:]", _FLAGS)


def parse(text: str) -> FaultLine:
    """Return what a line says; of several lines (one event, one JSON string) the first fault."""
    lowered = text.lower()  # may_speak_of_fault, without the cost of a call for each line of noise
    spoken_of = "xid" in lowered or "fallen off" in lowered
    if not spoken_of and (text[:1] != "{" or not _BYTES.search(text)):
        return NOTHING
    text = text[:LONGEST]
    wrapped = "\\" in text or "\n" in text or "\x1b" in text or ("{" in text and '"' in text)
    if not wrapped:
        if (found := _XID.search(text)) is not None:
            return _xid(found, text)
        if (found := _SXID.search(text)) is not None:
            return _sxid(found, text)
    return _parse_carefully(text)


def parse_each(text: str) -> tuple[tuple[str, FaultLine], ...]:
    """Return every fault in the text, or the one suspicion, each with the line that says so."""
    lines = lines_in(text[:LONGEST])
    found = tuple((line, fault) for line in lines if (fault := _fault(line)) is not NOTHING)
    if faults := tuple(pair for pair in found if pair[1].kind in {"xid", "sxid"}):
        return faults
    joined = "\n".join(lines)
    lost = _lost(joined)
    if lost is not NOTHING:
        return ((joined, lost),)
    return found[:1]


def _parse_carefully(text: str) -> FaultLine:
    found = parse_each(text)
    return found[0][1] if found else NOTHING


def _fault(line: str) -> FaultLine:
    if (found := _XID.search(line)) is not None:
        return _xid(found, line)
    if (found := _SXID.search(line)) is not None:
        return _sxid(found, line)
    looks = _LOOKS_LIKE_XID.search(line) or _LOOKS_LIKE_SXID.search(line)
    if looks is None or _is_quoted(line, looks.start()):
        return NOTHING
    return SUSPICIOUS


def _is_quoted(text: str, start: int) -> bool:
    """Tell whether somebody searches for, or prints, what stands at `start`."""
    if not ("grep" in text or "echo" in text or "printf" in text or "rg" in text):
        return False  # plain looks cost a third of the pattern
    return _QUOTED.search(text, 0, start) is not None


class _Extra(TypedDict, total=False):
    """What only some codes print."""

    caused_by: int
    rst: bool
    drst: bool
    recovery_from: int
    recovery_to: int
    nvlink_unit: str
    nvlink_fatal: bool
    cross_contained: bool
    injected: bool
    link: int
    intr_info: str
    error_status: str


_NO_EXTRA = _Extra()


def _xid(found: re.Match[str], text: str) -> FaultLine:
    start = found.start()
    if start and _is_quoted(text, start):
        return NOTHING
    pci, gpu_instance, compute_instance, digits, rest = found.groups()
    if start and '"' in text and _IN_STRING.search(text, 0, start):
        rest = rest.partition('"')[0]
    code = int(digits)
    pid, process, detail = _process(rest)
    return FaultLine(
        kind="xid",
        code=code,
        pci=pci.lower(),
        pid=pid,
        process=process,
        detail=detail,
        gpu_instance=None if gpu_instance is None else int(gpu_instance),
        compute_instance=None if compute_instance is None else int(compute_instance),
        **(_NO_EXTRA if detail is None else _extra(code, detail)),
    )


def _process(rest: str) -> tuple[int | None, str | None, str | None]:
    """Return pid, process name and what follows them; the kernel quotes what it does not know."""
    if (usual := _USUAL.match(rest)) is not None:
        digits, name, detail = usual.groups()
        return int(digits), name.strip() or None, detail.strip(_EDGES) or None
    pid = process = None
    at = 0
    if (found := _PID.match(rest)) is not None:
        at = found.end()
        if _DECIMAL.match(found[1]):
            pid = int(found[1])
    if (found := _NAME.match(rest, at)) is not None:
        at = found.end()
        name = found[1]
        if "=" in name and (advice := _ADVICE.search(name)):
            name = name[: advice.start()]
        name = name.strip().strip("'\"")
        process = None if name in _UNKNOWN else name
    return pid, process, rest[at:].strip(_EDGES) or None


def _extra(code: int, detail: str) -> _Extra:
    if code in _NVLINK5:
        return _nvlink(detail)
    if code == _RECOVERY:
        return _recovery(detail)
    extra = _Extra()
    if "RST" in detail:
        for d, word in _RESET.findall(detail):
            extra["drst" if d else "rst"] = word.lower() == "yes"
    if "revious" in detail and (cause := _CAUSED_BY.search(detail)):
        extra["caused_by"] = int(cause[1])
    if code == _NVLINK4 and (link := _OLD_LINK.search(detail)):
        extra["link"] = int(link[1])
    return extra


def _nvlink(detail: str) -> _Extra:
    found = _NVLINK.match(detail)
    if found is None:
        return _NO_EXTRA
    unit, word, cross, injected, link, intr_info, error_status = found.groups()
    extra = _Extra(
        nvlink_unit=unit,
        nvlink_fatal=word.lower() == "fatal",
        cross_contained=int(cross) != 0,
        injected=int(injected) != 0,
        link=int(link),
    )
    if intr_info is not None:
        extra["intr_info"] = intr_info.lower()
    if error_status is not None:
        extra["error_status"] = error_status.lower()
    return extra


def _recovery(detail: str) -> _Extra:
    """Read the codes, not the words: drivers from r610 renamed the words."""
    extra = _Extra()
    if (before := _FROM.search(detail)) is not None:
        extra["recovery_from"] = int(before[1], 16)
    if (after := _TO.search(detail)) is not None:
        extra["recovery_to"] = int(after[1], 16)
    return extra


def _sxid(found: re.Match[str], text: str) -> FaultLine:
    if _is_quoted(text, found.start()):
        return NOTHING
    switch, pci, digits, rest = found.groups()
    if '"' in rest and _IN_STRING.search(text, 0, found.start()):
        rest = rest.partition('"')[0]
    says = _SWITCH_LINK.match(rest)
    return FaultLine(
        kind="sxid",
        code=int(digits),
        pci=pci.lower(),
        nvswitch=None if switch is None else int(switch),
        fatal=None if says is None else says[1].lower() == "fatal",
        link=None if says is None else int(says[2]),
        detail=rest.strip(_EDGES) or None,
    )


def _lost(lines: str) -> FaultLine:
    """Find the driver's words for a dead GPU; the address may stand lines above them."""
    end = lines.lower().find(_LOST)
    if end < 0:
        return NOTHING
    above = lines[:end]
    speakers = list(_SPEAKER.finditer(above))
    line_start = above.rfind("\n") + 1
    if not speakers or speakers[-1].start() < line_start:
        return NOTHING
    if _is_quoted(lines, speakers[-1].start()):
        return NOTHING
    addresses = _FULL_ADDRESS.findall(above, speakers[0].start())
    return FaultLine(
        kind="lost",
        pci=addresses[-1].lower() if addresses else None,
        detail=lines[line_start:].strip() or None,
    )
