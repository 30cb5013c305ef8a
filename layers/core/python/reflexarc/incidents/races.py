"""Stores a change that others race for: read, decide and store again until it wins."""

from collections.abc import Callable
from typing import TypeVar

from reflexarc.incidents.draft import Draft
from reflexarc.incidents.model import Commit
from reflexarc.incidents.ports import Conflict, IncidentBook, Stale

TRIES = 8
T = TypeVar("T")


def until_won(change: Callable[[], T], what: str, pause: Callable[[int], None]) -> T:
    """Return what a change returns once it wins; raises Conflict, naming `what`, if it never does.

    The change reads anew each time it is called, and does nothing after its commit that a lost
    race could undo.
    """
    for attempt in range(TRIES):
        try:
            return change()
        except (Stale, Conflict):
            pause(attempt)
    raise Conflict(f"lost {TRIES} races for {what}")


def stored(book: IncidentBook, draft: Draft) -> Commit:
    """Store what a draft changes, and return it; a draft that changes nothing asks nothing."""
    commit = draft.commit()
    if commit.size:
        book.commit(commit)
    return commit
