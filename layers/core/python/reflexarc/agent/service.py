"""The agent's life: start, take in, beat, and leave with everything said."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reflexarc.agent import footprint
from reflexarc.agent.courier import Courier
from reflexarc.agent.intake import Intake
from reflexarc.agent.log import AgentLog
from reflexarc.agent.reader import Inbox, Reader
from reflexarc.agent.spool import Spool
from reflexarc.agent.watcher import Watcher
from reflexarc.kernel.errors import Rejected

# How soon a request to stop is noticed; five wake-ups a second cost nothing that can be measured.
_LOOK_SECONDS = 0.2
_LAST_LOOK_SECONDS = 0.02
_JOIN_SECONDS = 1.0
# Metrics are scraped four times a minute at most.
_METRICS_SECONDS = 15.0
# By then every thread has done its first work; later a storm may have left free memory behind.
_SETTLE_SECONDS = 20.0
_TRIM_SECONDS = 600.0
# How much of the time for leaving is kept for what has not been sent yet.
_FAREWELL_SHARE = 0.7


class Unreadable(Rejected):
    """A source cannot be read at all, so there is nothing for an agent to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: what still waits, and whether the disk has it."""

    waiting: int
    on_disk: bool


@dataclass(slots=True, kw_only=True)
class Agent:
    """Runs readers, intake and couriers until it is told to stop or every source has ended."""

    readers: Sequence[Reader]
    inbox: Inbox
    intake: Intake
    couriers: Sequence[Courier]
    spool: Spool
    log: AgentLog
    heartbeat_s: float
    drain_s: float
    watcher: Watcher | None = None
    metrics: Callable[[], None] | None = None
    monotonic: Callable[[], float] = time.monotonic
    _halt: threading.Event = field(default_factory=threading.Event)
    _stopping: bool = False
    _closing: bool = False
    _next_beat: float = 0.0
    _next_disk: float = 0.0
    _next_metrics: float = 0.0
    _next_trim: float | None = None
    _settled: bool = False
    _trouble: str = ""

    def stop(self) -> None:
        """Ask the agent to leave; safe in a signal handler."""
        self._stopping = True

    def run(self) -> Outcome:
        """Live. Raises Unreadable when a source cannot be read at all."""
        threads = [
            threading.Thread(
                target=courier.run,
                args=(lambda: self._closing,),
                name=f"send {courier.lane}",
                daemon=True,
            )
            for courier in self.couriers
        ]
        for thread in threads:
            thread.start()
        for reader in self.readers:
            reader.start(lambda: self._stopping)
        if self.watcher is not None:
            self.watcher.start(self._halt)
        try:
            self._beat()
            while not self._stopping and not all(reader.ended for reader in self.readers):
                self._turn()
            return self._leave()
        finally:
            self._closing = True
            self._halt.set()
            self.spool.nudge()
            for thread in threads:
                thread.join(_JOIN_SECONDS)
            if self.watcher is not None:
                self.watcher.join(_JOIN_SECONDS)
            for reader in self.readers:
                reader.source.close()
            self._write_metrics()
            self.spool.close()

    def _turn(self) -> None:
        """Take one chunk in, or do what is due."""
        now = self.monotonic()
        if now >= self._next_beat:
            self._beat()
        self._take(min(_LOOK_SECONDS, self._next_beat - now))
        self.intake.tick()
        self._watch_disk()
        if now >= self._next_metrics:
            self._next_metrics = now + _METRICS_SECONDS
            self._write_metrics()
        self._stay_small(now)

    def _stay_small(self, now: float) -> None:
        if self._next_trim is None:
            self._next_trim = now + _SETTLE_SECONDS
        elif now >= self._next_trim:
            self._next_trim = now + _TRIM_SECONDS
            (footprint.trim if self._settled else footprint.settle)()
            self._settled = True

    def _beat(self) -> None:
        self._next_beat = self.monotonic() + self.heartbeat_s
        self.intake.heartbeat()

    def _take(self, timeout: float) -> bool:
        try:
            item = self.inbox.get(timeout=max(timeout, 0.001))
        except queue.Empty:
            return False
        self.intake.accept(item)
        return True

    def _write_metrics(self) -> None:
        if self.metrics is not None:
            self.metrics()

    def _watch_disk(self) -> None:
        """Say when the disk fails and when it comes back, and ask it again now and then."""
        now = self.monotonic()
        if now < self._next_disk:
            return
        self._next_disk = now + 1.0
        self.spool.retry_disk()
        trouble = self.spool.report().trouble
        if trouble and not self._trouble:
            self.log.warning(
                "the spool cannot be written: messages wait in memory and a crash loses them; free"
                " space, or name a writable --spool-dir",
                why=trouble,
            )
        elif self._trouble and not trouble:
            self.log.info("the spool can be written again")
        self._trouble = trouble

    def _leave(self) -> Outcome:
        """Take in what was read, say farewell, and wait a while for the queues to have it all."""
        self._stopping = True
        self._halt.set()
        deadline = self.monotonic() + self.drain_s
        while self._still_coming() and self.monotonic() < deadline:
            self._take(_LAST_LOOK_SECONDS)
        while self._take(0):
            pass
        self.intake.finish()
        # The farewell comes last, so that its counters are the final ones if all goes well.
        self._wait_until_sent(_FAREWELL_SHARE * (deadline - self.monotonic()))
        self.intake.heartbeat(farewell=True)
        self._wait_until_sent(deadline - self.monotonic())
        self._closing = True
        self._make_durable()
        failed = [reader for reader in self.readers if reader.gave_up]
        if failed:
            names = ", ".join(f"{each.source.name}: {each.failure}" for each in failed)
            raise Unreadable(f"cannot read {names}")
        return Outcome(waiting=self._waiting(), on_disk=not self.spool.report().trouble)

    def _still_coming(self) -> bool:
        watching = self.watcher is not None and self.watcher.alive
        return watching or any(reader.alive for reader in self.readers)

    def _wait_until_sent(self, seconds: float) -> None:
        self.spool.wait(lambda: not self._waiting(), max(seconds, 0))

    def _waiting(self) -> int:
        return sum(self.spool.waiting(courier.lane) for courier in self.couriers)

    def _make_durable(self) -> None:
        if not self._waiting():
            return
        try:
            self.spool.sync()
        except OSError as error:
            self.log.warning("the spool cannot be synced", why=error)
