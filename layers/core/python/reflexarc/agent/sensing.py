"""Runs one sensor in a thread of its own: whatever it does, nothing else waits for it.

A sensor may hang in the driver, be missing, or have a bug. Each of these is a status with words,
seen from outside, and never the end of the agent.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from reflexarc.agent.log import AgentLog
from reflexarc.agent.ports import Sensor
from reflexarc.events.gpu_readings import SensorReport, SensorStatus
from reflexarc.gpu.watch.model import Observation
from reflexarc.kernel.errors import Rejected, Unavailable

# NVML answers in milliseconds, tens of them under load; a call that takes longer than this waits
# for a GPU that does not answer.
HUNG_SECONDS = 5.0
ABSENT_SECONDS = 60.0
LONGEST_PAUSE = 30.0
# A sensor whose read itself waits is never asked more often than this, whatever it does.
_LEAST_PAUSE = 0.01
_FIRST_BACKOFF = 1.0
# Observations that wait for the watcher, which looks once a second.
_PENDING_MAX = 256
_SAYS_MAX = 500
_NOT_READ_YET = "not read yet"


@dataclass(frozen=True, slots=True)
class Look:
    """One observation and when it was complete, on the monotonic clock."""

    observation: Observation
    seconds: float


@dataclass(slots=True, kw_only=True)
class SensorThread:
    """Looks through one sensor again and again, and tells how it fares."""

    sensor: Sensor
    log: AgentLog
    monotonic: Callable[[], float] = time.monotonic
    newest: Look | None = None
    reads: int = 0
    failures_ever: int = 0
    _status: SensorStatus = "off"
    _says: str = _NOT_READ_YET
    _failures: int = 0
    _reading_since: float | None = None
    _told_hung: bool = False
    _pending: deque[Look] = field(default_factory=lambda: deque(maxlen=_PENDING_MAX))
    _thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Return the sensor's name."""
        return self.sensor.name

    @property
    def alive(self) -> bool:
        """Tell whether the thread still runs; a hung one does."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def good_for_s(self) -> float:
        """Return for how many seconds what was read may stand for the present."""
        return max(5.0, 3 * self.sensor.interval_s)

    def start(self, stopping: threading.Event) -> None:
        """Begin to look. The thread is a daemon: a hung read does not keep the process."""
        self._thread = threading.Thread(
            target=self.run, args=(stopping,), name=f"sense {self.name}", daemon=True
        )
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait a while for the end of a look that is under way."""
        if self._thread is not None:
            self._thread.join(timeout)

    def run(self, stopping: threading.Event) -> None:
        """Look until told to stop, then give back what the sensor holds."""
        due = self.monotonic()
        try:
            while not stopping.is_set():
                pause = self.look()
                # From one due time to the next, so that looks do not drift; what was missed while
                # a read hung or the machine slept is not made up for.
                due = max(due + pause, self.monotonic() + _LEAST_PAUSE)
                stopping.wait(due - self.monotonic())
        finally:
            self._close()

    def look(self) -> float:
        """Read once; return the seconds until the next look is due."""
        self._reading_since = self.monotonic()
        try:
            observation = self.sensor.read()
        except Rejected as error:
            self._fared("absent", str(error))
            return ABSENT_SECONDS
        except Unavailable as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one sensor must not silence the others
            return self._failed(f"unexpected {type(error).__name__}: {error}")
        finally:
            self._reading_since = None
        look = Look(observation, self.monotonic())
        self.newest = look
        self._pending.append(look)
        self.reads += 1
        self._failures = 0
        self._fared("ok", self._remarks())
        return self.sensor.interval_s

    def take(self) -> list[Look]:
        """Return what was seen since the last call, oldest first."""
        taken = []
        while self._pending:
            taken.append(self._pending.popleft())
        return taken

    def report(self) -> SensorReport:
        """Return how the sensor fares now; may be called while it hangs."""
        since = self._reading_since
        silent = 0.0 if since is None else self.monotonic() - since
        if silent <= HUNG_SECONDS:
            self._told_hung = False
            return SensorReport(name=self.name, status=self._status, says=self._says)
        says = f"a read has not returned for {silent:.0f} s"
        if not self._told_hung:
            self._told_hung = True
            self.log.warning("a sensor hangs; the others go on", sensor=self.name)
        return SensorReport(name=self.name, status="hung", says=says)

    def _failed(self, why: str) -> float:
        self._failures += 1
        self.failures_ever += 1
        self._fared("failing", why)
        first = self.sensor.interval_s or _FIRST_BACKOFF
        return max(first, min(first * (1 << min(self._failures - 1, 10)), LONGEST_PAUSE))

    def _fared(self, status: SensorStatus, says: str) -> None:
        if status != self._status:
            if status == "failing":
                self.log.warning("a sensor fails", sensor=self.name, why=says)
            elif status == "absent":
                self.log.info("a sensor has nothing to read here", sensor=self.name, why=says)
            elif self._says != _NOT_READ_YET:
                self.log.info("a sensor reads again", sensor=self.name)
        self._says = says[:_SAYS_MAX]
        self._status = status

    def _remarks(self) -> str:
        """Return what the sensor has to say although it reads: a field too old a driver lacks."""
        remarks = getattr(self.sensor, "remarks", None)
        try:
            return "; ".join(remarks()) if remarks is not None else ""
        except Exception as error:  # noqa: BLE001 - as in look()
            return f"its remarks fail: {type(error).__name__}: {error}"

    def _close(self) -> None:
        try:
            self.sensor.close()
        except Exception as error:  # noqa: BLE001 - the agent is leaving; nothing else depends on it
            self.log.warning("a sensor cannot be closed", sensor=self.name, why=error)
