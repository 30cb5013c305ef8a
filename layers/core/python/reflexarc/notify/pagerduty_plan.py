"""PagerDuty as a state to bring about: which event it needs next to show a page as it is.

An alert's details and urgency cannot be changed by a later event of the same key: it is appended to
the alert's log, and after a resolve it would open a second incident. So a page that grows graver
than what people were woken for gets an alert of its own under a new key, and the milder one is
resolved. https://developer.pagerduty.com/docs/events-api-v2-overview
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
_SUPERSEDED: Literal["superseded"] = "superseded"
_Part = Literal["trigger", "raise", "remind", "acknowledge", "resolve", "superseded"]
_Ending = Literal["acknowledge", "resolve"]


def next_task(story: Story, receipt: Receipt | None, now: datetime) -> Task | None:
    """Return the next event, None when PagerDuty knows all it can show.

    A page that ended before anybody was told is triggered, then resolved: its history holds both.
    """
    page, known = story.page, telling.becomes(story, receipt, now, VIA)
    if receipt is None:
        return _alert(story, "trigger", _under(known, page.key))
    if old := receipt.parts.get(_SUPERSEDED):
        parts = {name: part for name, part in receipt.parts.items() if name != _SUPERSEDED}
        left = receipt.model_copy(update={"parts": parts})
        return _end("resolve", old.vendor_id, left, _SUPERSEDED)
    if receipt.state == "resolved":
        return None
    if page.state == "resolved":
        return _end("resolve", receipt.vendor_id, known, "resolve")
    return _while_it_lasts(story, receipt, known)


def _while_it_lasts(story: Story, receipt: Receipt, known: Receipt) -> Task | None:
    page = story.page
    if _wants_new_key(page, receipt):
        parts = {**receipt.parts, _SUPERSEDED: Posted(vendor_id=receipt.vendor_id)}
        raised = known.model_copy(update={"parts": parts})
        return _alert(story, "raise", _under(raised, graver_key(page)), receipt.vendor_id)
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


def graver_key(page: Page) -> str:
    """Return the key of the alert that tells of a page at a severity it did not begin with.

    sha256 of the page's key, "|" and the severity, in hex: the same for every sender.
    """
    return hashlib.sha256(f"{page.key}|{page.severity}".encode()).hexdigest()


def _wants_new_key(page: Page, receipt: Receipt) -> bool:
    """Return whether people must be woken anew: higher urgency, or worse than they acked."""
    if not telling.graver(page, receipt):
        return False
    urgent = page.severity in _HIGH and receipt.severity not in _HIGH
    return urgent or receipt.state == "acked"


def _under(known: Receipt, key: str) -> Receipt:
    """Return the receipt of a new alert: open, whatever became of the page meanwhile."""
    return known.model_copy(update={"vendor_id": key, "state": "open"})


def _alert(story: Story, part: _Part, known: Receipt, instead_of: str = "") -> Task:
    return Task(
        part=part,
        action="update" if part == "remind" else "trigger",
        body=event.trigger(story, known.vendor_id, known.latency_ms, instead_of),
        becomes=known,
        pages=part != "remind",
    )


def _end(action: _Ending, key: str, known: Receipt, part: _Part) -> Task:
    return Task(part=part, action=action, body=event.bare(action, key), becomes=known)
