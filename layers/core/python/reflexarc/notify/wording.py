"""The words that every channel shares: who, how long, how often, whose clock."""

import math
from datetime import UTC, datetime, timedelta

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import Page
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity

SIGNS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
RESOLVED_SIGN = "✅"
ACKED_SIGN = "👀"
KINDS = {"gpu": "GPU", "nvswitch": "NVSwitch", "fabric": "NVLink fabric", "port": "network port"}
_PLURALS = {"nvswitch": "NVSwitches"}
# What the kernel printed about these is the evidence; of all else somebody measured something.
_KERNEL_CAUSES = ("xid/", "sxid/", "kernel/", "gpu/")
_ABSURD = 10**12


def page_sign(page: Page) -> str:
    """Return the one character that tells how much to hurry, and whether somebody already does."""
    if page.state == "resolved":
        return RESOLVED_SIGN
    return ACKED_SIGN if page.acked_at is not None else SIGNS[page.severity]


def standing(page: Page) -> str:
    """Return where a page stands, as a word before its title; nothing while it is open."""
    if page.state == "resolved":
        return "Resolved"
    return "Acked" if page.acked_at is not None else ""


def well(page: Page) -> str:
    """Return the word for what is over; what a person ended was not seen to be repaired."""
    return "ended" if page.resolved_by else "repaired"


def utc(instant: datetime) -> str:
    """Return an instant as people read it in a log."""
    try:
        return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # the first or last hours of the calendar, from a broken clock
        return instant.isoformat(" ", "seconds")


def duration(milliseconds: float) -> str:
    """Return a duration in the two largest units that matter."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(index for index, (number, _) in enumerate(units) if number)
    return " ".join(f"{number} {unit}" for number, unit in units[first : first + 2] if number)


def span(start: datetime, end: datetime) -> str:
    """Return how long something lasted; never negative, whatever the clocks said."""
    return duration(max(0.0, (end - start) / timedelta(milliseconds=1)))


def place(incident: Incident) -> str:
    """Return the name of the broken thing."""
    return place_of(incident.entity)


def place_of(entity: Entity) -> str:
    """Return the name of a thing: "GPU 0000:3b:00 on node-7"."""
    if entity.kind == "node":
        return f"node {entity.node}"
    name = f"{KINDS.get(entity.kind, entity.kind)} {entity.device}".strip()
    return f"{name} on {entity.node}" if entity.node else name


def origin(incident: Incident) -> str:
    """Return what the way to the page began with: a kernel line, or a reading."""
    return "kernel line" if incident.cause.startswith(_KERNEL_CAUSES) else "reading"


def work(job: Job) -> str:
    """Return what is known of a job beside its name and owner: rank, nodes, that it ended."""
    parts = [
        f"rank {job.rank}" if job.rank else "",
        f"nodes {job.nodes}" if job.nodes else "",
        "ended" if job.ended else "",
    ]
    return ", ".join(part for part in parts if part)


def who_acts(incident: Incident) -> str:
    """Return whose job it is to act."""
    if incident.owner == "oncall":
        return "on-call"
    owner = incident.job.owner if incident.job else ""
    return f"the job's owner ({owner})" if owner else "the job's owner"


def number(count: int) -> str:
    """Return a count as people read it; absurd ones are cut, so that they fit any limit."""
    return f"{count:,}" if count < _ABSURD else f"over {_ABSURD:,}"


def things(kind: str, count: int) -> str:
    """Return so many things of a kind: "5,000 GPUs", "1 node"."""
    name = KINDS.get(kind, kind)
    return f"{number(count)} {name if count == 1 else _PLURALS.get(kind, f'{name}s')}"


def times(count: int) -> str:
    """Return how often something was seen."""
    return "once" if count <= 1 else f"{number(count)} times"


def skew(incident: Incident) -> str:
    """Return what to know about the node's clock; empty while it is right, or a mark tells it."""
    seconds = incident.clock_skew_s
    if not seconds or any("clock" in mark for mark in incident.marks):
        return ""
    if math.isnan(seconds):
        return "the node's clock makes no sense: times shown are ours"
    direction = "ahead" if seconds > 0 else "behind"
    off = duration(min(abs(seconds), 1e9) * 1000)
    return f"the node's clock is {off} {direction}: times shown are ours"
