"""What the incidents slice needs from the outside world."""

from collections.abc import Collection, Iterable
from typing import Protocol

from reflexarc.events.incident import Incident
from reflexarc.incidents.model import Change
from reflexarc.kernel.errors import ReflexError


class Stale(ReflexError):
    """The incident changed since it was read: read it again and decide again."""


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

        Raises Stale, AlreadyRecorded, or Unavailable (conflict, throttling: nothing was stored).
        """

    def owed(self, fingerprint: str) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this incident."""


class WakeUps(Protocol):
    """Tells senders that a delivery group has work."""

    def wake(self, groups: Iterable[str]) -> None:
        """Send one wake-up a group; raises Unavailable when any could not be sent."""
