"""What the incidents slice needs from the outside world."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from reflexarc.events.action import Timer
from reflexarc.events.delivery import Delivery
from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.notice import Channel
from reflexarc.events.page import Member, Page, Silence
from reflexarc.incidents.model import Commit
from reflexarc.kernel.errors import ReflexError, Unavailable


class Stale(ReflexError):
    """The incident changed since it was read: read it again and decide again."""


class Conflict(Unavailable):
    """Another transaction touched the same rows at this very moment: nothing was stored."""


class AlreadyRecorded(ReflexError):
    """Some events of the change are in the ledger already; `events` names them."""

    def __init__(self, events: Collection[str]) -> None:
        super().__init__(f"already recorded: {', '.join(sorted(events))}")
        self.events = frozenset(events)


class IncidentBook(Protocol):
    """Remembers incidents, pages, the ledger of events, and the outbox: one transaction for all.

    Reads are consistent. Every method raises Unavailable when the store cannot answer.
    """

    def load(self, fingerprints: Collection[str]) -> Mapping[str, Incident]:
        """Return the latest committed versions of those that exist."""

    def latest(self, scope: str) -> Page | None:
        """Return the page of a scope that was opened last."""

    def page(self, ref: PageRef) -> Page | None:
        """Return one page as it is now."""

    def members(self, ref: PageRef, node: str | None = None) -> tuple[Member, ...]:
        """Return who joined a page beside its lead, in that order; only one node's if named."""

    def held_by(self, key: str) -> frozenset[str]:
        """Return the open incidents that keep quiet what an inhibition's key names.

        Of many some, two at least: a hold counts for nothing once its incident is over.
        """

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing.

        Raises AlreadyRecorded (which goes before Stale), Stale, Conflict, or another Unavailable
        (throttling; or a lost answer, after which the ledger tells whether it was stored).
        """

    def mark(self, page: Page, at: datetime) -> frozenset[str]:
        """Note that members of a page changed; return the delivery groups that are news to.

        A row that says so already is left alone, so a storm does not write it a thousand times.
        """

    def owed(self, ref: PageRef, channels: Iterable[Channel]) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this page."""


class WakeUps(Protocol):
    """Tells senders that a delivery group has work."""

    def wake(self, groups: Iterable[str]) -> None:
        """Send one wake-up a group; raises Unavailable when any could not be sent."""


class Timers(Protocol):
    """Brings a page back when its next step is due. Losing one costs a sweep's delay."""

    def plan(self, timer: Timer, now: datetime) -> None:
        """Send one delayed message; raises Unavailable when it could not be sent."""


class Silences(Protocol):
    """Keeps what people asked not to be told."""

    def active(self, now: datetime) -> tuple[Silence, ...]:
        """Return the silences that have not ended, those that begin later included."""

    def put(self, silence: Silence) -> None:
        """Keep a silence, new or changed."""


class Answers(Protocol):
    """Tells the person who clicked what became of it."""

    def answer(self, reply_to: str, person: str, text: str) -> None:
        """Show a text to one person; raises Unavailable when that failed for now."""


class DeadLetters(Protocol):
    """Keeps what can never succeed, with the reason."""

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Store the message; raises Unavailable when it could not be stored."""
