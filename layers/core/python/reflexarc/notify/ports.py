"""What the notify slice needs from the outside world."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from reflexarc.events.delivery import Delivery
from reflexarc.events.notice import Notice
from reflexarc.events.signal import Hops
from reflexarc.notify.model import Attempt, Busy, Lease, Receipt


class Outbox(Protocol):
    """Unsent notices by delivery group, the lease on each group, and receipts of what was sent.

    Every method raises Unavailable when the store cannot answer.
    """

    def acquire(self, group: str, owner: str, now: datetime) -> Lease | Busy:
        """Take the group's lease, or leave word for the live holder that it must look again.

        `owner` is new at every call: it is the fence. A lease taken over from a holder that let
        it expire is suspect, and so is every later one until a look ends in `release`.
        """

    def pending(self, group: str) -> tuple[Notice, ...]:
        """Return the group's unsent notices in row order (a consistent read)."""

    def receipt(self, notice: Notice) -> Receipt | None:
        """Return the receipt of this notice's incident generation and channel."""

    def settle(
        self, lease: Lease, notices: tuple[Notice, ...], receipt: Receipt | None, attempt: Attempt
    ) -> None:
        """Remove sent notices, keep the receipt and the attempt, if the lease still holds.

        The notices, at least one, are of one incident generation and channel. Raises Unavailable
        when the lease does not hold: another sender has taken over.
        """

    def suspect(self, lease: Lease) -> None:
        """Remember that an answer is missing, so the next look reconciles before it posts.

        The lease stays held. Nothing happens when another sender has taken over.
        """

    def release(self, lease: Lease) -> bool:
        """Give the lease back after a clean look; False when a wake-up came meanwhile.

        After False the lease is still held and the wake-up counts as heard: look again.
        True too when another sender has taken over: the looking is theirs.
        """

    def postpone(self, lease: Lease, until: datetime, failures: int, now: datetime) -> bool:
        """Give the lease back and forbid looks before `until`.

        True when the caller must send the re-wake; False when one is already under way that comes
        no earlier than `until`, or when another sender has taken over.
        """

    def stale(self, before: datetime) -> Iterable[str]:
        """Return the groups that hold notices created before a moment (eventually consistent)."""


class Sender(Protocol):
    """One vendor's way of telling people."""

    def send(
        self, notice: Notice, receipt: Receipt | None, now: datetime, *, plain: bool = False
    ) -> Receipt:
        """Post, or update what the receipt names; `plain` sends the essentials as bare text.

        Raises RateLimited, Ambiguous, Unavailable, or Rejected (the vendor refuses the content).
        """

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
        """Store it where an alarm sees it; raises Unavailable when it could not be stored."""


class DeadLetters(Protocol):
    """Keeps wake-ups that make no sense, with the reason."""

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Store the message; raises Unavailable when it could not be stored."""


class Canaries(Protocol):
    """Keeps the functions of the page path warm and proves their queues."""

    def send(self, now: datetime) -> int:
        """Send one canary to each queue of the page path; return how many were sent."""


class Journal(Protocol):
    """Tells operators how delivery goes: log events and metrics."""

    def delivered(self, notice: Notice, hops: Hops, latency_ms: int | None) -> None:
        """Note that a vendor accepted a notice; no latency unless this paged somebody."""

    def failing(self, group: str, reason: str, failures: int) -> None:
        """Note that a group waits for another try; 0 failures: the vendor asked for patience."""

    def refused(self, notice: Notice, reason: str, *, lost: bool) -> None:
        """Note that a vendor refused the content; `lost` when it refused plain text as well."""
