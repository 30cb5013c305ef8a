"""Repeats of one fault fold into exact counts; the first occurrence never waits.

Pure: time is an argument. The first occurrence of a key leaves at once and opens a window. What
repeats inside the window is counted and leaves as one fault when the window ends; then the next
window is twice as long, up to a limit. A window in which nothing repeated closes the key. So a
fault that repeats for ever costs one message a minute, whatever its rate, and the counts of the
faults that leave add up to the lines that came in.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reflexarc.agent.lines import Line
from reflexarc.events.gpu_faults import LINE_MAX, Fault

FIRST_WINDOW = 5.0
LONGEST_WINDOW = 60.0
# A node has some tens of devices and some hundreds of codes; more keys than this are noise that
# must not grow without bound.
CAPACITY = 4_096


@dataclass(slots=True)
class _Repeats:
    """What repeated since the key's last fault left."""

    due: float
    window: float
    count: int = 0
    line: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None
    kernel_seq: int | None = None

    def add(self, line: Line) -> None:
        if not self.count:
            self.line = line.text[:LINE_MAX]
            self.first_at = line.at
            self.kernel_seq = line.kernel_seq
        self.last_at = line.at
        self.count += 1

    def take(self) -> Fault | None:
        """Return the repeats as one fault and begin to count anew."""
        if not self.count or self.first_at is None:
            return None
        fault = Fault(
            line=self.line,
            observed_at=self.first_at,
            last_at=self.last_at if self.count > 1 else None,
            count=self.count,
            kernel_seq=self.kernel_seq,
        )
        self.count = 0
        return fault


class Collapser:
    """Counts what repeats; every method returns the faults that are to leave now."""

    def __init__(
        self,
        *,
        first_window: float = FIRST_WINDOW,
        longest_window: float = LONGEST_WINDOW,
        capacity: int = CAPACITY,
    ) -> None:
        self._first = first_window
        self._longest = longest_window
        self._capacity = capacity
        self._open: dict[str, _Repeats] = {}
        self._next_due = math.inf

    def observe(self, key: str, line: Line, now: float) -> list[Fault]:
        """Take one fault line in: a first occurrence comes back, a repeat is counted."""
        if repeats := self._open.get(key):
            repeats.add(line)
            return []
        leaving = self._make_room()
        self._begin(key, self._first, now)
        leaving.append(
            Fault(line=line.text[:LINE_MAX], observed_at=line.at, kernel_seq=line.kernel_seq)
        )
        return leaving

    def due(self, now: float) -> list[Fault]:
        """Return the repeats of every window that has ended."""
        if now < self._next_due:
            return []
        leaving: list[Fault] = []
        for key, repeats in list(self._open.items()):
            if repeats.due > now:
                continue
            if fault := repeats.take():
                leaving.append(fault)
                repeats.window = min(repeats.window * 2, self._longest)
                repeats.due = now + repeats.window
            else:
                del self._open[key]
        self._next_due = min((each.due for each in self._open.values()), default=math.inf)
        return leaving

    def drain(self) -> list[Fault]:
        """Return all repeats and forget every key: for a planned end."""
        leaving = [fault for repeats in self._open.values() if (fault := repeats.take())]
        self._open.clear()
        self._next_due = math.inf
        return leaving

    def snapshot(self) -> list[dict[str, object]]:
        """Return what is counted and has not left yet, for the disk."""
        return [
            {
                "key": key,
                "line": repeats.line,
                "count": repeats.count,
                "first_at": repeats.first_at.isoformat(),
                "last_at": repeats.last_at.isoformat(),
                "kernel_seq": repeats.kernel_seq,
            }
            for key, repeats in self._open.items()
            if repeats.count and repeats.first_at and repeats.last_at
        ]

    def restore(self, snapshot: Iterable[Mapping[str, object]], now: float) -> None:
        """Go on counting where an earlier process stopped."""
        for saved in snapshot:
            # All of it is understood before any of it counts.
            seq = saved["kernel_seq"]
            line, count = str(saved["line"]), int(str(saved["count"]))
            first, last = (
                datetime.fromisoformat(str(saved[each])) for each in ("first_at", "last_at")
            )
            number = None if seq is None else int(str(seq))
            repeats = self._begin(str(saved["key"]), self._first, now)
            repeats.line, repeats.count, repeats.kernel_seq = line, count, number
            repeats.first_at, repeats.last_at = first, last

    def _begin(self, key: str, window: float, now: float) -> _Repeats:
        repeats = self._open[key] = _Repeats(due=now + window, window=window)
        self._next_due = min(self._next_due, repeats.due)
        return repeats

    def _make_room(self) -> list[Fault]:
        """Close the oldest key when there are too many; what it counted leaves early."""
        if len(self._open) < self._capacity:
            return []
        fault = self._open.pop(next(iter(self._open))).take()
        return [fault] if fault else []
