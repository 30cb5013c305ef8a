"""How often Slack is told what changes often. Pure.

chat.update takes 50 calls a minute in all, chat.postMessage about one a second and channel:
https://docs.slack.dev/apis/web-api/rate-limits
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reflexarc.events.page import Page
from reflexarc.notify.extent import Spot
from reflexarc.notify.model import Posted, Receipt

ROOT_GAP = timedelta(seconds=1.2)
POST_GAP = timedelta(seconds=1.1)
# What only counts further is shown less often the longer it does: every 1.2 s at first, then after
# a tenth of its age, so that the lists find room below the 50.
COUNTING_GAP_MAX = timedelta(seconds=10)
LIST_GAP, LIST_GAP_EACH = timedelta(seconds=5), timedelta(seconds=2)


def root(page: Page, receipt: Receipt | None, now: datetime) -> datetime | None:
    """Return when a page's message may be sent: a new one at once, a change at its pace."""
    if receipt is None:
        return None
    eventful = page.state != receipt.state or graver(page, receipt) or newest(page) > receipt.said
    counting = min((now - receipt.posted_at) / 10, COUNTING_GAP_MAX)
    gap = ROOT_GAP if eventful else max(ROOT_GAP, counting)
    return (receipt.updated_at or receipt.posted_at) + gap


def post(receipt: Receipt) -> datetime:
    """Return when one more message may come: a new page in the channel has first call on it."""
    moments = [part.updated_at for part in receipt.parts.values() if part.updated_at is not None]
    return max([receipt.posted_at, *moments]) + POST_GAP


@dataclass(frozen=True, slots=True)
class ListPace:
    """How often the list pages of one page may change: seldom while nodes still join."""

    page: Page
    receipt: Receipt
    lists: int
    now: datetime

    def earliest(self, known: Posted | None, spots: tuple[Spot, ...]) -> datetime | None:
        """Return when a list page of these nodes may be sent; None: at once."""
        posting = None if known else post(self.receipt)
        if not spots or self.page.state == "resolved":
            return posting
        changed = max(spot.changed_at for spot in spots)
        if self.now - changed >= LIST_GAP:
            return posting
        since = known.updated_at if known else spots[0].things[0].joined_at
        gap = max(LIST_GAP, LIST_GAP_EACH * self.lists) if known else LIST_GAP
        # It need not wait longer than until nothing has changed for a while.
        settled = min(since or changed, self.now) + gap
        settled = min(settled, min(changed, self.now) + LIST_GAP)
        return max(settled, posting) if posting else settled


def graver(page: Page, receipt: Receipt) -> bool:
    """Return whether a page is graver than the channel was told."""
    return receipt.severity is not None and page.severity.rank > receipt.severity.rank


def newest(page: Page) -> int:
    """Return the number of the newest line of a page's history, 0 for none."""
    return page.history[-1].number if page.history else 0
