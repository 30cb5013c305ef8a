"""What happened with a page, as replies in the thread of its message."""

from collections.abc import Sequence

from reflexarc.events.page import Entry, Story
from reflexarc.notify import extent, slack_root, wording
from reflexarc.notify.hostile_text import mrkdwn
from reflexarc.notify.slack_blocks import NAME, Message, date, message, sections

WHAT = 300


def render(story: Story, entries: Sequence[Entry], *, loud: bool) -> Message:
    """Return one reply with these lines, oldest first; a loud one names its page.

    A loud reply is shown in the channel as well, where nothing else tells what it is about.
    """
    page, newest = story.page, entries[-1].number
    lines = [_line(entry) for entry in entries]
    if not loud:
        said = _said(entries[-1])
        return message(page, part_of(newest), said, sections(lines), said=newest)
    news = [entry for entry in entries if entry.loud][-1]
    sign, about = wording.page_sign(page), slack_root.subject(page, extent.of(story))
    blocks = sections([f"*{sign} {about}*", *lines])
    # The news comes first: a lock screen cuts what is long.
    reply = message(page, part_of(newest), f"{sign} {_said(news)} · {about}", blocks, said=newest)
    return reply | {"reply_broadcast": True}


def part_of(newest: int) -> str:
    """Return the name of a reply among the messages of a page."""
    return f"history/{newest}"


def _line(entry: Entry) -> str:
    return f"{date(entry.at, '{time_secs}')}  {_said(entry)}"


def _said(entry: Entry) -> str:
    what = mrkdwn(entry.what, WHAT) or "changed"
    return f"{what} ({mrkdwn(entry.by, NAME)})" if entry.by else what
