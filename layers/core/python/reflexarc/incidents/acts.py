"""What people do to pages: each wish counts once, and whoever wished is told what became of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from reflexarc.events.action import Action
from reflexarc.events.incident import PageRef
from reflexarc.events.page import Member, Page, Silence
from reflexarc.incidents import pages
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.ending import Ending
from reflexarc.incidents.model import Policy
from reflexarc.incidents.ports import Answers, IncidentBook, Silences, WakeUps
from reflexarc.incidents.races import stored, until_won
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause

_HOW = {"resolve": "resolved by {who}", "not_a_fault": "not a fault, says {who}"}
_NOTE = {"resolve": "", "not_a_fault": "not a fault"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionService:
    """Applies what people wish to a page. Applying a wish again changes nothing."""

    book: IncidentBook
    silences: Silences
    answers: Answers
    wake_ups: WakeUps
    ending: Ending
    policy: Callable[[], Policy]
    clock: Clock
    pause: Callable[[int], None] = jittered_pause

    def apply(self, action: Action) -> None:
        """Do what was wished, and answer; raises Unavailable when it must be tried again."""
        page = self.book.page(action.page)
        if page is None:
            self._answer(action, "This page is not known any more: nothing was done.")
        elif page.state == "resolved":
            self._answer(action, _too_late(page))
        elif action.act == "ack":
            self._ack(action, page)
        elif action.act == "silence":
            self._silence(action)
        else:
            self._end(action)

    def _ack(self, action: Action, page: Page) -> None:
        if page.state == "acked":
            if page.acked_by == pages.shown(action.person):
                return
            self._answer(action, f"{page.acked_by} has it already, since {_utc(page.acked_at)}.")
            return
        self._change(action, lambda found: pages.acked(found, action.person, self.clock()))

    def _silence(self, action: Action) -> None:
        members = self.book.members(action.page)
        page = self.book.page(action.page)
        if page is None:
            return
        until = action.at + timedelta(seconds=action.for_s)
        self.silences.put(
            Silence(
                id=action.id,
                labels=labels_to_silence(page, members),
                starts_at=action.at,
                ends_at=until,
                author=pages.shown(action.person),
                reason=action.reason or f"silenced on page {page.key[:8]}",
                created_at=action.at,
            )
        )
        self._change(action, lambda found: pages.hushed(found, action.person, until, self.clock()))

    def _end(self, action: Action) -> None:
        who, note = pages.shown(action.person), _NOTE[action.act]
        how = _HOW[action.act].format(who=who)
        if action.reason:
            how, note = f"{how}: {action.reason}", f"{note or 'why'}: {action.reason}"
        groups = self.ending.end(action.page, how, by=who, note=note)
        self.wake_ups.wake(sorted(groups))
        page = self.book.page(action.page)
        if page is not None and page.state != "resolved":
            still = sum(member.state == "open" for member in self.book.members(action.page))
            broken = still + (page.lead.state == "open")
            self._answer(action, f"{broken:,} more joined meanwhile: the page stays open for them.")

    def _change(self, action: Action, change: Callable[[Page], Page]) -> None:
        """Store a change of the page, whatever else happens to it meanwhile, and wake senders."""
        changed = partial(self._changed, action.page, change)
        found, groups = until_won(changed, f"page {action.page.scope}", self.pause)
        if found is None or found.state == "resolved":
            self._answer(action, _too_late(found) if found else "This page is gone.")
        else:
            self.wake_ups.wake(sorted(groups))

    def _changed(
        self, ref: PageRef, change: Callable[[Page], Page]
    ) -> tuple[Page | None, frozenset[str]]:
        """Return the page as it was found, changed unless it is over, and the groups with work."""
        page = self.book.page(ref)
        if page is None or page.state == "resolved":
            return page, frozenset()
        draft = Draft(self.book, self.policy(), self.clock())
        draft.know(page)
        draft.change(change(page))
        commit = stored(self.book, draft)
        return page, frozenset(notice.group for notice in commit.notices)

    def _answer(self, action: Action, text: str) -> None:
        """Tell the person; who cannot be told sees it on the page."""
        with suppress(Unavailable):
            if action.reply_to:
                self.answers.answer(action.reply_to, action.person.id, text)


def labels_to_silence(page: Page, members: Sequence[Member]) -> dict[str, str]:
    """Return what a silence of this page matches: its one thing, or its cause within its group."""
    entity = page.lead.entity
    one = {"kind": entity.kind, "node": entity.node, "device": entity.device}
    if members:
        one = {"cause": page.lead.cause, **page.by}
    # A star in a node's name must not silence the fleet: one character stands for it.
    return {name: value.replace("*", "?") for name, value in one.items() if value}


def _too_late(page: Page) -> str:
    by = f" by {page.resolved_by}" if page.resolved_by else ""
    return f"This was resolved already{by}, at {_utc(page.resolved_at)}: nothing was done."


def _utc(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "a moment ago"
