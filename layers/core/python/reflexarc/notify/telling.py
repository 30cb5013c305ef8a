"""What a channel that keeps no message of ours knows of a page, and what it is behind on: pure."""

from datetime import datetime
from typing import Literal

from reflexarc.events.page import Page, Story
from reflexarc.notify import rules
from reflexarc.notify.model import Receipt

Standing = Literal["open", "acked", "resolved"]


def standing(page: Page) -> Standing:
    """Return the state as people know it; a page that may be closing is what it was before."""
    if page.state == "resolved":
        return "resolved"
    return "open" if page.acked_at is None else "acked"


def graver(page: Page, receipt: Receipt) -> bool:
    """Return whether the page is worse than the channel knows."""
    return receipt.severity is None or page.severity.rank > receipt.severity.rank


def reminds(page: Page, receipt: Receipt) -> bool:
    """Return whether a line was added that the whole channel should notice: a repeat, say."""
    return any(entry.loud and entry.number > receipt.said for entry in page.history)


def becomes(story: Story, receipt: Receipt | None, now: datetime, via: str) -> Receipt:
    """Return what the channel knows once it was told all of this story.

    The latency is of the page that told of the trouble, or of what made it worse.
    """
    page = story.page
    said = max((entry.number for entry in page.history), default=0)
    if receipt is None:
        receipt = Receipt(vendor_id="", via=via, posted_at=now)
    else:
        receipt = receipt.model_copy(update={"updated_at": now})
    update: dict[str, object] = {
        "state": standing(page),
        "shared": receipt.shared or bool(story.members),
        "said": max(said, receipt.said),
    }
    if graver(page, receipt):
        update["severity"] = page.severity
        update["latency_ms"] = rules.latency_ms(page.lead.hops, now)
    return receipt.model_copy(update=update)
