"""Fills LineSource with the kernel's log: every record once, over restarts of the agent."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, Protocol

from reflexarc.adapters.kmsg.device import KernelLog, Overwritten
from reflexarc.adapters.kmsg.record import KernelRecord, parse_record
from reflexarc.agent.lines import Chunk, Cursor, Line
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected

Start = Literal["resume", "start", "end"]
_CHUNK = 512
# An agent without a memory of this node takes what broke just now, such as during the boot, and
# leaves alone what somebody has had time to deal with.
RECENT = timedelta(minutes=10)
# The kernel's own clock drifts against ours over months of uptime; fresh records get our time.
_FRESH = 2.0


class Records(Protocol):
    """The part of the kernel log that this source uses."""

    def skip_to_end(self) -> None:
        """Go past everything logged so far."""

    def read(self) -> bytes | None:
        """Return the next record, or None when there is none yet; raises Overwritten."""

    def wait(self, timeout: float) -> None:
        """Return as soon as a record can be read, or after this many seconds."""

    def close(self) -> None:
        """Give the device back."""


class KernelSource:
    """Reads the kernel's log from where an earlier process of the same boot stopped."""

    name = "kmsg"

    def __init__(
        self,
        *,
        boot_id: str,
        clock: Clock,
        start: Start = "resume",
        cursor: Cursor | None = None,
        follow: bool = True,
        open_log: Callable[[], Records] = KernelLog,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boot_id = boot_id
        self._clock = clock
        self._follow = follow
        self._open_log = open_log
        self._monotonic = monotonic
        self._log: Records | None = None
        self._from_end = start == "end"
        resumed = start == "resume" and cursor is not None and cursor.get("boot") == boot_id
        self._seq = int(cursor["seq"]) if resumed and cursor else None
        first_run = start == "resume" and cursor is None
        self._oldest_age = RECENT.total_seconds() if first_run else None

    def read(self, timeout: float) -> Chunk | None:
        """Return the records that came; raises OSError when the log cannot be opened."""
        try:
            log = self._log or self._open()
            lines, lost = self._take(log)
            if not lines and not lost and self._follow:
                log.wait(timeout)
                lines, lost = self._take(log)
        except OSError:
            self.close()
            raise
        ended = not self._follow and len(lines) < _CHUNK
        if not lines and not lost and not ended:
            return None
        return Chunk(
            source=self.name,
            lines=tuple(lines),
            cursor={} if self._seq is None else {"boot": self._boot_id, "seq": self._seq},
            kernel_lost=lost,
            ended=ended,
        )

    def close(self) -> None:
        """Close the device; the next read opens it anew and goes on where it stopped."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _open(self) -> Records:
        self._log = self._open_log()
        if self._from_end:
            self._log.skip_to_end()
            self._from_end = False
        return self._log

    def _take(self, log: Records) -> tuple[list[Line], int]:
        lines: list[Line] = []
        lost = 0
        while len(lines) < _CHUNK:
            try:
                raw = log.read()
            except Overwritten:
                continue  # the next record's number tells how many are gone
            if raw is None:
                break
            try:
                record = parse_record(raw)
            except Rejected:
                continue
            if self._seq is not None and record.seq <= self._seq:
                continue
            if self._seq is not None:
                lost += record.seq - self._seq - 1
            self._seq = record.seq
            if line := self._line(record):
                lines.append(line)
        return lines, lost

    def _line(self, record: KernelRecord) -> Line | None:
        age = self._monotonic() - record.usec / 1e6
        if self._oldest_age is not None and age > self._oldest_age:
            return None
        now = self._clock()
        return Line(
            text=record.text,
            at=now if age < _FRESH else now - timedelta(seconds=age),
            kernel_seq=record.seq,
            from_kernel=record.from_kernel,
        )
