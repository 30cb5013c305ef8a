"""Ends a page when all of it is well, without losing an incident that joins at that very moment."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from reflexarc.events.incident import PageRef
from reflexarc.events.page import Member, Page, Story
from reflexarc.incidents import pages
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.model import Policy
from reflexarc.incidents.ports import Conflict, IncidentBook
from reflexarc.incidents.races import stored, until_won
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause

_NO_POLICY = Policy(channels=(), routes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Reads pages for whoever tells them, and concludes those that may be over.

    A page is shut first (`closing`), and its members are read after that. Who joins commits first
    and looks at the page after that. Whichever came first, one of the two sees the other.
    """

    book: IncidentBook
    clock: Clock
    wake: Callable[[Iterable[str]], None] = lambda _: None
    """Tells senders of what was concluded, for those who do not wake them anyway."""
    pause: Callable[[int], None] = jittered_pause

    def story(self, ref: PageRef, *, shared: bool) -> Story | None:
        """Return a page as it is now, with its members if `shared`; None where there is none."""
        page = self.book.page(ref)
        if page is None:
            return None
        # A lead that is well asks for a look at the others: who was to take it may have died.
        known = shared or page.state == "closing" or _may_be_over(page, ())
        members = self.book.members(ref) if known else ()
        if _may_be_over(page, members):
            page = self.conclude(ref) or page
        return Story(page=page, members=members)

    def conclude(self, ref: PageRef) -> Page | None:
        """Resolve a page whose incidents are all well, or open it again; return what it is now."""
        try:
            return until_won(partial(self._concluded, ref), f"page {ref.scope}", self.pause)
        except Conflict:
            return self.book.page(ref)

    def _concluded(self, ref: PageRef) -> Page | None:
        page = self.book.page(ref)
        if page is None or page.state == "resolved":
            return page
        if page.state != "closing":
            if page.lead.state != "resolved" or _settles(page):
                return page
            page = self._store(page, pages.closing(page))
        members = self.book.members(page.ref)
        if page.lead.state == "resolved" and all(each.state == "resolved" for each in members):
            return self._store(page, pages.resolved(page, len(members), self.clock()))
        return self._store(page, pages.reopened(page))

    def _store(self, before: Page, after: Page) -> Page:
        draft = Draft(self.book, _NO_POLICY, self.clock())
        draft.know(before)
        draft.change(after)
        commit = stored(self.book, draft)
        if after.state == "resolved":
            with suppress(Unavailable):  # the watchdog's sweep finds them
                self.wake(sorted({notice.group for notice in commit.notices}))
        return after.model_copy(update={"version": before.version + 1})


def _may_be_over(page: Page, members: tuple[Member, ...]) -> bool:
    if page.state in {"closing", "resolved"}:
        return page.state == "closing"
    well = page.lead.state == "resolved" and not _settles(page)
    return well and all(each.state == "resolved" for each in members)


def _settles(page: Page) -> bool:
    """Return whether a page that flaps must stay well for a while before it is over."""
    return page.flapping and any(step.kind == "settle" for step in page.steps)
