"""Fills notify.ports.Sender with a terminal: one line whenever a page stands differently.

A whole channel in one file, for CONTRIBUTING's recipe: tests/contract/test_new_channel.py puts it
into a copy of the package and tells a page through it. A repeated line is harmless, so nothing
needs to be found.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from reflexarc.events.notice import Channel
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify import extent, telling
from reflexarc.notify.hostile_text import one_line
from reflexarc.notify.model import Receipt, Task

VIA = "console"
LINE_MAX = 200


@dataclass(frozen=True, kw_only=True)
class ConsoleSender:
    """Writes lines to a terminal."""

    write: Callable[[str], int] = sys.stdout.write

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return a line about the page, None when the last line said just that."""
        del channel
        standing = telling.standing(story.page)
        line = f"[{standing}] {one_line(extent.headline(story), LINE_MAX)}"
        if receipt is not None and receipt.digest == line:
            return None
        known = telling.becomes(story, receipt, now, VIA)
        return Task(
            part=standing,
            action="trigger" if receipt is None else "update",
            body={"line": line},
            becomes=known.model_copy(update={"digest": line}),
            pages=receipt is None or telling.graver(story.page, receipt),
        )

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:
        """Write the line."""
        del channel, receipt
        try:
            self.write(f"{task.body['line']}\n")
        except OSError as error:
            raise Unavailable(f"the terminal is gone: {error}") from error
        return task.becomes

    def plain(self, task: Task, story: Story) -> Task:
        """Return the line in ASCII."""
        del story
        line = str(task.body["line"]).encode("ascii", "replace").decode()
        return replace(task, body={"line": line})

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Return None: the same line twice misleads nobody."""
        del task, story, channel, receipt
        return None
