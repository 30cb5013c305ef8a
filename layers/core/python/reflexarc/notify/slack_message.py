"""One Slack message an incident: read in five seconds, valid for any incident, safe to show.

Limits: 50 blocks, a header of 150 and a section of 3,000 characters, 10 fields of 2,000
(https://docs.slack.dev/reference/block-kit/blocks/), and about 13,200 characters over all blocks
(https://github.com/slackapi/bolt-js/issues/2509). The budgets below keep the worst text, escaped
twice over, under the last of these: `tests/unit/notify/test_slack_message.py` tries it.
"""

from datetime import UTC, datetime
from typing import Any

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Notice
from reflexarc.notify import wording
from reflexarc.notify.hostile_text import code, code_block, mrkdwn, one_line

EVENT_TYPE = "reflexarc_incident"
# A header holds both of the first two beside its sign and "Resolved: ".
TITLE, PLACE, NAME = 75, 58, 80
WORK = 60
ACTION, MEANING, MARKS, EVIDENCE = 600, 400, 300, 800
CAUSES_SHOWN, LABELS_SHOWN, LINES_SHOWN = 5, 5, 2
# The date token takes Unix seconds; stay within what every client formats.
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)

_SHOWN_ABOVE = frozenset(
    {"aspect", "gpu", "node", "nvswitch", "owner", "port", "rule", "sxid", "xid"}
)
# Plain text knows no escapes: brackets that merely look alike cannot open a mention.
_LOOKALIKES = str.maketrans("<>", "\u2039\u203a")

Block = dict[str, Any]


def render(notice: Notice, latency_ms: int | None) -> dict[str, Any]:
    """Return text, blocks and metadata of the message about this notice's incident."""
    incident = notice.incident
    resolved = incident.state == "resolved"
    blocks = [
        # emoji: false, or the ":3b:" of a PCI address could turn into a picture
        {
            "type": "header",
            "text": {"type": "plain_text", "text": _header(incident), "emoji": False},
        },
        _section(_resolution(incident) if resolved else _instruction(incident)),
        {"type": "section", "fields": [_text(field) for field in _fields(incident)]},
        *([] if resolved else _caveats(incident)),
        *([] if resolved else _meaning(incident)),
        *_evidence(incident),
        {"type": "context", "elements": [_text(_footer(incident, latency_ms))]},
    ]
    return {
        "text": _summary(incident),
        "blocks": blocks,
        "metadata": _metadata(incident, latency_ms),
    }


def plain(notice: Notice, latency_ms: int | None) -> dict[str, Any]:
    """Return the essentials as bare text, for when Slack refuses the blocks."""
    incident = notice.incident
    job = incident.job
    parts = [
        _summary(incident),
        f"Since {wording.utc(incident.first_at)}, seen {wording.times(incident.count)}.",
        f"Job: {mrkdwn(f'{job.name} {job.id} {job.owner}', NAME)}." if job else "",
        f"For: {mrkdwn(wording.who_acts(incident), NAME)}.",
        mrkdwn(incident.evidence[0], EVIDENCE) if incident.evidence else "",
        _latency(incident, latency_ms),
    ]
    return {
        "text": "\n".join(part for part in parts if part),
        "blocks": [],
        "metadata": _metadata(incident, latency_ms),
    }


def _header(incident: Incident) -> str:
    state = "Resolved: " if incident.state == "resolved" else ""
    title = one_line(incident.title, TITLE)
    name = f"{title} · {one_line(wording.place(incident), PLACE)}".translate(_LOOKALIKES)
    return f"{wording.sign(incident)} {state}{name}"


def _summary(incident: Incident) -> str:
    """Return the line that a phone's lock screen shows."""
    title, place = mrkdwn(incident.title, TITLE), mrkdwn(wording.place(incident), PLACE)
    if incident.state == "resolved":
        return f"{wording.RESOLVED_SIGN} Resolved: {title} · {place}"
    action = f" · {mrkdwn(incident.action, ACTION)}" if incident.action else ""
    severity = incident.severity.value.upper()
    return f"{wording.sign(incident)} {severity}: {title} · {place}{action}"


def _instruction(incident: Incident) -> str:
    action = mrkdwn(incident.action, ACTION) or "No known remedy: look at the evidence below."
    return f"*Do:* {action}"


def _resolution(incident: Incident) -> str:
    ended = incident.resolved_at or incident.last_at
    lasted = wording.span(incident.first_at, ended)
    action = mrkdwn(incident.action, ACTION).replace("~", "-")
    struck = f"\n~{action}~" if action else ""
    return f"*Resolved* {_date(ended)} after {lasted}. Nothing left to do.{struck}"


def _fields(incident: Incident) -> list[str]:
    entity = incident.entity
    where = " ".join(part for part in (code(entity.node, NAME), _device(incident)) if part)
    found = [
        f"*Where*\n{where or mrkdwn(wording.place(incident), NAME)}",
        f"*Since*\n{_date(incident.first_at)}",
        f"*Whose job*\n{_job(incident)}",
        f"*Who acts*\n{mrkdwn(wording.who_acts(incident), NAME)}",
        f"*Seen*\n{_seen(incident)}",
    ]
    others = [cause for cause in incident.causes if cause.cause != incident.cause]
    if others or incident.other_causes:
        shown = [f"{code(c.cause, 32)} {wording.times(c.count)}" for c in others[:CAUSES_SHOWN]]
        hidden = len(others[CAUSES_SHOWN:]) + incident.other_causes
        more = [f"and {wording.number(hidden)} more"] if hidden else []
        found.append(f"*Also found*\n{', '.join(shown + more)}")
    return found


def _device(incident: Incident) -> str:
    entity = incident.entity
    kind = wording.KINDS.get(entity.kind, entity.kind)
    device = f"{kind} {code(entity.device, NAME)}" if entity.device else ""
    uuid = f"\n{code(entity.uuid, NAME)}" if entity.uuid else ""
    return device + uuid


def _job(incident: Incident) -> str:
    job = incident.job
    if job is None or not (job.name or job.id or job.owner):
        return "none known"
    parts = [code(job.name, NAME)]
    parts.append(f"({code(job.id, NAME)})" if job.name and job.id else code(job.id, NAME))
    parts.append(f"of {mrkdwn(job.owner, NAME)}" if job.owner else "")
    parts.append(f"in {code(job.namespace, NAME)}" if job.namespace else "")
    parts.append(f"of workload {code(job.workload, WORK)}" if job.workload else "")
    parts.append(mrkdwn(f"({wording.work(job)})", WORK) if wording.work(job) else "")
    return " ".join(part for part in parts if part)


def _seen(incident: Incident) -> str:
    seen = wording.times(incident.count)
    return seen if incident.count <= 1 else f"{seen}, last {_date(incident.last_at)}"


def _caveats(incident: Incident) -> list[Block]:
    marks = [mark for mark in (*incident.marks, wording.skew(incident)) if mark]
    return [_section(f"⚠️ {mrkdwn(' · '.join(marks), MARKS)}")] if marks else []


def _meaning(incident: Incident) -> list[Block]:
    meaning = mrkdwn(incident.meaning, MEANING)
    return [_section(meaning)] if meaning else []


def _evidence(incident: Incident) -> list[Block]:
    lines = [code_block(line, EVIDENCE) for line in incident.evidence[:LINES_SHOWN]]
    text = "\n".join(line for line in lines if line)
    return [_section(text)] if text else []


def _footer(incident: Incident, latency_ms: int | None) -> str:
    labels = sorted(item for item in incident.labels.items() if item[0] not in _SHOWN_ABOVE)
    parts = [
        _latency(incident, latency_ms),
        f"{incident.severity} {code(incident.cause, NAME)}",
        *(code(f"{name}={value}", NAME) for name, value in labels[:LABELS_SHOWN]),
        f"incident {incident.key[:8]}",
        f"generation {wording.number(incident.generation)}" if incident.generation > 1 else "",
    ]
    return " · ".join(part for part in parts if part)


def _latency(incident: Incident, latency_ms: int | None) -> str:
    if latency_ms is None:
        return ""
    return f"{wording.origin(incident)} to this page: {wording.duration(latency_ms)}"


def _metadata(incident: Incident, latency_ms: int | None) -> dict[str, Any]:
    """Return what finds this message again when an answer was lost."""
    payload: dict[str, Any] = {
        "key": incident.key,
        "version": incident.version,
        "severity": incident.severity.value,
    }
    if latency_ms is not None:
        payload["latency_ms"] = latency_ms
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def _date(instant: datetime) -> str:
    # https://docs.slack.dev/messaging/formatting-message-text/#date-formatting
    text = wording.utc(instant)
    if not _EARLIEST <= instant < _LATEST:
        return text
    return f"<!date^{int(instant.timestamp())}^{{date_short_pretty}} {{time_secs}}|{text}>"


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> Block:
    # verbatim: Slack must not turn names in a kernel line into links or mentions by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
