"""The message of a page: read in five seconds, valid for any page, safe to show.

The budgets below keep the worst text, escaped twice over, under the size that Slack takes
(slack_blocks): `tests/unit/notify/test_slack_root.py` tries it.
"""

from collections.abc import Iterator

from reflexarc.events.incident import Incident
from reflexarc.events.page import Entry, Page, Story
from reflexarc.notify import extent, slack_fields, slack_spots, slack_state, wording
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
ACTION, MEANING, MARKS, EVIDENCE, LATEST = 500, 350, 250, 700, 200
LABELS_SHOWN, LINES_SHOWN = 5, 2

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
        fields(slack_fields.of(page, reached)),
        *sections(_spots(page, reached)),
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
    nodes = {thing.entity.node for thing in reached.of_role("member")}
    yield f"*Do{', on each node' if len(nodes) > 1 else ''}:* {action}"
    if followed := extent.aside(reached):
        yield f"↳ with {followed}"
    if mended := extent.repaired(reached):
        yield f"🔧 {mended}"
    yield from slack_state.lines(page)
    yield from (_news(entry) for entry in _newest(page))


def _newest(page: Page) -> list[Entry]:
    """Return the last line that everybody should notice, and the last of all where it is later.

    That it was opened, and who acknowledged it, the message shows elsewhere.
    """
    later = [entry for entry in page.history if entry.number > 1 and entry.at != page.acked_at]
    loud = [entry for entry in later if entry.loud]
    return list({entry.number: entry for entry in (*loud[-1:], *later[-1:])}.values())


def _news(entry: Entry) -> str:
    by = f" ({mrkdwn(entry.by, NAME)})" if entry.by else ""
    sign = "📣" if entry.loud else "🕓"
    return f"{sign} {mrkdwn(entry.what, LATEST)}{by} {date(entry.at)}"


def _resolution(page: Page, reached: Extent) -> Iterator[str]:
    lead = page.lead
    ended = page.resolved_at or lead.resolved_at or lead.last_at
    lasted = wording.span(lead.first_at, ended)
    by = f" by {mrkdwn(page.resolved_by, NAME)}" if page.resolved_by else ""
    yield f"*Resolved* {date(ended)} after {lasted}{by}. {_left(page, reached)}"
    if page.acked_by:
        yield f"{wording.ACKED_SIGN} Acknowledged by {mrkdwn(page.acked_by, NAME)}"
    action = mrkdwn(lead.action, ACTION).replace("~", "-")
    if action and not reached.open_devices and not page.resolved_by:
        yield f"~{action}~"


def _left(page: Page, reached: Extent) -> str:
    """Return what is left to do after the end; a person's word is no repair."""
    if reached.open_devices:
        return f"{wording.number(reached.open_devices)} not known to be repaired."
    if page.resolved_by:
        return "No repair was seen: if it goes on, it pages anew."
    return "Nothing left to do."


def _spots(page: Page, reached: Extent) -> list[str]:
    """Return the nodes by name: few with all that is broken there, of many the worst."""
    if reached.devices == 1:
        return []
    if len(reached.spots) <= extent.TOP:
        return [slack_spots.line(spot, wording.well(page))[0] for spot in reached.spots]
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
