"""What waits to be sent, bounded in memory and on disk; readings are shed first, faults last.

At least once: a message is on the disk before its first attempt and leaves when the queue has
accepted it. Where the disk is full or cannot be written, messages wait in memory, bounded, and
sending goes on; what had to be dropped is counted.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from reflexarc.agent.journal import Journal, State
from reflexarc.agent.lane import Lane
from reflexarc.agent.packing import Packed, minted_at
from reflexarc.kernel.errors import Rejected

LaneName = Literal["faults", "readings"]
MEBIBYTE = 1024 * 1024
# Both lanes together, when the disk cannot be used. An agent must stay small whatever happens.
MEMORY_MAX = 16 * MEBIBYTE
_SEGMENTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolState:
    """What waits, for the heartbeat and the log."""

    bytes: int
    oldest_at: datetime | None
    faults_shed: int
    readings_shed: int
    trouble: str


class Spool:
    """Two lanes under one budget and one lock. All methods may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        memory_max: int = MEMORY_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._memory_max = memory_max
        segment_bytes = max(max_bytes // _SEGMENTS, 64 * 1024)
        self._lanes: dict[LaneName, Lane] = {
            "readings": Lane(Journal(folder / "readings", segment_bytes=segment_bytes), monotonic),
            "faults": Lane(Journal(folder / "faults", segment_bytes=segment_bytes), monotonic),
        }
        self._changed = threading.Condition()
        self._lock_fd: int | None = None

    def open(self) -> int:
        """Take over what an earlier process left; return how many bytes of it were damaged.

        Raises Rejected when another agent uses this folder.
        """
        self._lock_folder()
        with self._changed:
            return sum(lane.recover() for lane in self._lanes.values())

    def state(self, name: LaneName) -> State:
        """Return the state last kept with the lane's messages."""
        return self._lanes[name].state

    def put(self, name: LaneName, messages: Sequence[Packed], state: State) -> None:
        """Keep messages, and the state that belongs to them, in one write."""
        with self._changed:
            self._make_room(sum(len(message.text) for message in messages))
            self._lanes[name].put(messages, state)
            self._shed_memory()
            self._changed.notify_all()

    def front(self, name: LaneName, count: int, size: int) -> list[Packed]:
        """Return the messages that are to be sent next."""
        with self._changed:
            return self._lanes[name].front(count, size)

    def settle(self, name: LaneName, ids: Collection[str]) -> None:
        """Forget messages that need not be sent again."""
        with self._changed:
            self._lanes[name].settle(ids)
            self._changed.notify_all()

    def waiting(self, name: LaneName) -> int:
        """Return the number of messages that wait."""
        return len(self._lanes[name])

    def wait(self, ready: Callable[[], bool], timeout: float) -> bool:
        """Sleep until something changed and `ready` holds, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(ready, timeout)

    def nudge(self) -> None:
        """Let every sleeper look again."""
        with self._changed:
            self._changed.notify_all()

    def retry_disk(self) -> None:
        """Try again to write what is in memory alone."""
        with self._changed:
            for lane in self._lanes.values():
                if lane.trouble:
                    lane.save()

    def sync(self) -> None:
        """Make what was written survive the loss of power; slow, and so done outside the lock."""
        with self._changed:
            handles = [lane.journal.sync_handle() for lane in self._lanes.values()]
        for handle in handles:
            if handle is not None:
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def report(self) -> SpoolState:
        """Return what waits and what was lost."""
        with self._changed:
            faults, readings = self._lanes["faults"], self._lanes["readings"]
            oldest = [lane.oldest_id for lane in (faults, readings) if lane.oldest_id]
            return SpoolState(
                bytes=faults.waiting_bytes + readings.waiting_bytes,
                oldest_at=minted_at(min(oldest)) if oldest else None,
                faults_shed=faults.shed,
                readings_shed=readings.shed,
                trouble=faults.trouble or readings.trouble,
            )

    def close(self) -> None:
        """Give files and the folder back."""
        with self._changed:
            for lane in self._lanes.values():
                lane.journal.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _disk_bytes(self) -> int:
        return sum(lane.journal.size for lane in self._lanes.values())

    def _make_room(self, size: int) -> None:
        for lane in self._lanes.values():
            while len(lane) and self._disk_bytes() + size > self._max_bytes:
                before = self._disk_bytes()
                try:
                    lane.shed_oldest_segment()
                except OSError:
                    return
                if self._disk_bytes() >= before:
                    break

    def _shed_memory(self) -> None:
        for lane in self._lanes.values():
            while lane.unsaved and self._unsaved() > self._memory_max:
                lane.shed_oldest_unsaved()

    def _unsaved(self) -> int:
        return sum(lane.unsaved for lane in self._lanes.values())

    def _lock_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError:
            return  # the lanes find out too, say so, and work in memory
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Rejected(
                f"another agent uses the spool {self._folder}: stop it, or give this one its own"
                " folder with --spool-dir"
            ) from error
