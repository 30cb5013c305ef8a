"""PagerDuty Events v2: the events about one page, within every limit for any page.

https://developer.pagerduty.com/docs/send-alert-event. The integration key is not ours to know: the
adapter adds it.
"""

from typing import Any, Literal

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import Story
from reflexarc.events.severity import Severity
from reflexarc.notify import extent, wording
from reflexarc.notify.extent import Extent
from reflexarc.notify.hostile_text import one_line

CLIENT = "reflexarc"
SUMMARY, NAME, TEXT, LINE = 1_024, 255, 2_000, 4_000
CAUSES_SHOWN, LABELS_SHOWN, LINES_SHOWN, MARKS_SHOWN, JOBS_SHOWN = 20, 30, 5, 10, 5
XID_GUIDE = "https://docs.nvidia.com/deploy/xid-errors/"

# PagerDuty's four severities; ours are three of them.
SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.WARNING: "warning",
    Severity.INFO: "info",
}


def trigger(story: Story, key: str, latency_ms: int | None, instead_of: str) -> dict[str, Any]:
    """Return the event that opens the alert of this key, or is appended to its log.

    `instead_of` is the key of the milder alert that this one takes the place of.
    """
    return bare("trigger", key) | {
        "client": CLIENT,
        "payload": _payload(story, latency_ms, instead_of),
        "links": _links(story.page.lead),
    }


def plain(story: Story, key: str) -> dict[str, Any]:
    """Return the smallest trigger that still says it all."""
    return bare("trigger", key) | {
        "payload": {
            "summary": _summary(story, story.page.lead.action),
            "source": _source(story.page.lead),
            "severity": SEVERITIES[story.page.severity],
        }
    }


def bare(action: Literal["trigger", "acknowledge", "resolve"], key: str) -> dict[str, Any]:
    """Return the part that every event needs: what to do with which alert."""
    return {"event_action": action, "dedup_key": key}


def _payload(story: Story, latency_ms: int | None, instead_of: str) -> dict[str, Any]:
    lead = story.page.lead
    payload = {
        "summary": _summary(story, ""),
        "source": _source(lead),
        "severity": SEVERITIES[story.page.severity],
        "timestamp": lead.first_at.isoformat(timespec="milliseconds"),
        "component": one_line(lead.entity.device or lead.entity.kind, NAME),
        "group": one_line(_group(lead), NAME),
        "class": one_line(lead.cause, NAME),
        "custom_details": _known(
            _trouble(story)
            | _reach(extent.of(story))
            | _findings(lead)
            | _delivery(story, latency_ms, instead_of)
        ),
    }
    return {name: value for name, value in payload.items() if value}


def _known(details: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if value}


def _summary(story: Story, action: str) -> str:
    title = one_line(story.page.lead.title, NAME)
    reach = one_line(extent.reach(extent.of(story)), NAME)
    rest = f" - {action}" if action else ""
    return one_line(f"{title} - {reach}{rest}", SUMMARY)


def _source(lead: Incident) -> str:
    return one_line(lead.entity.node or wording.place(lead), NAME) or "unnamed source"


def _group(lead: Incident) -> str:
    job = lead.job
    return (job.name or job.id) if job else ""


def _trouble(story: Story) -> dict[str, Any]:
    lead = story.page.lead
    return {
        "what": one_line(lead.title, TEXT),
        "where": one_line(wording.place(lead), NAME),
        "gpu_uuid": one_line(lead.entity.uuid, NAME),
        "since": wording.utc(lead.first_at),
        "do": one_line(lead.action, TEXT),
        "meaning": one_line(lead.meaning, TEXT),
        "who_acts": one_line(wording.who_acts(lead), NAME),
    }


def _reach(reached: Extent) -> dict[str, Any]:
    """Return how far it goes; how it goes on is in the page itself, these details stay as sent."""
    jobs = [_job(job) for job in reached.jobs[:JOBS_SHOWN]]
    details: dict[str, Any] = {
        "jobs": [job for job in jobs if job] or "none known",
        "seen": wording.times(reached.seen),
    }
    if len(reached.things) == 1:
        return details
    spots = [
        f"{one_line(spot.name, NAME)}: {len(spot.open_devices)} of {len(spot.devices)} broken"
        for spot in reached.top
    ]
    return details | {
        "reach": one_line(extent.reach(reached), NAME),
        "beside": extent.aside(reached),
        "repaired": extent.repaired(reached),
        "nodes": wording.number(reached.nodes),
        "worst_nodes": spots,
    }


def _findings(lead: Incident) -> dict[str, Any]:
    return {
        "last_seen": wording.utc(lead.last_at),
        "causes": {
            one_line(c.cause, NAME): f"{one_line(c.title, NAME)} ({wording.times(c.count)})"
            for c in lead.causes[:CAUSES_SHOWN]
        },
        "other_causes": min(lead.other_causes, 10**9),
        "caveats": [one_line(mark, TEXT) for mark in _marks(lead)],
        "evidence": [one_line(line, LINE) for line in lead.evidence[:LINES_SHOWN]],
        "labels": {
            one_line(name, NAME): one_line(value, NAME)
            for name, value in sorted(lead.labels.items())[:LABELS_SHOWN]
        },
    }


def _delivery(story: Story, latency_ms: int | None, instead_of: str) -> dict[str, Any]:
    """Return where to read on: these details never change, the page and its incidents do."""
    page, lead = story.page, story.page.lead
    return {
        f"{wording.origin(lead).replace(' ', '_')}_to_page": (
            "" if latency_ms is None else wording.duration(latency_ms)
        ),
        "page": page.key[:8],
        "generation": min(page.generation, 10**9),
        "routes": [one_line(route, NAME) for route in page.routes[:LABELS_SHOWN]],
        "flapping": "it comes and goes" if page.flapping else "",
        "instead_of": instead_of,
        "now": f"reflexarc incidents show {one_line(lead.fingerprint, NAME)}",
    }


def _job(job: Job) -> dict[str, str]:
    known = {"name": job.name, "id": job.id, "owner": job.owner, "namespace": job.namespace}
    known |= {"workload": job.workload, "container": job.container, "work": wording.work(job)}
    return {name: one_line(value, NAME) for name, value in known.items() if value}


def _marks(lead: Incident) -> list[str]:
    marks = (*lead.marks[:MARKS_SHOWN], wording.skew(lead))
    return [mark for mark in marks if mark]


def _links(lead: Incident) -> list[dict[str, str]]:
    if not lead.cause.startswith("xid/"):
        return []
    return [{"href": XID_GUIDE, "text": "NVIDIA: Xid errors"}]
