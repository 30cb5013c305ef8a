"""Fills LineSource with a file: followed through rotation and truncation, and over restarts."""

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reflexarc.agent.lines import Chunk, Cursor, Line
from reflexarc.agent.sources.cutter import LineCutter
from reflexarc.agent.sources.watch import FileWatch
from reflexarc.kernel.clock import Clock

Start = Literal["resume", "start", "end"]
_READ = 64 * 1024
# The front of a file tells it from another one that got the same inode.
_HEAD = 256
# A logger may write to the renamed file until it is told to reopen; logrotate does that at once.
_LINGER = 5.0
# How long a wait may last before the path is looked at all the same.
_LOOK = 0.25
# Marks the part of a cursor that belongs to a file that was renamed a moment ago.
_OLD = "old_"


@dataclass(slots=True)
class _Open:
    """One file that is being read."""

    fd: int
    offset: int = 0
    cutter: LineCutter = field(default_factory=LineCutter)

    @property
    def inode(self) -> tuple[int, int]:
        status = os.fstat(self.fd)
        return status.st_dev, status.st_ino

    def lines(self) -> list[str]:
        """Return the next lines; none only at the end of the file."""
        if os.fstat(self.fd).st_size < self.offset:
            self.offset = 0  # somebody emptied it
            self.cutter = LineCutter()
        while data := os.pread(self.fd, _READ, self.offset):
            self.offset += len(data)
            if lines := self.cutter.feed(data):
                return lines
        return []

    def cursor(self) -> Cursor:
        device, inode = self.inode
        offset = self.offset - self.cutter.held
        return {"dev": device, "ino": inode, "offset": offset, "head": self.head(offset)}

    def head(self, offset: int) -> int:
        return zlib.crc32(os.pread(self.fd, min(offset, _HEAD), 0))

    def go_to(self, cursor: Cursor, prefix: str = "") -> bool:
        """Go to where the cursor points; False if it was made for another file."""
        offset = int(cursor[f"{prefix}offset"])
        same = self.inode == (cursor[f"{prefix}dev"], cursor[f"{prefix}ino"])
        if not same or os.fstat(self.fd).st_size < offset:
            return False
        if self.head(offset) != cursor[f"{prefix}head"]:
            return False
        self.offset = offset
        return True


class FileSource:
    """Reads a file line by line, like `tail -F`, from where an earlier process stopped."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        start: Start = "resume",
        cursor: Cursor | None = None,
        follow: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"file:{path}"
        self._path = path
        self._clock = clock
        self._follow = follow
        self._monotonic = monotonic
        self._current: _Open | None = None
        self._retired: list[tuple[float, _Open]] = []
        self._told = False
        self._watch = FileWatch(path) if follow else None
        self._begin(start, cursor if start == "resume" else None)

    def read(self, timeout: float) -> Chunk | None:
        """Return the lines that came; raises OSError when the file cannot be opened."""
        deadline = self._monotonic() + timeout
        while True:
            chunk = self._take()
            left = deadline - self._monotonic()
            if chunk is not None or left <= 0 or self._watch is None:
                return chunk
            self._watch.wait(min(left, _LOOK))

    def close(self) -> None:
        """Close the file and the watch."""
        for each in (*(old for _, old in self._retired), self._current):
            if each is not None:
                os.close(each.fd)
        self._retired.clear()
        self._current = None
        if self._watch is not None:
            self._watch.close()

    def _begin(self, start: Start, cursor: Cursor | None) -> None:
        """Open the file if there is one; a file that appears later is read from its start."""
        if cursor and "old_ino" in cursor:
            self._resume_renamed(cursor, _OLD)
        try:
            self._current = _open(self._path)
        except FileNotFoundError:
            if cursor:
                self._resume_renamed(cursor)
            return
        if cursor:
            if not self._current.go_to(cursor):
                self._resume_renamed(cursor)
        elif start != "start":
            self._current.offset = os.fstat(self._current.fd).st_size

    def _resume_renamed(self, cursor: Cursor, prefix: str = "") -> None:
        """Find the file that was renamed while nobody read it, to read its rest first."""
        wanted = (cursor[f"{prefix}dev"], cursor[f"{prefix}ino"])
        for path in self._path.parent.glob(f"{self._path.name}?*"):
            status = path.stat()
            if (status.st_dev, status.st_ino) != wanted:
                continue
            old = _open(path)
            if old.go_to(cursor, prefix):
                self._retired.append((self._monotonic() + _LINGER, old))
            else:
                os.close(old.fd)

    def _take(self) -> Chunk | None:
        if self._current is None and not self._reopen() and not self._retired:
            return None
        lines = self._old_lines()
        current = self._current
        if not lines and current is not None:
            lines = current.lines()
        if lines and self._watch is not None:
            self._watch.found()
        if not lines and self._follow:
            # The place where a first start begins is news as well: a restart must not begin later.
            new = not self._told or (self._replaced() and self._reopen())
            return self._chunk([]) if new else None
        ended = not lines
        if ended and current is not None:
            lines = current.cutter.finish()
        return self._chunk(lines, ended=ended)

    def _chunk(self, lines: list[str], *, ended: bool = False) -> Chunk:
        self._told = True
        at = self._clock()
        cursor = dict(self._current.cursor()) if self._current else {}
        if self._retired:
            renamed = self._retired[-1][1].cursor()
            cursor |= {f"{_OLD}{key}": value for key, value in renamed.items()}
        return Chunk(
            source=self.name,
            lines=tuple(Line(text=text, at=at) for text in lines),
            cursor=cursor,
            ended=ended,
        )

    def _old_lines(self) -> list[str]:
        for until, old in list(self._retired):
            if lines := old.lines():
                return lines
            if self._monotonic() > until:
                os.close(old.fd)
                self._retired.remove((until, old))
        return []

    def _replaced(self) -> bool:
        """Tell whether another file stands at the path now."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        return self._current is None or self._current.inode != (status.st_dev, status.st_ino)

    def _reopen(self) -> bool:
        """Open what stands at the path, keeping the old file for a while; False if nothing does."""
        try:
            opened = _open(self._path)
        except FileNotFoundError:
            if not self._follow:
                raise
            return False
        if self._current is not None:
            self._retired.append((self._monotonic() + _LINGER, self._current))
        self._current = opened
        if self._watch is not None:
            self._watch.renew()
        return True


def _open(path: Path) -> _Open:
    return _Open(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
