"""The two columns of a page's message: where, since when, whose work, who acts, how often."""

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import Page
from reflexarc.notify import extent, wording
from reflexarc.notify.extent import Extent
from reflexarc.notify.hostile_text import code, mrkdwn
from reflexarc.notify.slack_blocks import NAME, date

WORK, CAUSE = 60, 32
CAUSES_SHOWN, JOBS_SHOWN, GROUPS_SHOWN = 5, 2, 3


def of(page: Page, reached: Extent) -> list[str]:
    """Return where, since when, whose work, who acts, how often, and what else was found."""
    lead = page.lead
    found = [
        f"*Where*\n{_where(page, reached)}",
        f"*Since*\n{date(lead.first_at)}",
        f"*Whose job{'s' if len(reached.jobs) > 1 else ''}*\n{_jobs(reached)}",
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
    shown = [f"{code(c.cause, CAUSE)} {wording.times(c.count)}" for c in others[:CAUSES_SHOWN]]
    hidden = len(others[CAUSES_SHOWN:]) + incident.other_causes
    more = [f"and {wording.number(hidden)} more"] if hidden else []
    return ", ".join(shown + more)


def _causes(reached: Extent) -> str:
    """Return what else was found, each with the number of things it was found on."""
    lead = reached.things[0].cause
    others = [(cause, count) for cause, count in reached.causes.most_common() if cause != lead]
    shown = [f"{code(cause, CAUSE)} on {wording.number(n)}" for cause, n in others[:CAUSES_SHOWN]]
    hidden = len(others[CAUSES_SHOWN:])
    more = [f"and {wording.number(hidden)} more"] if hidden else []
    return ", ".join(shown + more)
