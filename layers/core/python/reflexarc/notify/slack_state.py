"""Where a page stands, and what a person may do about it: lines and buttons of its message."""

import json
from collections.abc import Iterator

from reflexarc.events.action import Act
from reflexarc.events.page import Mute, Page, Step
from reflexarc.notify import wording
from reflexarc.notify.hostile_text import code, mrkdwn
from reflexarc.notify.slack_blocks import NAME, Block, date

WHY = 200
CHANNELS_NAMED = 3
_HOUR_MINUTE = "{time}"
_BUTTONS: tuple[tuple[Act, str], ...] = (
    ("ack", "Ack"),
    ("silence", "Silence 1 h"),
    ("resolve", "Resolve"),
    ("not_a_fault", "Not a fault"),
)
# What ends a page for everybody is asked twice: a thumb slips at night.
_CONFIRM: dict[Act, tuple[str, str]] = {
    "resolve": (
        "Resolve this page?",
        "It ends for everybody, in PagerDuty too, though no repair was seen.",
    ),
    "not_a_fault": (
        "Not a fault?",
        "The page ends for everybody, in PagerDuty too, and is remembered as a false alarm.",
    ),
}


def lines(page: Page) -> list[str]:
    """Return what people did, who is told next, and what keeps the page quiet; once resolved: none.

    https://docs.slack.dev/messaging/formatting-message-text/
    """
    return [] if page.state == "resolved" else list(_lines(page))


def buttons(page: Page) -> list[Block]:
    """Return the block of buttons that make sense now; none once the page is resolved."""
    if page.state == "resolved":
        return []
    done = {"ack"} if page.acked_at is not None else set()
    if page.muted is not None and page.muted.kind == "silence":
        done.add("silence")
    elements = [_button(page, act, label) for act, label in _BUTTONS if act not in done]
    return [{"type": "actions", "elements": elements}]


def _lines(page: Page) -> Iterator[str]:
    if page.acked_at is not None:
        by = f" by {mrkdwn(page.acked_by, NAME)}" if page.acked_by else ""
        yield f"{wording.ACKED_SIGN} *Acknowledged*{by} {date(page.acked_at)}"
    if page.muted is not None:
        yield _muted(page.muted)
    elif (step := _next(page, "escalate")) is not None and page.acked_at is None:
        moment = date(step.at, _HOUR_MINUTE)
        yield f"⏫ *Escalates* to {_channels(step)} at {moment} unless acknowledged"
    if page.flapping:
        settles = _next(page, "settle")
        ends = f"; ends if it stays well until {date(settles.at, _HOUR_MINUTE)}" if settles else ""
        yield f"🔁 *Flapping*: it comes and goes{ends}"


def _muted(mute: Mute) -> str:
    titles = {"silence": "Silenced", "inhibition": "Kept quiet", "maintenance": "Planned work"}
    until = f" until {date(mute.until)}" if mute.until is not None else ""
    why = mrkdwn(mute.why, WHY)
    return f"🔕 *{titles[mute.kind]}*{until} ({code(mute.name, NAME)}{f': {why}' if why else ''})"


def _next(page: Page, kind: str) -> Step | None:
    steps = (step for step in page.steps if step.kind == kind)
    return min(steps, key=lambda step: step.at, default=None)


def _channels(step: Step) -> str:
    named = [code(name, NAME) for name in step.channels[:CHANNELS_NAMED]]
    more = len(step.channels) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more else [])]) or "others"


def _button(page: Page, act: Act, label: str) -> Block:
    # https://docs.slack.dev/reference/block-kit/block-elements/button-element
    button: Block = {
        "type": "button",
        "action_id": f"reflexarc_{act}",
        "text": _plain(label),
        "value": json.dumps({"scope": page.scope, "generation": page.generation}),
    }
    if act == "ack":
        button["style"] = "primary"
    if act in _CONFIRM:
        title, question = _CONFIRM[act]
        button["confirm"] = {
            "title": _plain(title),
            "text": _plain(question),
            "confirm": _plain(label),
            "deny": _plain("Cancel"),
        }
    return button


def _plain(said: str) -> Block:
    return {"type": "plain_text", "text": said}
