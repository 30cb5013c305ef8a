"""Once a second: what do the sensors know, what do the rules make of it, and who must hear it."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reflexarc.agent.addresses import Addresses
from reflexarc.agent.aggregate import Aggregator, Standing
from reflexarc.agent.counters import Counters
from reflexarc.agent.log import AgentLog
from reflexarc.agent.merging import Merger, View
from reflexarc.agent.noticed import Item, Noticed
from reflexarc.agent.ports import Owners, Rules
from reflexarc.agent.sensing import Look, SensorThread
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.gpu_readings import SensorReport
from reflexarc.gpu.watch.model import DriverState, NodeSample, Observation, XidSeen
from reflexarc.kernel.clock import Clock

TICK_SECONDS = 1.0
# The state of the rules goes to the disk with what they find, and this often without.
STATE_SECONDS = 30.0
# Waits for an intake that is busy with a storm. Transitions are few; what is more is a defect.
_WAITING_MAX = 4_096
_DRIVER: dict[str, DriverState] = {
    "ok": "answers",
    "hung": "hung",
    "absent": "absent",
    "failing": "failing",
}
# At the end the intake empties the inbox, so there will be room.
_LAST_WAIT_SECONDS = 1.0
# The sensor whose status is the driver's.
DRIVER_SENSOR = "nvml"
# The sensors that can make an agent useful although the kernel log cannot be read.
GPU_SENSORS = (DRIVER_SENSOR, "dcgm")


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Owns the rules. Hands findings to the inbox and samples to the aggregator; never waits."""

    sensors: Sequence[SensorThread]
    rules: Rules
    aggregator: Aggregator
    inbox: "queue.Queue[Item]"
    counters: Counters
    clock: Clock
    log: AgentLog
    owners: Owners | None = None
    monotonic: Callable[[], float] = time.monotonic
    merger: Merger = field(default_factory=Merger)
    addresses: Addresses = field(default_factory=Addresses)
    sees_gpus: bool = False
    _findings: list[Finding] = field(default_factory=list)
    _xids: list[XidSeen] = field(default_factory=list)
    _state_at: float = 0.0
    _thread: threading.Thread | None = None

    def start(self, stopping: threading.Event) -> None:
        """Begin to watch, and let the sensors begin to look."""
        for sensor in self.sensors:
            sensor.start(stopping)
        self._thread = threading.Thread(
            target=self.run, args=(stopping,), name="watch", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Tell whether there may be more to hand over."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait a while until no sensor reads any more; one that hangs is left behind."""
        deadline = self.monotonic() + timeout
        for sensor in self.sensors:
            sensor.join(max(deadline - self.monotonic(), 0.0))

    def run(self, stopping: threading.Event) -> None:
        """Tick until told to stop. A tick that was missed is not made up for."""
        due = self.monotonic()
        while not stopping.is_set():
            try:
                self.tick()
            except Exception as error:  # noqa: BLE001 - a bug in one rule must not end all watching
                self.log.warning(
                    "the rules on this node fail; the kernel log is still watched",
                    why=f"{type(error).__name__}: {error}",
                )
            now = self.monotonic()
            due += TICK_SECONDS
            if due <= now:
                due = now + TICK_SECONDS
            stopping.wait(due - now)
        self._hand_over(self.monotonic(), wait=_LAST_WAIT_SECONDS)

    def tick(self) -> None:
        """Look once at what the sensors saw since the last tick."""
        now = self.monotonic()
        self._take_in()
        view = self._view(now)
        self.sees_gpus = any(not gpu.lost for gpu in view.gpus)
        sample = NodeSample(
            at=self.clock(),
            seconds=now,
            gpus=view.gpus,
            ports=view.ports,
            driver=self._driver_state(),
        )
        self._findings += self.rules.step(sample)
        self._aggregate(sample, view)
        self.addresses.learn(view.gpus)
        self._hand_over(now)

    def reports(self) -> tuple[SensorReport, ...]:
        """Return how each sensor fares."""
        return tuple(sensor.report() for sensor in self.sensors)

    def _take_in(self) -> None:
        for sensor in self.sensors:
            for look in sensor.take():
                self.counters.samples += 1
                self._xids += look.observation.xids
                if self.owners is not None:
                    self.owners.learn(look.observation)

    def _view(self, now: float) -> View:
        first: Observation | None = None
        others: list[Observation] = []
        for sensor in self.sensors:
            look = sensor.newest
            if look is None or not _fresh(look, sensor, now):
                continue
            if sensor.name == DRIVER_SENSOR:
                first = look.observation
            else:
                others.append(look.observation)
        return self.merger.merge(first, others)

    def _driver_state(self) -> DriverState:
        for sensor in self.sensors:
            if sensor.name == DRIVER_SENSOR:
                return _DRIVER.get(sensor.report().status, "off")
        return "off"

    def _aggregate(self, sample: NodeSample, view: View) -> None:
        devices = {gpu.device for gpu in sample.gpus} | self.addresses.uuids.keys()
        standing = {
            device: Standing(
                health=self.rules.health(device),
                active=self.rules.active(device),
                job=None if self.owners is None else self.owners.of_device(device),
            )
            for device in devices
        }
        self.aggregator.look(
            sample,
            standing=standing,
            busy=frozenset() if self.owners is None else self.owners.busy(),
            vitals=view.vitals,
            driver=view.driver,
        )

    def _hand_over(self, now: float, *, wait: float = 0.0) -> None:
        """Give the intake what it should know, or keep it until there is room."""
        state_due = now - self._state_at >= STATE_SECONDS
        if not self._findings and not self._xids and not state_due:
            return
        noticed = Noticed(
            findings=tuple(self._findings[:_WAITING_MAX]),
            xids=tuple(self._xids[:_WAITING_MAX]),
            rules=self.rules.snapshot(),
            uuids=dict(self.addresses.uuids),
        )
        try:
            self.inbox.put(noticed, block=wait > 0, timeout=wait or None)
        except queue.Full:
            if max(len(self._findings), len(self._xids)) > _WAITING_MAX:
                self.log.warning("the intake is stuck; findings are lost")
            del self._findings[_WAITING_MAX:]
            del self._xids[_WAITING_MAX:]
            return
        self._findings.clear()
        self._xids.clear()
        self._state_at = now


def _fresh(look: Look, sensor: SensorThread, now: float) -> bool:
    return now - look.seconds <= sensor.good_for_s
