"""What a fault line deserves: severity, owner and an instruction. Pure: same line, same verdict.

The policy: what takes a GPU or a fabric down pages now; what schedules a reset warns; what the
job's own code did goes to the job's owner; consequences of another fault never page alone; and
nothing that the kernel reports is dropped because it is new.
"""

from dataclasses import replace

from reflexarc.events.gpu_faults import Job
from reflexarc.events.severity import Severity
from reflexarc.gpu import catalog, nvlink, nvswitch
from reflexarc.gpu.config import GpuPolicy, Wish
from reflexarc.gpu.identity import bus_id, device_of
from reflexarc.gpu.model import FaultLine, Verdict

DEFAULT_POLICY = GpuPolicy()
RECOVERY = 154
DRAIN_AND_RESET = 4
_RESETS = frozenset({"reset-gpu", "reboot", "replace"})
NVLINK5 = range(144, 151)

_NEW = (
    "The kernel reported {name}, which the catalogue of this version does not know. It is shown "
    "because a new number can be as grave as an old one."
)
_LOOK_UP = (
    "Read the line and look the number up in NVIDIA's catalogue "
    "(https://docs.nvidia.com/deploy/xid-errors/). If jobs on this GPU fail, drain the node."
)


def judge(
    fault: FaultLine,
    policy: GpuPolicy = DEFAULT_POLICY,
    *,
    process: str | None = None,
    job: Job | None = None,
) -> Verdict:
    """Return the verdict on one parsed line; every line has one."""
    if fault.kind == "xid":
        verdict = _xid(fault)
    elif fault.kind == "sxid":
        verdict = nvswitch.judge(fault)
    elif fault.kind == "lost":
        verdict = _lost()
    else:
        verdict = _unparsed()
    verdict = wished(verdict, _wish(fault, policy))
    marks = verdict.marks + _whose(verdict, fault, process, job)
    return Verdict(
        cause=verdict.cause,
        severity=verdict.severity,
        title=verdict.title + _instance(fault),
        meaning=verdict.meaning,
        action=verdict.action.replace("{pci}", bus_id(device_of(fault.pci))),
        owner=verdict.owner,
        clears=verdict.clears,
        marks=marks,
    )


def _xid(fault: FaultLine) -> Verdict:
    code = fault.code or 0
    if code == RECOVERY:
        return _recovery(fault)
    known = catalog.xid(code)
    if known is None:
        return Verdict(
            cause=f"xid/{code}",
            severity=Severity.WARNING,
            title=f"Xid {code}: not in the catalogue of this version",
            meaning=_with_detail(_NEW.format(name=f"Xid {code}"), fault),
            action=_LOOK_UP,
            owner="oncall",
        )
    if code in NVLINK5:
        return nvlink.judge(fault, known)
    action, reset_mark = _reset_wish(fault, known)
    link = "" if fault.link is None else f" on link {fault.link}"
    marks = (known.mark, reset_mark, _cause(fault))
    return Verdict(
        cause=f"xid/{code}",
        severity=known.severity,
        title=f"Xid {code}: {known.title}{link}",
        meaning=known.means,
        action=action,
        owner=known.owner,
        marks=tuple(mark for mark in marks if mark),
    )


def _recovery(fault: FaultLine) -> Verdict:
    """Judge Xid 154, the driver's own decision: its number counts, its words change."""
    number = fault.recovery_to
    known = catalog.xid(RECOVERY)
    meaning = known.means if known is not None else ""
    if number is None:
        return Verdict(
            cause=f"xid/{RECOVERY}",
            severity=Severity.WARNING,
            title=f"Xid {RECOVERY}: the driver changed its recovery action; to what is unreadable",
            meaning=_with_detail(meaning, fault),
            action="Read the line, or ask the GPU: nvidia-smi -q -i {pci} | grep -i recovery",
            owner="oncall",
        )
    action = catalog.recovery(number)
    if number == 0 and action is not None:
        return Verdict(
            cause=f"xid/{RECOVERY}",
            severity=Severity.INFO,
            title=f"Xid {RECOVERY}: the driver says that the GPU is healthy again",
            meaning=meaning,
            action=action.do,
            owner="oncall",
            clears=True,
        )
    title = f"unknown action 0x{number:x}" if action is None else action.title
    return Verdict(
        cause=f"xid/{RECOVERY}",
        severity=Severity.CRITICAL,
        title=f"Xid {RECOVERY}: the driver asks for recovery: {title}",
        meaning=_with_detail(meaning, fault) if action is None else meaning,
        action=(
            "Drain the node, read the line for what the driver asks, and reboot if in doubt."
            if action is None
            else action.do
        ),
        owner="oncall",
        marks=("the driver's own decision",),
    )


def _lost() -> Verdict:
    """Judge a dead GPU for which the driver printed no Xid: the same as Xid 79."""
    known = catalog.xid(79)
    return Verdict(
        cause="gpu/lost",
        severity=Severity.CRITICAL,
        title="GPU has fallen off the bus",
        meaning=known.means if known is not None else "",
        action=known.do if known is not None else "",
        owner="oncall",
        marks=("no Xid was printed; this is what Xid 79 means",),
    )


def _unparsed() -> Verdict:
    return Verdict(
        cause="kernel/unparsed",
        severity=Severity.WARNING,
        title="kernel line looks like an Xid but did not parse",
        meaning=(
            "The kernel printed a line like those that report GPU faults, in a form that this "
            "version cannot read: cut off, or a new format. It is shown rather than dropped."
        ),
        action="Read the line below. If it is a fault, act on it and report the format.",
        owner="oncall",
    )


def _reset_wish(fault: FaultLine, known: catalog.Xid) -> tuple[str, str]:
    """Return instruction and mark, after what the driver says about a reset (RST, D-RST)."""
    if fault.rst:
        asks = "the driver asks for a reset now (RST: Yes)"
        return (known.do if known.action in _RESETS else catalog.action_text("reset-gpu")), asks
    wish = catalog.recovery(DRAIN_AND_RESET)
    if fault.drst and wish is not None:
        return wish.do, "the driver asks to drain, then reset (D-RST: Yes)"
    if fault.rst is False and fault.drst is False:
        return known.do, "the driver asks for no reset (RST: No, D-RST: No)"
    return known.do, ""


def _cause(fault: FaultLine) -> str:
    if fault.caused_by is None:
        return ""
    known = catalog.xid(fault.caused_by)
    return f"caused by the earlier Xid {fault.caused_by}" + (f" ({known.title})" if known else "")


def _whose(
    verdict: Verdict, fault: FaultLine, process: str | None, job: Job | None
) -> tuple[str, ...]:
    """Say whom to ask when a fault belongs to a job that nobody named."""
    if verdict.owner != "job" or (job is not None and (job.owner or job.id)):
        return ()
    name = process or fault.process
    if name is None and fault.pid is None:
        return ("whose job this was is unknown",)
    pid = "" if fault.pid is None else f" (pid {fault.pid})" if name else f"pid {fault.pid}"
    return (f"whose job this was is unknown; the process was {name or ''}{pid}",)


def wished(verdict: Verdict, wish: Wish | None) -> Verdict:
    """Apply the fleet's own wish; a clear stays a clear."""
    if wish is None or verdict.clears:
        return verdict
    return replace(
        verdict,
        severity=verdict.severity if wish.severity is None else wish.severity,
        action=verdict.action if wish.action is None else wish.action,
        owner=verdict.owner if wish.owner is None else wish.owner,
    )


def _wish(fault: FaultLine, policy: GpuPolicy) -> Wish | None:
    about = (fault.kind, fault.code)
    wishes = reversed(policy.overrides)
    return next((wish for wish in wishes if (wish.kind, wish.code) == about), None)


def _instance(fault: FaultLine) -> str:
    if fault.gpu_instance is None:
        return ""
    compute = "" if fault.compute_instance is None else f"/{fault.compute_instance}"
    return f" (MIG instance {fault.gpu_instance}{compute})"


def _with_detail(meaning: str, fault: FaultLine) -> str:
    return meaning if fault.detail is None else f"{meaning} It says: {fault.detail[:300]}"
