"""Reads one source in a thread of its own, so that none can stall another."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from reflexarc.agent.log import AgentLog
from reflexarc.agent.noticed import Item
from reflexarc.agent.ports import LineSource

# Chunks that may wait for the intake, each of some hundred lines. When it falls behind, a source is
# read later: the kernel and files keep what was not read.
INBOX_MAX = 64
_READ_SECONDS = 0.5
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 0.2
# How long a sensor may take to show whether the agent can do without the source.
_GRACE_SECONDS = 10.0
_WITHOUT_IT_SECONDS = 30.0

Inbox = queue.Queue[Item]


# Whether something else is read too; None while that is not known yet.
Others = Callable[[], bool | None]


@dataclass(slots=True, kw_only=True)
class Reader:
    """Hands a source's chunks to the inbox. `failure` says why a source cannot be read at all.

    A source that cannot be read from the start is given up where it is the only one. Where `others`
    are read, the agent says what it lacks, goes on, and asks the source again now and then.
    """

    source: LineSource
    inbox: Inbox
    log: AgentLog
    give_up: bool = False
    others: Others = lambda: False
    monotonic: Callable[[], float] = time.monotonic
    failure: OSError | None = None
    gave_up: bool = False
    ended: bool = False
    ever_read: bool = False
    _failing_since: float | None = None
    _thread: threading.Thread | None = None

    def start(self, stopped: Callable[[], bool]) -> None:
        """Begin to read."""
        self._thread = threading.Thread(
            target=self.run, args=(stopped,), name=f"read {self.source.name}", daemon=True
        )
        self._thread.start()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Read until told to stop, until the source ends, or until it proves unreadable."""
        while not self.ended:
            stopping = stopped()
            try:
                chunk = self.source.read(0 if stopping else _READ_SECONDS)
            except OSError as error:
                pause = self._pause_after(error)
                if pause is None:
                    self.gave_up = True
                    break
                self._wait(pause, stopped)
                chunk = None
            else:
                self.ever_read = True
                self.failure = None
            if chunk is not None:
                self.ended = chunk.ended
                self.inbox.put(chunk)
            if stopping:
                break
        self.ended = True

    def _pause_after(self, error: OSError) -> float | None:
        """Return the seconds until the source is asked again; None to give it up."""
        if self.ever_read and not self.give_up:
            self.log.warning("a source cannot be read", source=self.source.name, why=error)
            return _RETRY_SECONDS
        self.failure = error
        now = self.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        others = None if self.give_up else self.others()
        if others:
            self.log.warning(
                "a source cannot be read: faults that only it shows are missed; run as root or"
                " grant CAP_SYSLOG to read /dev/kmsg",
                source=self.source.name,
                why=error,
            )
            return _WITHOUT_IT_SECONDS
        early = now - self._failing_since < _GRACE_SECONDS
        return _LOOK_SECONDS if others is None and not self.give_up and early else None

    def _wait(self, seconds: float, stopped: Callable[[], bool]) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until and not stopped():
            time.sleep(min(_LOOK_SECONDS, seconds))

    @property
    def alive(self) -> bool:
        """Tell whether the thread still reads."""
        return self._thread is not None and self._thread.is_alive()
