"""PagerDuty as a state to bring about: which event it needs next to show a page as it is.

An alert's details and urgency cannot be changed by a later event of the same key: it is appended to
the alert's log, and after a resolve it would open a second incident. So a page that grows graver
than what people were woken for gets an alert of its own under a new key, and the milder one is
resolved. https://developer.pagerduty.com/docs/events-api-v2-overview

The severity is part of the key: whoever repeats a trigger whose answer was lost opens nothing, and
whoever does not repeat it, because the page changed meanwhile, knows what may have been opened.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Literal

from reflexarc.events.page import Page, Story
from reflexarc.events.severity import Severity
from reflexarc.notify import pagerduty_event as event
from reflexarc.notify import telling
from reflexarc.notify.model import Posted, Receipt, Task

VIA = "pagerduty"
# Where a service notifies by severity, critical (and error) are of high urgency, the others of low.
# https://support.pagerduty.com/main/docs/dynamic-notifications
_HIGH = frozenset({Severity.CRITICAL})
_SUPERSEDED, _ENDED = "superseded", "ended"
_Ending = Literal["acknowledge", "resolve"]


def next_task(story: Story, receipt: Receipt | None, now: datetime) -> Task | None:
    """Return the next event, None when PagerDuty knows all it can show.

    A page that ended before anybody was told is triggered, then resolved: its history holds both.
    """
    page, known = story.page, telling.becomes(story, receipt, now, VIA)
    if receipt is None or not receipt.vendor_id:
        return _alert(story, "trigger", _under(known, alert_key(page, page.severity)))
    if (superseded := _superseded(receipt)) is not None:
        return superseded
    if receipt.state == "resolved":
        return None
    if page.state == "resolved":
        return _end("resolve", receipt.vendor_id, known, "resolve")
    return _while_it_lasts(story, receipt, known)


def _while_it_lasts(story: Story, receipt: Receipt, known: Receipt) -> Task | None:
    page = story.page
    if _wants_new_key(page, receipt):
        parts = {**receipt.parts, _SUPERSEDED: Posted(vendor_id=receipt.vendor_id)}
        raised = _under(known.model_copy(update={"parts": parts}), alert_key(page, page.severity))
        return _alert(story, "raise", raised, receipt.vendor_id)
    if known.state == "acked" and receipt.state != "acked":
        return _end("acknowledge", receipt.vendor_id, known, "acknowledge")
    if telling.graver(page, receipt) or telling.reminds(page, receipt):
        return _alert(story, "remind", known)
    return None


def plain(task: Task, story: Story) -> Task:
    """Return the smallest event that still says it, for when PagerDuty refuses the full one."""
    if "payload" not in task.body:
        return task
    return replace(task, body=event.plain(story, task.becomes.vendor_id))


def suspected(task: Task, story: Story, receipt: Receipt | None) -> Receipt | None:
    """Return the receipt with the alerts that a sender may have opened without leaving word.

    None where there is none that it does not know. They are resolved as what another replaced; to
    resolve what is not there does nothing.
    """
    page = story.page
    known = receipt or Receipt(vendor_id="", via=VIA, posted_at=page.opened_at)
    told = -1 if known.severity is None else known.severity.rank
    ends = task.part == "resolve"
    parts = {
        f"{_SUPERSEDED}/{severity}": Posted(vendor_id=alert_key(page, severity))
        for severity in Severity
        if told < severity.rank < page.severity.rank + ends
    }
    if parts.keys() <= known.parts.keys():
        return None
    return known.model_copy(update={"parts": {**parts, **known.parts}})


def alert_key(page: Page, severity: Severity) -> str:
    """Return the key of the alert that tells of a page at a severity.

    The page's own at the gravest; else sha256 of that, "|" and the severity, in hex.
    """
    if severity is Severity.CRITICAL:
        return page.key
    return hashlib.sha256(f"{page.key}|{severity}".encode()).hexdigest()


def _superseded(receipt: Receipt) -> Task | None:
    """Return the end of an alert that another replaced, None when all have ended."""
    for name, part in receipt.parts.items():
        if name.startswith(_SUPERSEDED) and part.digest != _ENDED:
            ended = part.model_copy(update={"digest": _ENDED})
            left = receipt.model_copy(update={"parts": {**receipt.parts, name: ended}})
            return _end("resolve", part.vendor_id, left, name)
    return None


def _wants_new_key(page: Page, receipt: Receipt) -> bool:
    """Return whether people must be woken anew: higher urgency, or worse than they acked."""
    if not telling.graver(page, receipt):
        return False
    urgent = page.severity in _HIGH and receipt.severity not in _HIGH
    return urgent or receipt.state == "acked"


def _under(known: Receipt, key: str) -> Receipt:
    """Return the receipt of a new alert: open, whatever became of the page meanwhile."""
    return known.model_copy(update={"vendor_id": key, "state": "open"})


def _alert(story: Story, part: str, known: Receipt, instead_of: str = "") -> Task:
    return Task(
        part=part,
        action="update" if part == "remind" else "trigger",
        body=event.trigger(story, known.vendor_id, known.latency_ms, instead_of),
        becomes=known,
        pages=part != "remind",
    )


def _end(action: _Ending, key: str, known: Receipt, part: str) -> Task:
    return Task(part=part, action=action, body=event.bare(action, key), becomes=known)
