"""The bricks of every Slack message: blocks, dates, and the metadata that finds it again.

Limits: 50 blocks, a header of 150 and a section of 3,000 characters, 10 fields of 2,000
(https://docs.slack.dev/reference/block-kit/blocks/), and about 13,200 characters over all blocks
(https://github.com/slackapi/bolt-js/issues/2509).
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from reflexarc.events.page import Page
from reflexarc.notify import wording
from reflexarc.notify.hostile_text import wire_width

EVENT_TYPE = "reflexarc_incident"
NAME = 80
SECTION = 2_900
# The date token takes Unix seconds; stay within what every client formats.
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)

Block = dict[str, Any]
Message = dict[str, Any]


def header(said: str) -> Block:
    """Return a header of plain text."""
    # emoji: false, or the ":3b:" of a PCI address could turn into a picture
    return {"type": "header", "text": {"type": "plain_text", "text": said, "emoji": False}}


def section(said: str) -> Block:
    """Return a section of one text."""
    return {"type": "section", "text": text(said)}


def sections(lines: Iterable[str]) -> list[Block]:
    """Return lines in as few sections as hold them; each line must fit into one."""
    filled: list[list[str]] = []
    room = 0
    for line in lines:
        needed = wire_width(line) + 2
        if needed > room:
            filled.append([])
            room = SECTION
        filled[-1].append(line)
        room -= needed
    return [section("\n".join(part)) for part in filled]


def fields(found: Iterable[str]) -> Block:
    """Return a section of two columns; at most ten fields."""
    return {"type": "section", "fields": [text(said) for said in found]}


def context(said: str) -> Block:
    """Return small print."""
    return {"type": "context", "elements": [text(said)]}


def text(said: str) -> Block:
    """Return text with Slack's markup; what is not ours in it must be escaped already."""
    # verbatim: Slack must not turn names in a kernel line into links or mentions by itself.
    return {"type": "mrkdwn", "text": said, "verbatim": True}


def date(instant: datetime, form: str = "{date_short_pretty} {time_secs}") -> str:
    """Return a moment that each reader sees in their own time zone."""
    # https://docs.slack.dev/messaging/formatting-message-text/#date-formatting
    fallback = wording.utc(instant)
    if not _EARLIEST <= instant < _LATEST:
        return fallback
    return f"<!date^{int(instant.timestamp())}^{form}|{fallback}>"


def message(page: Page, part: str, line: str, blocks: list[Block], **known: Any) -> Message:
    """Return a message with what finds it again when an answer was lost, and what it told.

    `line` is what a phone's lock screen shows of it.
    """
    payload: dict[str, Any] = {
        "key": page.key,
        "part": part,
        "version": page.version,
        "digest": digest_of(line, blocks),
    }
    payload |= {name: value for name, value in known.items() if value is not None}
    metadata = {"event_type": EVENT_TYPE, "event_payload": payload}
    return {"text": line, "blocks": blocks, "metadata": metadata}


def digest_of(line: str, blocks: list[Block]) -> str:
    """Return 16 hex digits that tell one wording from another."""
    return hashlib.sha256(json.dumps([line, blocks]).encode()).hexdigest()[:16]
