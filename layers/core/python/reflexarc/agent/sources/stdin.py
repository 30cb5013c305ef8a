"""Fills LineSource with standard input, or any other stream that ends."""

import os
import select

from reflexarc.agent.lines import Chunk, Line
from reflexarc.agent.sources.cutter import LineCutter
from reflexarc.kernel.clock import Clock

_READ = 64 * 1024


class StreamSource:
    """Reads a stream to its end. A stream cannot be read twice, so nothing is kept of it."""

    name = "stdin"

    def __init__(self, *, clock: Clock, fd: int = 0) -> None:
        self._clock = clock
        self._fd = fd
        self._cutter = LineCutter()

    def read(self, timeout: float) -> Chunk | None:
        """Return the lines that came; the last chunk has `ended`."""
        readable, _, _ = select.select([self._fd], [], [], timeout)
        if not readable:
            return None
        data = os.read(self._fd, _READ)
        lines = self._cutter.feed(data) if data else self._cutter.finish()
        if not lines and data:
            return None
        at = self._clock()
        return Chunk(
            source=self.name,
            lines=tuple(Line(text=text, at=at) for text in lines),
            ended=not data,
        )

    def close(self) -> None:
        """Leave the stream to whoever opened it."""
