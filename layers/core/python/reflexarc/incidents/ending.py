"""Ends all incidents of a page though nothing was repaired: somebody says so, or all is quiet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from reflexarc.events.incident import Incident, PageRef
from reflexarc.incidents import pages
from reflexarc.incidents.closing import Closing
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.growth import because, ended
from reflexarc.incidents.model import ITEMS_MAX, IncidentWrite, Policy
from reflexarc.incidents.mutes import holds
from reflexarc.incidents.ports import IncidentBook
from reflexarc.incidents.races import stored, until_won
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.pause import jittered_pause

AT_ONCE = 24
# An incident and its row in a page; beside them, an incident may lift a hold an inhibition.
ITEMS_EACH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Ends incidents in bundles, members first, so that the page is over when its lead is."""

    book: IncidentBook
    policy: Callable[[], Policy]
    clock: Clock
    pause: Callable[[int], None] = jittered_pause

    def end(
        self,
        ref: PageRef,
        how: str,
        *,
        by: str = "",
        note: str = "",
        only: Callable[[Incident], bool] = lambda _: True,
    ) -> frozenset[str]:
        """End the open incidents of a page that `only` takes; return the groups with work.

        `how` is kept with each incident, `note` in the page's history, which its thread shows.
        Doing it again goes on where it stopped. Raises Unavailable when that is needed.
        """
        members = [each.fingerprint for each in self.book.members(ref) if each.state == "open"]
        at_once = ITEMS_MAX // (ITEMS_EACH + len(self.policy().inhibitions))
        for bundle in _bundles(members, min(AT_ONCE, max(1, at_once))):
            end = partial(self._end, ref, bundle, how, only)
            until_won(end, f"members of page {ref.scope}", self.pause)
        page = self.book.page(ref)
        if page is None or page.state == "resolved":
            return frozenset()
        end_lead = partial(self._end_lead, ref, how, (by, note), only)
        groups = until_won(end_lead, f"page {ref.scope}", self.pause)
        closing = Closing(book=self.book, clock=self.clock, pause=self.pause)
        concluded = closing.conclude(ref) or page
        return groups | self.book.mark(concluded, self.clock())

    def _end(
        self, ref: PageRef, things: Sequence[str], how: str, only: Callable[[Incident], bool]
    ) -> None:
        draft = Draft(self.book, self.policy(), self.clock())
        page = draft.page(ref)
        for incident in self._open(ref, things):
            # Who took the lead meanwhile is ended with the page.
            leads = page is not None and page.lead.fingerprint == incident.fingerprint
            if only(incident) and not leads:
                over = self._over(draft, incident, how)
                draft.rewrite(ref, pages.member_of(over))
        stored(self.book, draft)

    def _end_lead(
        self, ref: PageRef, how: str, said: tuple[str, str], only: Callable[[Incident], bool]
    ) -> frozenset[str]:
        by, note = said
        draft = Draft(self.book, self.policy(), self.clock())
        found = draft.page(ref)
        if found is None or found.state == "resolved":
            return frozenset()
        lead = found.lead
        for incident in self._open(ref, [lead.fingerprint]):
            if only(incident):
                lead = self._over(draft, incident, how)
        if lead.state == "resolved":
            steps = (step for step in found.steps if step.kind != "settle")
            shut = pages.closing(pages.stepped(pages.led_by(found, lead), steps))
            if note and found.state != "closing":
                shut = pages.said(shut, note, draft.now, by=by)
            update = {"resolved_by": by, "flapping": found.flapping and not by}
            draft.change(shut.model_copy(update=update))
        commit = stored(self.book, draft)
        return frozenset(notice.group for notice in commit.notices)

    def _open(self, ref: PageRef, things: Sequence[str]) -> Iterator[Incident]:
        for incident in self.book.load(set(things)).values():
            if incident.state == "open" and incident.page == ref:
                yield incident

    def _over(self, draft: Draft, incident: Incident, how: str) -> Incident:
        over = because(ended(incident, how, draft.now), how, draft.now)
        over = over.model_copy(update={"version": incident.version + 1})
        draft.incidents.append(IncidentWrite(incident=over, expected=incident.version))
        draft.hold(holds(over, draft.policy), lift=True)
        return over


def _bundles(things: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    return (things[start : start + at_once] for start in range(0, len(things), at_once))
