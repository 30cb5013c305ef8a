"""One lane of the spool: messages in order, on the disk if it can be written, else in memory.

Not locked: the spool that owns the lane is.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from reflexarc.agent.journal import Journal, Place, State
from reflexarc.agent.packing import Packed

# Bodies kept in memory although the disk has them too, so that the usual message, sent a moment
# after it was made, is not read back.
RESIDENT_MAX = 2 * 1024 * 1024
# A disk that refused a write is asked again after this many seconds.
DISK_RETRY = 1.0


@dataclass(slots=True)
class _Entry:
    number: int
    id: str
    faults: int
    size: int
    place: Place | None = None
    packed: Packed | None = None


class Lane:
    """What waits to be sent to one queue. A message leaves by being settled or shed."""

    def __init__(self, journal: Journal, monotonic: Callable[[], float]) -> None:
        self.journal = journal
        self.state: State = {}
        self.trouble = ""
        self.resident = 0
        self.unsaved = 0
        self.waiting_bytes = 0
        self.shed = 0
        self._entries: deque[_Entry] = deque()
        self._monotonic = monotonic
        self._retry_at = 0.0
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest_id(self) -> str | None:
        """Return the id of the message that waits longest."""
        return self._entries[0].id if self._entries else None

    def recover(self) -> int:
        """Take over what an earlier process left; return the number of damaged bytes."""
        try:
            recovered = self.journal.recover()
        except OSError as error:
            self._disk_failed(error)
            return 0
        self.state = recovered.state
        self._entries.extend(
            _Entry(each.number, each.id, each.faults, each.size, each.place)
            for each in recovered.waiting
        )
        self.waiting_bytes = sum(each.size for each in recovered.waiting)
        self._last_number = self.journal.last_number
        return recovered.damaged_bytes

    def put(self, messages: Sequence[Packed], state: State) -> None:
        """Take the messages in, in memory if not on the disk."""
        self.state = state
        for message in messages:
            self._last_number += 1
            size = len(message.text)
            self._entries.append(
                _Entry(self._last_number, message.id, message.faults, size, packed=message)
            )
            self.waiting_bytes += size
            self.resident += size
            self.unsaved += size
        self.save()

    def save(self) -> None:
        """Write what the disk does not have yet, unless it refused a moment ago."""
        if self.trouble and self._monotonic() < self._retry_at:
            return
        entries = list(self._without_place())[::-1]
        try:
            places = self.journal.put(
                [(entry.number, entry.packed) for entry in entries if entry.packed], self.state
            )
        except OSError as error:
            self._disk_failed(error)
            return
        self.trouble = ""
        self.unsaved = 0
        for entry, place in zip(entries, places, strict=True):
            entry.place = place
            if self.resident > RESIDENT_MAX:
                self._evict(entry)

    def front(self, count: int, size: int) -> list[Packed]:
        """Return the oldest messages: at most `count`, at most `size` characters, at least one."""
        found: list[Packed] = []
        unreadable: list[str] = []
        for entry in self._entries:
            packed = entry.packed or self._load(entry)
            if packed is None:
                unreadable.append(entry.id)
                self.shed += max(entry.faults, 1)
                continue
            size -= len(packed.text)
            if found and size < 0:
                break
            found.append(packed)
            if len(found) == count:
                break
        if unreadable:
            self.settle(unreadable)
        return found

    def settle(self, ids: Collection[str]) -> None:
        """Forget these messages, which stand near the front: they were accepted or refused."""
        kept: list[_Entry] = []
        left = set(ids)
        while left and self._entries:
            entry = self._entries.popleft()
            if entry.id in left:
                left.discard(entry.id)
                self._forget(entry)
            else:
                kept.append(entry)
        self._entries.extendleft(reversed(kept))
        settled = self._entries[0].number - 1 if self._entries else self._last_number
        try:
            if not self.trouble:
                self.journal.acknowledge(settled)
        except OSError as error:
            self._disk_failed(error)

    def shed_oldest_segment(self) -> None:
        """Delete the oldest segment of the disk, with the messages that still wait in it."""
        last = self.journal.drop_oldest()
        while self._entries and self._entries[0].number <= last:
            self._shed(0)

    def shed_oldest_unsaved(self) -> None:
        """Drop the oldest message that is in memory alone."""
        for index, entry in enumerate(self._entries):
            if entry.place is None:
                self._shed(index)
                return

    def _shed(self, index: int) -> None:
        entry = self._entries[index]
        self.shed += max(entry.faults, 1)
        self._forget(entry)
        del self._entries[index]

    def _load(self, entry: _Entry) -> Packed | None:
        if entry.place is None:  # pragma: no cover - an entry without a place has its body
            return None
        try:
            return self.journal.load(entry.place)
        except (OSError, ValueError) as error:
            self.trouble = f"cannot read the spool: {error}"
            return None

    def _forget(self, entry: _Entry) -> None:
        self.waiting_bytes -= entry.size
        self._evict(entry)

    def _evict(self, entry: _Entry) -> None:
        if entry.packed is None:
            return
        self.resident -= len(entry.packed.text)
        if entry.place is None:
            self.unsaved -= len(entry.packed.text)
        entry.packed = None

    def _without_place(self) -> Iterator[_Entry]:
        for entry in reversed(self._entries):
            if entry.place is not None:
                return
            yield entry

    def _disk_failed(self, error: OSError) -> None:
        self.trouble = f"{error.strerror or error} ({error.filename or 'spool'})"
        self._retry_at = self._monotonic() + DISK_RETRY
