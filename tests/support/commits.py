"""Commits to test the stores with: each builder stores only what its test is about."""

from collections.abc import Iterable

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.page import Entry, Member, Page
from reflexarc.incidents.model import Commit, IncidentWrite, PageWrite
from tests.support.notices import NOW, notice


def wrote(incident: Incident, *events: str) -> Commit:
    """Return the commit of an incident's next version, its ledger ids if any are named."""
    write = IncidentWrite(incident=incident, expected=incident.version - 1, events=events)
    return Commit(at=NOW, incidents=(write,))


def told(
    page: Page,
    channels: Iterable[Channel] | None = None,
    *,
    said: tuple[Entry, ...] = (),
    fresh: bool = False,
    shared: bool = False,
) -> Commit:
    """Return the commit of a page's next version, with a notice a channel of the page."""
    behind = page.channels if channels is None else tuple(channels)
    return Commit(
        at=NOW,
        pages=(PageWrite(page=page, expected=page.version - 1, said=said),),
        notices=tuple(notice(each, about=page, fresh=fresh, shared=shared) for each in behind),
    )


def owing(*notices: Notice) -> Commit:
    """Return a commit of nothing but notices."""
    return Commit(at=NOW, notices=notices)


def joined(page: Page, *members: Member) -> Commit:
    """Return the commit of members that joined a page, or changed in it."""
    return Commit(at=NOW, joined=tuple((page.ref, member) for member in members))


def later(page: Page, **fields: object) -> Page:
    """Return a page's next version."""
    return page.model_copy(update={"version": page.version + 1, **fields})
