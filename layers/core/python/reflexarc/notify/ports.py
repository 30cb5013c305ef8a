"""What the notify slice needs from the outside world."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from reflexarc.events.notice import Notice
from reflexarc.notify.model import Attempt, Busy, Lease, Receipt


class Outbox(Protocol):
    """Unsent notices by delivery group, the lease on each group, and receipts of what was sent."""

    def acquire(self, group: str, owner: str, now: datetime) -> Lease | Busy:
        """Take the group's lease, or leave word for the live holder that it must look again."""

    def pending(self, group: str) -> tuple[Notice, ...]:
        """Return the group's unsent notices in row order (a consistent read)."""

    def receipt(self, notice: Notice) -> Receipt | None:
        """Return the receipt of this notice's incident generation and channel."""

    def settle(
        self, lease: Lease, notices: tuple[Notice, ...], receipt: Receipt | None, attempt: Attempt
    ) -> None:
        """Remove sent notices, keep the receipt and the attempt, if the lease still holds.

        Raises Unavailable when it does not: another sender has taken over.
        """

    def suspect(self, lease: Lease) -> None:
        """Remember that an answer is missing, so the next look reconciles before it posts."""

    def release(self, lease: Lease) -> bool:
        """Give the lease back after a clean look; False when a wake-up came meanwhile."""

    def postpone(self, lease: Lease, until: datetime, failures: int) -> bool:
        """Give the lease back and forbid looks before `until`.

        True when the caller must send the re-wake; False when one is already under way.
        """

    def stale(self, before: datetime) -> Iterable[str]:
        """Return the groups that hold notices created before a moment (eventually consistent)."""


class Sender(Protocol):
    """One vendor's way of telling people."""

    def send(self, notice: Notice, receipt: Receipt | None, now: datetime) -> Receipt:
        """Post or update. Raises RateLimited, Ambiguous, Unavailable, or Rejected."""

    def find(self, notice: Notice) -> Receipt | None:
        """Look for a message that an earlier sender may have posted for this generation."""


class ReWakes(Protocol):
    """Brings a delivery group back later."""

    def later(self, group: str, at: datetime, now: datetime) -> None:
        """Send one delayed wake-up."""


class WakeUps(Protocol):
    """Tells senders that a delivery group has work."""

    def wake(self, groups: Iterable[str]) -> None:
        """Send one wake-up a group; raises Unavailable when any could not be sent."""


class Undeliverable(Protocol):
    """Keeps a notice that a vendor will never accept, with the vendor's answer."""

    def keep(self, notice: Notice, reason: str) -> None:
        """Store it where an alarm sees it."""
