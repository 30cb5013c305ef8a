"""One look at a delivery group: brings its channels up to date, one task after the other."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.events.notice import ChannelKind, Notice
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Ambiguous, ReflexError, Rejected, Unavailable, Unreadable
from reflexarc.notify import rules
from reflexarc.notify.model import Attempt, Lease, Receipt, Task
from reflexarc.notify.ports import Journal, Outbox, Pages, Sender, Undeliverable

READ_AHEAD = 25
LEFT_BEHIND = "an earlier sender left this, or may have"


@dataclass(frozen=True, slots=True)
class Left:
    """What a pass leaves: something to look at again, or something that waits for its pace."""

    again: bool = False
    earliest: datetime | None = None

    def and_(self, other: "Left") -> "Left":
        """Return both together."""
        moments = [left.earliest for left in (self, other) if left.earliest is not None]
        return Left(self.again or other.again, min(moments, default=None))


NOTHING = Left()
AGAIN = Left(again=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of a task: what the channel knows now, and how it came to know it."""

    receipt: Receipt
    outcome: str
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Look:
    """Holds a lease; each pass goes through all that the group owes. Raises what a vendor does."""

    lease: Lease
    deadline: datetime
    outbox: Outbox
    pages: Pages
    senders: Mapping[ChannelKind, Sender]
    undeliverable: Undeliverable
    journal: Journal
    clock: Callable[[], datetime]
    progress: bool = False
    """Whether anything got through."""
    _known: dict[str, Receipt | None] = field(default_factory=dict)
    _told: bool = False

    @property
    def failures(self) -> int:
        """Return the failures in a row so far; a message that got through ends the row."""
        return 0 if self.progress else self.lease.failures

    @property
    def late(self) -> bool:
        """Return whether no further call may start."""
        return self.clock() >= self.deadline

    def serve(self) -> Left:
        """Go once through what the group owes, news of trouble first."""
        left = NOTHING
        bugs: list[Exception] = []
        for notice in self._in_order():
            if self.late or self._overtaken(notice):
                return AGAIN
            try:
                left = left.and_(self._bring(notice))
            except Unreadable as error:
                self._leave(error)
            except ReflexError:
                raise
            except Exception as error:  # noqa: BLE001 - one page's bug must not stop the others'
                bugs.append(error)
        if bugs:
            raise bugs[0]
        return left

    def _in_order(self) -> Iterator[Notice]:
        """Yield what is new at once; only then find out which of the others the channel knows.

        In a storm there may be thousands of them: so many reads at once would be the whole budget.
        """
        notices = self.outbox.pending(self.lease.group)
        news, others = rules.plan(notices, {n.row for n in notices if self._is_new(n)})
        yield from news
        for start in range(0, len(others), READ_AHEAD):
            some = list(filter(self._is_readable, others[start : start + READ_AHEAD]))
            unseen = {notice.row for notice in some if self._receipt(notice) is None}
            for part in rules.plan(some, unseen):
                yield from part

    def _is_readable(self, notice: Notice) -> bool:
        """Return whether this version can read what the channel knows of a page."""
        try:
            self._receipt(notice)
        except Unreadable as error:
            self._leave(error)
            return False
        return True

    def _leave(self, error: Unreadable) -> None:
        """Leave a row to a version that can read what it is about; the others must go on.

        The watchdog brings it back, and operators hear of it each time.
        """
        self.journal.failing(self.lease.group, str(error), 1)

    def _overtaken(self, notice: Notice) -> bool:
        """Return whether a new page came while something else was told: a page does not queue."""
        if not self._told or self._is_new(notice):
            return False
        self._told = False
        return any(self._is_new(other) for other in self.outbox.pending(self.lease.group))

    def _is_new(self, notice: Notice) -> bool:
        return notice.fresh and notice.row not in self._known

    def _receipt(self, notice: Notice) -> Receipt | None:
        """Return what the channel knows; nobody else writes that while the lease is held.

        The row of a page that no channel was told of says so itself: a page waits for no read. A
        dead sender may have told it all the same.
        """
        if notice.row not in self._known:
            untold = notice.fresh and not self.lease.suspect
            self._known[notice.row] = None if untold else self.outbox.receipt(notice)
        return self._known[notice.row]

    def _bring(self, notice: Notice) -> Left:
        """Bring one channel up to date on one page."""
        receipt = self._receipt(notice)
        if notice.shared:
            taken = self.outbox.take(self.lease, notice)
            if taken is None:
                return NOTHING
            notice = taken
        shared = notice.shared or (receipt is not None and receipt.shared)
        story = self.pages.story(notice.page, shared=shared)
        if story is None:
            return self._settle(notice, receipt, self._gone(notice), done=True)
        return self._tell(notice, story, receipt)

    def _tell(self, notice: Notice, story: Story, receipt: Receipt | None) -> Left:
        """Do one task after the other, and keep each receipt before the next."""
        sender, channel = self.senders[notice.channel.kind], notice.channel
        task = sender.next(story, channel, receipt, self.clock())
        if task is None:
            return self._settle(notice, receipt, None, done=True)
        while task is not None:
            if self.late:
                return AGAIN
            if task.earliest is not None and task.earliest > self.clock():
                return Left(earliest=task.earliest)
            told = self._do(notice, story, receipt, task)
            attempt = self._attempt(notice, story, receipt, task, told)
            receipt = told.receipt
            task = sender.next(story, channel, receipt, self.clock())
            left = self._settle(notice, receipt, attempt, done=task is None)
            self._note(story, attempt)
            if left.again:
                return left
        return NOTHING

    def _do(self, notice: Notice, story: Story, receipt: Receipt | None, task: Task) -> _Told:
        sender, channel = self.senders[notice.channel.kind], notice.channel
        if self.lease.suspect and rules.creates(task, receipt):
            found = sender.find(task, story, channel, receipt)
            if found is not None:
                return _Told(found, "found", LEFT_BEHIND)
        try:
            return _Told(sender.send(task, channel, receipt), "sent")
        except Ambiguous:
            self._doubt(notice, receipt)
            raise
        except Rejected as refusal:
            self.journal.refused(story.page, channel.name, str(refusal), lost=False)
            return self._plainly(notice, story, receipt, task, str(refusal))

    def _doubt(self, notice: Notice, receipt: Receipt | None) -> None:
        """Remember that an edit whose answer was lost may stand there, whatever the receipt says.

        What it is a channel's first word of is not known at all: that is looked for.
        """
        if receipt is not None:
            with suppress(Unavailable):
                self.outbox.settle(self.lease, notice, receipt.doubted(), None, done=False)

    def _plainly(
        self, notice: Notice, story: Story, receipt: Receipt | None, task: Task, refusal: str
    ) -> _Told:
        """Say it as simply as possible, or put it aside: the page's later states are still told."""
        sender, channel = self.senders[notice.channel.kind], notice.channel
        simple = sender.plain(task, story)
        try:
            return _Told(sender.send(simple, channel, receipt), "plain", refusal)
        except Rejected as final:
            reason = f"{refusal}; as plain text: {final}"
        self.undeliverable.keep(notice, simple, reason)
        self.journal.refused(story.page, channel.name, reason, lost=True)
        return _Told(task.becomes, "undeliverable", reason)

    def _attempt(
        self, notice: Notice, story: Story, receipt: Receipt | None, task: Task, told: _Told
    ) -> Attempt:
        now, lead = self.clock(), story.page.lead
        arrived = told.outcome in {"sent", "plain"}
        timed = arrived and task.pages
        return Attempt(
            channel=notice.channel.name,
            action=task.action,
            outcome=told.outcome,
            detail=told.detail,
            at=now,
            latency_ms=rules.page_latency_ms(notice, receipt, lead, now) if timed else None,
            hops=lead.hops.model_copy(update={"delivered_at": now}) if arrived else None,
            part=task.part,
        )

    def _gone(self, notice: Notice) -> Attempt:
        return Attempt(
            channel=notice.channel.name,
            action="update",
            outcome="gone",
            detail="there is no such page",
            at=self.clock(),
            latency_ms=None,
        )

    def _note(self, story: Story, attempt: Attempt) -> None:
        self.progress = self._told = True
        if attempt.outcome in {"sent", "plain"}:
            self.journal.delivered(story.page, attempt)

    def _settle(
        self, notice: Notice, receipt: Receipt | None, attempt: Attempt | None, *, done: bool
    ) -> Left:
        """Record what was sent. If that fails, the next look must first find out what was sent.

        An answer that got lost may have been a yes: settling twice is harmless, and cheaper than a
        look that must find out.
        """
        self._known[notice.row] = receipt
        kept: bool | None = None
        with suppress(Unavailable):
            kept = self.outbox.settle(self.lease, notice, receipt, attempt, done=done)
        try:
            if kept is None:
                kept = self.outbox.settle(self.lease, notice, receipt, attempt, done=done)
        except Unavailable as error:
            raise Ambiguous(f"sent, but not recorded: {error}") from error
        return NOTHING if kept else AGAIN
