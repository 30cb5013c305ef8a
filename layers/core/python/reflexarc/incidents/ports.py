"""What the incidents slice needs from the outside world."""

from collections.abc import Collection, Iterable
from typing import Protocol

from reflexarc.events.delivery import Delivery
from reflexarc.events.incident import Incident
from reflexarc.incidents.model import Change
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
    """Remembers incidents, the ledger of events, and the outbox: one transaction for all three."""

    def load(self, fingerprint: str) -> Incident | None:
        """Return the latest committed version (a consistent read)."""

    def commit(self, change: Change) -> None:
        """Store the change whole or not at all.

        Raises AlreadyRecorded (which goes before Stale), Stale, Conflict, or another Unavailable
        (throttling; or a lost answer, after which the ledger tells whether it was stored).
        """

    def owed(self, fingerprint: str) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this incident."""


class WakeUps(Protocol):
    """Tells senders that a delivery group has work."""

    def wake(self, groups: Iterable[str]) -> None:
        """Send one wake-up a group; raises Unavailable when any could not be sent."""


class DeadLetters(Protocol):
    """Keeps what can never succeed, with the reason."""

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Store the message; raises Unavailable when it could not be stored."""
