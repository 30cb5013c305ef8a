"""The message of a page: read in five seconds, valid for any page, safe to show.

The budgets below keep the worst text, escaped twice over, under the size that Slack takes
(slack_blocks): `tests/unit/notify/test_slack_root.py` tries it.
"""

from collections.abc import Iterator

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import Page, Story
from reflexarc.notify import extent, slack_spots, slack_state, wording
from reflexarc.notify.extent import Extent
from reflexarc.notify.hostile_text import code, code_block, mrkdwn, one_line
from reflexarc.notify.slack_blocks import (
    NAME,
    Block,
    Message,
    context,
    date,
    fields,
    header,
    message,
    section,
    sections,
)

# A header holds both of the first two beside its sign and "Resolved: ".
TITLE, PLACE = 75, 58
WORK = 60
ACTION, MEANING, MARKS, EVIDENCE, LATEST = 500, 350, 250, 700, 200
CAUSES_SHOWN, LABELS_SHOWN, LINES_SHOWN, JOBS_SHOWN, GROUPS_SHOWN = 5, 5, 2, 2, 3

_SHOWN_ABOVE = frozenset(
    {"aspect", "gpu", "node", "nvswitch", "owner", "port", "rule", "sxid", "xid"}
)
# Plain text knows no escapes: brackets that merely look alike cannot open a mention.
_LOOKALIKES = str.maketrans("<>", "\u2039\u203a")


def render(story: Story, latency_ms: int | None) -> Message:
    """Return text, blocks and metadata of a page's message."""
    page, reached = story.page, extent.of(story)
    resolved = page.state == "resolved"
    blocks = [
        header(_header(page, reached)),
        *sections(_standing(page, reached)),
        fields(_fields(page, reached)),
        *sections(_spots(reached)),
        *([] if resolved else _caveats(page.lead)),
        *([] if resolved else _meaning(page.lead)),
        *_evidence(page.lead, LINES_SHOWN if reached.devices == 1 else 1),
        *slack_state.buttons(page),
        context(_footer(page, latency_ms)),
    ]
    return message(
        page,
        "root",
        summary(page, reached),
        blocks,
        severity=page.severity.value,
        state=page.state,
        said=min(1, len(page.history)),
        shared=bool(story.members),
        latency_ms=latency_ms,
    )


def plain(story: Story, latency_ms: int | None) -> str:
    """Return the essentials as bare text, for when Slack refuses the blocks."""
    page, reached = story.page, extent.of(story)
    lead, job = page.lead, page.lead.job
    parts = [
        summary(page, reached),
        f"Since {wording.utc(lead.first_at)}, seen {wording.times(reached.seen)}.",
        _worst(reached) if reached.devices > 1 else "",
        f"Job: {mrkdwn(f'{job.name} {job.id} {job.owner}', NAME)}." if job else "",
        f"For: {mrkdwn(wording.who_acts(lead), NAME)}.",
        mrkdwn(lead.evidence[0], EVIDENCE) if lead.evidence else "",
        _latency(lead, latency_ms),
    ]
    return "\n".join(part for part in parts if part)


def names_all(reached: Extent) -> bool:
    """Return whether the message itself names all that is broken."""
    few = len(reached.spots) <= extent.TOP
    return few and all(slack_spots.line(spot)[1] for spot in reached.spots)


def summary(page: Page, reached: Extent) -> str:
    """Return the line that a phone's lock screen shows."""
    sign, standing = wording.page_sign(page), wording.standing(page)
    if standing:
        return f"{sign} {standing}: {subject(page, reached)}"
    action = f" · {mrkdwn(page.lead.action, ACTION)}" if page.lead.action else ""
    return f"{sign} {page.severity.value.upper()}: {subject(page, reached)}{action}"


def subject(page: Page, reached: Extent) -> str:
    """Return what a page is about, in one phrase: what broke and how far it reaches."""
    return f"{mrkdwn(page.lead.title, TITLE)} · {mrkdwn(extent.reach(reached), PLACE)}"


def _header(page: Page, reached: Extent) -> str:
    standing = wording.standing(page)
    title, place = one_line(page.lead.title, TITLE), one_line(extent.reach(reached), PLACE)
    name = f"{title} · {place}".translate(_LOOKALIKES)
    return f"{wording.page_sign(page)} {f'{standing}: ' if standing else ''}{name}"


def _standing(page: Page, reached: Extent) -> Iterator[str]:
    """Yield what happens with the page, line by line: the end, or what to do and who does it."""
    if page.state == "resolved":
        yield from _resolution(page, reached)
        return
    action = mrkdwn(page.lead.action, ACTION) or "No known remedy: look at the evidence below."
    yield f"*Do:* {action}"
    if followed := extent.aside(reached):
        yield f"↳ with {followed}"
    if mended := extent.repaired(reached):
        yield f"🔧 {mended}"
    yield from slack_state.lines(page)
    loud = [entry for entry in page.history if entry.loud]
    if loud:
        yield f"📣 {mrkdwn(loud[-1].what, LATEST)} {date(loud[-1].at)}"


def _resolution(page: Page, reached: Extent) -> Iterator[str]:
    lead = page.lead
    ended = page.resolved_at or lead.resolved_at or lead.last_at
    lasted = wording.span(lead.first_at, ended)
    by = f" by {mrkdwn(page.resolved_by, NAME)}" if page.resolved_by else ""
    left = wording.number(reached.open_devices)
    rest = f"{left} not known to be repaired." if reached.open_devices else "Nothing left to do."
    yield f"*Resolved* {date(ended)} after {lasted}{by}. {rest}"
    if page.acked_by:
        yield f"{wording.ACKED_SIGN} Acknowledged by {mrkdwn(page.acked_by, NAME)}"
    action = mrkdwn(lead.action, ACTION).replace("~", "-")
    if action and not reached.open_devices:
        yield f"~{action}~"


def _fields(page: Page, reached: Extent) -> list[str]:
    lead = page.lead
    found = [
        f"*Where*\n{_where(page, reached)}",
        f"*Since*\n{date(lead.first_at)}",
        f"*{'Whose job' if len(reached.jobs) < 2 else 'Whose jobs'}*\n{_jobs(reached)}",  # noqa: PLR2004 - one or many
        f"*Who acts*\n{mrkdwn(wording.who_acts(lead), NAME)}",
        f"*Seen*\n{_seen(lead, reached)}",
    ]
    also = _also_found(lead) if reached.devices == 1 else _causes(reached)
    return [*found, f"*Also found*\n{also}"] if also else found


def _where(page: Page, reached: Extent) -> str:
    if reached.devices > 1:
        groups = [code(f"{k}={v}", NAME) for k, v in sorted(page.by.items())[:GROUPS_SHOWN]]
        return ", ".join([mrkdwn(extent.reach(reached), NAME), *groups])
    entity = page.lead.entity
    where = " ".join(part for part in (code(entity.node, NAME), _device(page.lead)) if part)
    return where or mrkdwn(wording.place(page.lead), NAME)


def _device(incident: Incident) -> str:
    entity = incident.entity
    kind = wording.KINDS.get(entity.kind, entity.kind)
    device = f"{kind} {code(entity.device, NAME)}" if entity.device else ""
    uuid = f"\n{code(entity.uuid, NAME)}" if entity.uuid else ""
    return device + uuid


def _jobs(reached: Extent) -> str:
    jobs = [said for job in reached.jobs if (said := _job(job))]
    if not jobs:
        return "none known"
    if len(jobs) == 1:
        return jobs[0]
    names = list(dict.fromkeys(_job_in_short(job) for job in reached.jobs))
    more = len(names) - JOBS_SHOWN
    rest = [f"{wording.number(more)} more"] if more > 0 else []
    return ", ".join([*names[:JOBS_SHOWN], *rest])


def _job(job: Job) -> str:
    if not (job.name or job.id or job.owner):
        return ""
    parts = [code(job.name, NAME)]
    parts.append(f"({code(job.id, NAME)})" if job.name and job.id else code(job.id, NAME))
    parts.append(f"of {mrkdwn(job.owner, NAME)}" if job.owner else "")
    parts.append(f"in {code(job.namespace, NAME)}" if job.namespace else "")
    parts.append(f"of workload {code(job.workload, WORK)}" if job.workload else "")
    parts.append(mrkdwn(f"({wording.work(job)})", WORK) if wording.work(job) else "")
    return " ".join(part for part in parts if part)


def _job_in_short(job: Job) -> str:
    name = code(job.name or job.id, NAME) or "a job"
    return f"{name} of {mrkdwn(job.owner, NAME)}" if job.owner else name


def _seen(incident: Incident, reached: Extent) -> str:
    seen = wording.times(reached.seen)
    if reached.seen <= 1 or reached.devices > 1:
        return seen
    return f"{seen}, last {date(incident.last_at)}"


def _also_found(incident: Incident) -> str:
    others = [cause for cause in incident.causes if cause.cause != incident.cause]
    shown = [f"{code(c.cause, 32)} {wording.times(c.count)}" for c in others[:CAUSES_SHOWN]]
    hidden = len(others[CAUSES_SHOWN:]) + incident.other_causes
    more = [f"and {wording.number(hidden)} more"] if hidden else []
    return ", ".join(shown + more)


def _causes(reached: Extent) -> str:
    """Return what else was found, each with the number of things it was found on."""
    lead = reached.things[0].cause
    others = [(cause, count) for cause, count in reached.causes.most_common() if cause != lead]
    shown = [f"{code(cause, 32)} on {wording.number(n)}" for cause, n in others[:CAUSES_SHOWN]]
    hidden = len(others[CAUSES_SHOWN:])
    more = [f"and {wording.number(hidden)} more"] if hidden else []
    return ", ".join(shown + more)


def _spots(reached: Extent) -> list[str]:
    """Return the nodes by name: few with all that is broken there, of many the worst."""
    if reached.devices == 1:
        return []
    if len(reached.spots) <= extent.TOP:
        return [slack_spots.line(spot)[0] for spot in reached.spots]
    return [_worst(reached)]


def _worst(reached: Extent) -> str:
    named = [slack_spots.counted(spot) for spot in reached.top]
    hidden = len(reached.spots) - len(named)
    more = [f"*{wording.number(hidden)} more: see the thread*"] if hidden else []
    return ", ".join(named + more)


def _caveats(incident: Incident) -> list[Block]:
    marks = [mark for mark in (*incident.marks, wording.skew(incident)) if mark]
    said = mrkdwn(" · ".join(marks), MARKS)
    return [section(f"⚠️ {said}")] if said else []


def _meaning(incident: Incident) -> list[Block]:
    meaning = mrkdwn(incident.meaning, MEANING)
    return [section(meaning)] if meaning else []


def _evidence(incident: Incident, lines: int) -> list[Block]:
    shown = [code_block(line, EVIDENCE) for line in incident.evidence[:lines]]
    said = "\n".join(line for line in shown if line)
    return [section(said)] if said else []


def _footer(page: Page, latency_ms: int | None) -> str:
    lead = page.lead
    labels = sorted(item for item in lead.labels.items() if item[0] not in _SHOWN_ABOVE)
    parts = [
        _latency(lead, latency_ms),
        f"{page.severity} {code(lead.cause, NAME)}",
        *(code(f"{name}={value}", NAME) for name, value in labels[:LABELS_SHOWN]),
        f"page {page.key[:8]}",
        f"generation {wording.number(page.generation)}" if page.generation > 1 else "",
    ]
    return " · ".join(part for part in parts if part)


def _latency(incident: Incident, latency_ms: int | None) -> str:
    if latency_ms is None:
        return ""
    return f"{wording.origin(incident)} to this page: {wording.duration(latency_ms)}"
