"""One lane's messages on disk: appended, acknowledged, deleted by whole segments.

Guarantees, and what they rest on:
* A message that `put` returned for survives kill -9 of the process (it is in the page cache), and
  after `sync` also the loss of power. A torn last record is skipped at the next start.
* `state` is kept by the same write as the messages that belong to it.
* Every segment begins with the state and the acknowledgements so far, so older ones can go.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reflexarc.agent.frames import Frame, frame, scan
from reflexarc.agent.packing import Packed

State = Mapping[str, Any]
_SUFFIX = ".seg"


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the disk a message stands: its record, and its index among that record's."""

    segment: int
    offset: int
    length: int
    index: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message on the disk that nobody acknowledged: its number, size and place."""

    number: int
    id: str
    faults: int
    size: int
    place: Place


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an earlier process left: its last state and the messages not acknowledged."""

    state: State = field(default_factory=dict)
    waiting: tuple["Waiting", ...] = ()
    damaged_bytes: int = 0


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int = 0
    last: int = 0


class Journal:
    """Append-only segments in one folder. Messages are numbered; a number is never used twice."""

    def __init__(self, folder: Path, *, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments: dict[int, _Segment] = {}
        self._fd: int | None = None
        self._state: State = {}
        self._acknowledged = 0
        self.last_number = 0

    @property
    def size(self) -> int:
        """Return the size of all segments together."""
        return sum(segment.size for segment in self._segments.values())

    def recover(self) -> Recovered:
        """Read what is on the disk; raises OSError when the folder cannot be used."""
        self._folder.mkdir(parents=True, exist_ok=True)
        waiting: list[Waiting] = []
        damaged = 0
        names = [path.stem for path in self._folder.glob(f"*{_SUFFIX}")]
        for number in sorted(int(name) for name in names if name.isdecimal()):
            path = self._path(number)
            data = path.read_bytes()
            self._segments[number] = _Segment(path, size=len(data))
            intact = 0
            for found in scan(data):
                try:
                    waiting.extend(self._replay(number, found))
                except (ValueError, TypeError, AttributeError):
                    continue
                intact += found.length
            damaged += len(data) - intact
        return Recovered(
            state=self._state,
            waiting=tuple(each for each in waiting if each.number > self._acknowledged),
            damaged_bytes=damaged,
        )

    def put(self, messages: Sequence[tuple[int, Packed]], state: State) -> list[Place]:
        """Keep the messages and the state in one write; raises OSError with nothing kept."""
        self._state = state
        record = {
            "put": [[number, each.id, each.faults, each.text] for number, each in messages],
            "state": state,
        }
        segment, offset, length = self._append(record)
        if messages:
            self._segments[segment].last = max(number for number, _ in messages)
            self.last_number = max(self.last_number, self._segments[segment].last)
        return [Place(segment, offset, length, index) for index in range(len(messages))]

    def acknowledge(self, number: int) -> None:
        """Note that all messages up to this number are settled, and delete what only they need."""
        self._acknowledged = max(self._acknowledged, number)
        self._forget(upto=self._acknowledged)
        self._append({"ack": self._acknowledged})

    def load(self, place: Place) -> Packed:
        """Read one message back; raises OSError or ValueError when the disk lost it."""
        with self._path(place.segment).open("rb") as file:
            file.seek(place.offset)
            data = file.read(place.length)
        found = next(scan(data), None)
        if found is None:
            raise ValueError(f"the record at {place} is damaged")
        _, message_id, faults, text = json.loads(found.payload)["put"][place.index]
        return Packed(id=message_id, text=text, faults=faults)

    def drop_oldest(self) -> int:
        """Delete the oldest segment to make room; return the last message number it held."""
        if not self._segments:
            return 0
        oldest = min(self._segments)
        if len(self._segments) == 1 and self._fd is not None:
            self._rotate()
        dropped = self._segments.pop(oldest)
        dropped.path.unlink(missing_ok=True)
        self._acknowledged = max(self._acknowledged, dropped.last)
        return dropped.last

    def sync_handle(self) -> int | None:
        """Return a duplicate handle to fsync and close, outside of any lock; None if none."""
        return None if self._fd is None else os.dup(self._fd)

    def close(self) -> None:
        """Close the active segment; the next write begins a new one."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, record: Mapping[str, Any]) -> tuple[int, int, int]:
        data = frame(_encode(record))
        active = self._active(len(data))
        segment = self._segments[active]
        offset = segment.size
        self._write(segment, data)
        return active, offset, len(data)

    def _active(self, room: int) -> int:
        """Return the number of the segment to write to, beginning a new one when it is time."""
        if self._fd is None or self._segments[max(self._segments)].size + room > self._limit(room):
            self._rotate()
        return max(self._segments)

    def _limit(self, room: int) -> int:
        # A record larger than a whole segment still has to go somewhere: into one of its own.
        return max(self._segment_bytes, room + 1)

    def _rotate(self) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        number = max(self._segments, default=0) + 1
        path = self._path(number)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        segment = _Segment(path)
        record = {"put": [], "state": self._state, "ack": self._acknowledged}
        try:
            self._write(segment, frame(_encode(record)))
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._segments[number] = segment
        self._forget(upto=self._acknowledged)

    def _write(self, segment: _Segment, data: bytes) -> None:
        """Write all of it or raise; what a failed write left behind is skipped when read."""
        if self._fd is None:  # pragma: no cover - _active opened it
            raise OSError("no segment is open")
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            segment.size = os.fstat(self._fd).st_size
            self.close()
            raise
        segment.size += len(data)

    def _forget(self, upto: int) -> None:
        """Delete settled segments; the newest stays, it carries the state."""
        for number in sorted(self._segments)[:-1]:
            if self._segments[number].last <= upto:
                self._segments.pop(number).path.unlink(missing_ok=True)

    def _replay(self, number: int, found: Frame) -> list[Waiting]:
        record = json.loads(found.payload)
        waiting = [
            Waiting(
                each,
                message_id,
                faults,
                len(text),
                Place(number, found.offset, found.length, index),
            )
            for index, (each, message_id, faults, text) in enumerate(record.get("put", []))
        ]
        self._state = record.get("state", self._state)
        self._acknowledged = max(self._acknowledged, record.get("ack", 0))
        last = max((each.number for each in waiting), default=0)
        self._segments[number].last = max(self._segments[number].last, last)
        self.last_number = max(self.last_number, last, self._acknowledged)
        return waiting

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010d}{_SUFFIX}"


def _encode(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode()
