"""What the notify slice needs from the outside world."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from reflexarc.events.delivery import Delivery
from reflexarc.events.incident import PageRef
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.page import Page, Story
from reflexarc.notify.model import Attempt, Busy, Deferred, Lease, Receipt, Task


class Outbox(Protocol):
    """Notices by delivery group, the lease on each group, and receipts of what was told.

    Every method raises Unavailable when the store cannot answer.
    """

    def acquire(self, group: str, owner: str, now: datetime) -> Lease | Busy:
        """Take the group's lease, or leave word for the live holder that it must look again.

        `owner` is new at every call: it is the fence. A lease taken over from a holder that let
        it expire is suspect, and so is every later one until a look ends in `release`.
        """

    def pending(self, group: str) -> tuple[Notice, ...]:
        """Return the group's notices in row order (a consistent read)."""

    def take(self, lease: Lease, notice: Notice) -> Notice | None:
        """Say that members are about to be read: who changes one later writes the row anew.

        Return the notice with its new stamp, None when it is gone. For shared notices alone.
        """

    def receipt(self, notice: Notice) -> Receipt | None:
        """Return what this notice's channel was told of its page."""

    def settle(
        self,
        lease: Lease,
        notice: Notice,
        receipt: Receipt | None,
        attempt: Attempt | None,
        *,
        done: bool,
    ) -> bool:
        """Keep the receipt and the attempt, if the lease still holds; when `done`, remove the row.

        False when the row was written anew since it was read: it stays, and the channel is behind
        again. Raises Unavailable when another sender has taken over.
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

    def defer(self, lease: Lease, until: datetime, now: datetime) -> Deferred:
        """Give the lease back; what is left waits for its pace, and a new page may come before.

        `again` when a wake-up came meanwhile: the lease is still held, look again. `rewake` when
        the caller must send the re-wake; `planned` when one is under way that comes no later than
        a little after `until`, or when another sender has taken over.
        """

    def stale(self, before: datetime) -> Iterable[str]:
        """Return the groups that hold notices created before a moment (eventually consistent)."""


class Pages(Protocol):
    """What there is to tell. It also ends pages whose members are all well."""

    def story(self, ref: PageRef, *, shared: bool) -> Story | None:
        """Return a page as it is now, with its members if `shared`; None where there is none."""


class Sender(Protocol):
    """One vendor's way of telling people: what a channel is behind on, and how to say it."""

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return the next thing to tell, None when the channel knows all. Pure."""

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:
        """Do it and return the receipt.

        Raises RateLimited, Ambiguous, Unavailable, or Rejected (the vendor refuses the content).
        """

    def plain(self, task: Task, story: Story) -> Task:
        """Return the same thing said as simply as possible, for when its content was refused."""

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Look for what an earlier sender may have posted for this very task."""


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

    def keep(self, notice: Notice, task: Task, reason: str) -> None:
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

    def delivered(self, page: Page, attempt: Attempt) -> None:
        """Note that a vendor accepted a task; it has a latency where it paged somebody."""

    def failing(self, group: str, reason: str, failures: int) -> None:
        """Note that a group waits for another try; 0 failures: the vendor asked for patience."""

    def refused(self, page: Page, channel: str, reason: str, *, lost: bool) -> None:
        """Note that a vendor refused the content; `lost` when it refused plain text as well."""
