"""Reads one source in a thread of its own, so that none can stall another."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from reflexarc.agent.lines import Chunk
from reflexarc.agent.log import AgentLog
from reflexarc.agent.ports import LineSource

# Chunks that may wait for the intake, each of some hundred lines. When it falls behind, a source is
# read later: the kernel and files keep what was not read.
INBOX_MAX = 64
_READ_SECONDS = 0.5
_RETRY_SECONDS = 1.0

Inbox = queue.Queue[Chunk]


@dataclass(slots=True, kw_only=True)
class Reader:
    """Hands a source's chunks to the inbox. `failure` says why a source cannot be read at all."""

    source: LineSource
    inbox: Inbox
    log: AgentLog
    give_up: bool = False
    failure: OSError | None = None
    ended: bool = False
    _thread: threading.Thread | None = None

    def start(self, stopped: Callable[[], bool]) -> None:
        """Begin to read."""
        self._thread = threading.Thread(
            target=self.run, args=(stopped,), name=f"read {self.source.name}", daemon=True
        )
        self._thread.start()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Read until told to stop, until the source ends, or until it proves unreadable."""
        ever_read = False
        while not self.ended:
            stopping = stopped()
            try:
                chunk = self.source.read(0 if stopping else _READ_SECONDS)
            except OSError as error:
                if self.give_up or not ever_read:
                    self.failure = error
                    break
                self.log.warning("a source cannot be read", source=self.source.name, why=error)
                time.sleep(_RETRY_SECONDS)
                chunk = None
            else:
                ever_read = True
            if chunk is not None:
                self.ended = chunk.ended
                self.inbox.put(chunk)
            if stopping:
                break
        self.ended = True

    @property
    def alive(self) -> bool:
        """Tell whether the thread still reads."""
        return self._thread is not None and self._thread.is_alive()
