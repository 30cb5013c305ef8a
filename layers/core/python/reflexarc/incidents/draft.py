"""One transaction in the making: what was read, what changes, and what must be done after it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.notice import Notice
from reflexarc.events.page import Member, Page
from reflexarc.incidents.model import Commit, Hold, IncidentWrite, PageWrite, Policy

MemberRow = tuple[PageRef, str]


class Shelf(Protocol):
    """What a draft reads: consistently, and raising Unavailable when it cannot."""

    def latest(self, scope: str) -> Page | None:
        """Return the page of a scope that was opened last."""

    def page(self, ref: PageRef) -> Page | None:
        """Return one page as it is now."""

    def members(self, ref: PageRef, node: str | None = None) -> tuple[Member, ...]:
        """Return who joined a page beside its lead; only one node's if named."""

    def held_by(self, key: str) -> frozenset[str]:
        """Return the open incidents that keep quiet what an inhibition's key names."""


@dataclass(slots=True)
class Draft:
    """Reads pages once, as they are asked for, and gathers what is to be stored together."""

    book: Shelf
    policy: Policy
    now: datetime
    incidents: list[IncidentWrite] = field(default_factory=list)
    newcomers: dict[PageRef, set[str]] = field(default_factory=dict)
    """Who joined a page without its version being demanded: look at the page again after."""
    _read: dict[PageRef, Page | None] = field(default_factory=dict)
    _pages: dict[PageRef, Page] = field(default_factory=dict)
    _latest: dict[str, PageRef | None] = field(default_factory=dict)
    _joined: dict[MemberRow, Member] = field(default_factory=dict)
    _left: dict[MemberRow, Member] = field(default_factory=dict)
    _held: dict[str, frozenset[str]] = field(default_factory=dict)
    _holding: dict[Hold, bool] = field(default_factory=dict)

    def page(self, ref: PageRef) -> Page | None:
        """Return a page, with what this draft changes of it."""
        if ref not in self._pages and ref not in self._read:
            self._read[ref] = None
            if page := self.book.page(ref):
                self.know(page)
        return self._pages.get(ref)

    def know(self, page: Page) -> None:
        """Take a page as read just now."""
        self._read[page.ref] = self._pages[page.ref] = page

    def latest(self, scope: str) -> Page | None:
        """Return the page of a scope that was opened last, be it by this draft."""
        if scope not in self._latest:
            page = self.book.latest(scope)
            self._latest[scope] = page.ref if page else None
            if page and page.ref not in self._pages:
                self.know(page)
        ref = self._latest[scope]
        return self._pages[ref] if ref else None

    def is_on(self, page: Page, node: str) -> bool:
        """Return whether an incident of a page is on a node."""
        drafted = (member for (ref, _), member in self._joined.items() if ref == page.ref)
        if page.lead.entity.node == node or any(each.entity.node == node for each in drafted):
            return True
        return bool(self.book.members(page.ref, node))

    def held_by(self, key: str) -> frozenset[str]:
        """Return the open incidents that an inhibition's key names, with those of this draft."""
        if key not in self._held:
            self._held[key] = self.book.held_by(key)
        return self._held[key] | {
            hold.fingerprint for hold, holds in self._holding.items() if holds and hold.key == key
        }

    def change(self, page: Page) -> None:
        """Store another version of a page, or the first one of a new page."""
        if page.ref not in self._read:
            self._read[page.ref] = None
            self._latest[page.scope] = page.ref
        self._pages[page.ref] = page

    def shuts(self, page: Page) -> bool:
        """Return whether it is this draft that shuts a page, so that it may think better of it."""
        before = self._read[page.ref]
        return page.state == "closing" and before is not None and before.state != "closing"

    def join(self, page: Page, member: Member) -> None:
        """Store the row of a member of a page that this draft knows."""
        self.rewrite(page.ref, member)

    def rewrite(self, ref: PageRef, member: Member) -> None:
        """Store a member's row; whoever does so tells the page's channels."""
        self._joined[ref, member.fingerprint] = member
        self._left.pop((ref, member.fingerprint), None)

    def leave(self, ref: PageRef, member: Member) -> None:
        """Remove a member's row: it leads the page now, or is told elsewhere."""
        self._left[ref, member.fingerprint] = member
        self._joined.pop((ref, member.fingerprint), None)

    def came(self, page: Page, incident: Incident) -> None:
        """Remember that an incident joined a page that may be closing at this very moment."""
        self.newcomers.setdefault(page.ref, set()).add(incident.fingerprint)

    def hold(self, holds: tuple[Hold, ...], *, lift: bool) -> None:
        """Let an incident begin, or cease, to keep others quiet."""
        self._holding |= dict.fromkeys(holds, not lift)

    @property
    def marked(self) -> tuple[PageRef, ...]:
        """Return the pages of which members alone changed: their notices are written after."""
        refs = dict.fromkeys(ref for ref, _ in (*self._joined, *self._left))
        return tuple(ref for ref in refs if ref in self._pages and not self._differs(ref))

    @property
    def closing(self) -> tuple[PageRef, ...]:
        """Return the pages that this draft shuts: somebody must look whether they are over."""
        return tuple(ref for ref in self._changed() if self._pages[ref].state == "closing")

    @property
    def planned(self) -> tuple[Page, ...]:
        """Return the pages whose next step moved."""
        return tuple(
            self._pages[ref]
            for ref in self._changed()
            if self._pages[ref].timer != self._timer_before(ref)
        )

    def commit(self) -> Commit:
        """Return the transaction."""
        return Commit(
            at=self.now,
            incidents=tuple(self.incidents),
            pages=tuple(self._page_write(ref) for ref in self._changed()),
            joined=tuple((ref, member) for (ref, _), member in self._joined.items()),
            left=tuple((ref, member) for (ref, _), member in self._left.items()),
            notices=tuple(notice for ref in self._changed() for notice in self._notices(ref)),
            holds=tuple(hold for hold, holds in self._holding.items() if holds),
            lifts=tuple(hold for hold, holds in self._holding.items() if not holds),
        )

    def _changed(self) -> Iterator[PageRef]:
        return (ref for ref in self._pages if self._differs(ref))

    def _differs(self, ref: PageRef) -> bool:
        return self._read[ref] is not self._pages[ref]

    def _timer_before(self, ref: PageRef) -> int:
        before = self._read[ref]
        return before.timer if before else 0

    def _page_write(self, ref: PageRef) -> PageWrite:
        before, page = self._read[ref], self._pages[ref]
        expected = before.version if before else 0
        known = before.history[-1].number if before and before.history else 0
        return PageWrite(
            page=page.model_copy(update={"version": expected + 1}),
            expected=expected,
            said=tuple(entry for entry in page.history if entry.number > known),
        )

    def _notices(self, ref: PageRef) -> Iterator[Notice]:
        before, page = self._read[ref], self._pages[ref]
        known = {channel.name for channel in before.channels} if before else set()
        moved = any(each == ref for each, _ in (*self._joined, *self._left))
        for channel in page.channels:
            fresh = channel.name not in known
            yield Notice(
                channel=channel,
                page=ref,
                severity=page.severity,
                created_at=self.now,
                fresh=fresh,
                # Who is told late, by an escalation say, must read who joined until then.
                shared=moved or (fresh and before is not None),
            )
