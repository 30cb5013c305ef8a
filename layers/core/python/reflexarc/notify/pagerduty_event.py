"""PagerDuty Events v2: one alert an incident generation, within every limit for any incident.

https://developer.pagerduty.com/docs/send-alert-event. The integration key is not ours to know: the
adapter adds it.
"""

from typing import Any, Literal

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Action, Notice
from reflexarc.events.severity import Severity
from reflexarc.notify import wording
from reflexarc.notify.hostile_text import one_line

EventAction = Literal["trigger", "acknowledge", "resolve"]

CLIENT = "reflexarc"
SUMMARY, NAME, TEXT, LINE = 1_024, 255, 2_000, 4_000
CAUSES_SHOWN, LABELS_SHOWN, LINES_SHOWN, MARKS_SHOWN = 20, 30, 5, 10
XID_GUIDE = "https://docs.nvidia.com/deploy/xid-errors/"

# PagerDuty's four severities; ours are three of them. An update of an incident is a further
# trigger: the same key joins it to the alert that is there.
SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.WARNING: "warning",
    Severity.INFO: "info",
}
_ACTIONS: dict[Action, EventAction] = {
    "trigger": "trigger",
    "update": "trigger",
    "resolve": "resolve",
}


def render(notice: Notice, latency_ms: int | None) -> dict[str, Any]:
    """Return the event that tells PagerDuty of this notice, without its routing key."""
    action = _ACTIONS[notice.action]
    if action != "trigger":
        return event(action, notice.incident)
    return event(action, notice.incident) | {
        "client": CLIENT,
        "payload": _payload(notice.incident, latency_ms),
        "links": _links(notice.incident),
    }


def plain(notice: Notice) -> dict[str, Any]:
    """Return the smallest event that still says it all, for when PagerDuty refuses the full one."""
    incident = notice.incident
    action = _ACTIONS[notice.action]
    if action != "trigger":
        return event(action, incident)
    payload = {
        "summary": _summary(incident, incident.action),
        "source": _source(incident),
        "severity": SEVERITIES[incident.severity],
    }
    return event(action, incident) | {"payload": payload}


def event(action: EventAction, incident: Incident) -> dict[str, Any]:
    """Return the part that every event needs: what to do with which alert."""
    return {"event_action": action, "dedup_key": incident.key}


def _payload(incident: Incident, latency_ms: int | None) -> dict[str, Any]:
    payload = {
        "summary": _summary(incident, ""),
        "source": _source(incident),
        "severity": SEVERITIES[incident.severity],
        "timestamp": incident.first_at.isoformat(timespec="milliseconds"),
        "component": one_line(incident.entity.device or incident.entity.kind, NAME),
        "group": one_line(_group(incident), NAME),
        "class": one_line(incident.cause, NAME),
        "custom_details": _details(incident, latency_ms),
    }
    return {name: value for name, value in payload.items() if value}


def _summary(incident: Incident, action: str) -> str:
    title, place = one_line(incident.title, NAME), one_line(wording.place(incident), NAME)
    rest = f" - {action}" if action else ""
    return one_line(f"{title} - {place}{rest}", SUMMARY)


def _source(incident: Incident) -> str:
    return one_line(incident.entity.node or wording.place(incident), NAME) or "unnamed source"


def _group(incident: Incident) -> str:
    job = incident.job
    return (job.name or job.id) if job else ""


def _details(incident: Incident, latency_ms: int | None) -> dict[str, Any]:
    details = {
        "what": one_line(incident.title, TEXT),
        "where": one_line(wording.place(incident), NAME),
        "gpu_uuid": one_line(incident.entity.uuid, NAME),
        "since": wording.utc(incident.first_at),
        "do": one_line(incident.action, TEXT),
        "meaning": one_line(incident.meaning, TEXT),
        "who_acts": one_line(wording.who_acts(incident), NAME),
        "job": _job(incident) or "none known",
        "seen": wording.times(incident.count),
        "last_seen": wording.utc(incident.last_at),
        "causes": {
            one_line(c.cause, NAME): f"{one_line(c.title, NAME)} ({wording.times(c.count)})"
            for c in incident.causes[:CAUSES_SHOWN]
        },
        "other_causes": min(incident.other_causes, 10**9),
        "caveats": [one_line(mark, TEXT) for mark in _marks(incident)],
        "evidence": [one_line(line, LINE) for line in incident.evidence[:LINES_SHOWN]],
        "labels": {
            one_line(name, NAME): one_line(value, NAME)
            for name, value in sorted(incident.labels.items())[:LABELS_SHOWN]
        },
        f"{wording.origin(incident).replace(' ', '_')}_to_page": (
            "" if latency_ms is None else wording.duration(latency_ms)
        ),
        "incident": incident.key[:8],
        "generation": min(incident.generation, 10**9),
    }
    return {name: value for name, value in details.items() if value}


def _job(incident: Incident) -> dict[str, str]:
    job = incident.job
    if job is None:
        return {}
    known = {"name": job.name, "id": job.id, "owner": job.owner, "namespace": job.namespace}
    known |= {"workload": job.workload, "container": job.container, "work": wording.work(job)}
    return {name: one_line(value, NAME) for name, value in known.items() if value}


def _marks(incident: Incident) -> list[str]:
    marks = (*incident.marks[:MARKS_SHOWN], wording.skew(incident))
    return [mark for mark in marks if mark]


def _links(incident: Incident) -> list[dict[str, str]]:
    if not incident.cause.startswith("xid/"):
        return []
    return [{"href": XID_GUIDE, "text": "NVIDIA: Xid errors"}]
