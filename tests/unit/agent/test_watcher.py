import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reflexarc.agent.aggregate import Aggregator
from reflexarc.agent.counters import Counters
from reflexarc.agent.log import AgentLog
from reflexarc.agent.noticed import Item, Noticed
from reflexarc.agent.sensing import SensorThread
from reflexarc.agent.watcher import Watcher
from reflexarc.events.gpu_faults import Finding, Job
from reflexarc.events.gpu_readings import Health
from reflexarc.gpu.watch.model import GpuSample, NodeSample, Observation, XidSeen
from reflexarc.kernel.errors import ReflexError, Rejected, Unavailable
from tests.agent.fakes import NOW, Time

A = "0000:3b:00"
HOT = Finding(rule="thermal/limit", device=A, severity="critical", says="hot", observed_at=NOW)
XID = XidSeen(witness="nvml", device=A, code=79, at=NOW)


@dataclass
class FakeRules:
    """Finds what it is told to find, and keeps the samples."""

    samples: list[NodeSample] = field(default_factory=list)
    finds: list[Finding] = field(default_factory=list)
    broken: Exception | None = None

    def step(self, sample: NodeSample) -> Sequence[Finding]:
        self.samples.append(sample)
        if self.broken is not None:
            raise self.broken
        found, self.finds = self.finds, []
        return found

    def snapshot(self) -> Mapping[str, Any]:
        return {"steps": len(self.samples)}

    def active(self, device: str) -> tuple[str, ...]:
        return (f"thermal/limit {device}",)

    def health(self, device: str) -> Health:
        return "critical" if device == A else "ok"


@dataclass
class FakeOwners:
    """One job holds the device."""

    learned: list[Observation] = field(default_factory=list)

    def of_process(self, pid: int) -> tuple[str, Job | None]:
        return f"process {pid}", None

    def of_device(self, device: str, gpu_instance: int | None = None) -> Job | None:
        return Job(id=f"{device} {gpu_instance}")

    def busy(self) -> frozenset[str]:
        return frozenset({A})

    def learn(self, observation: Observation) -> None:
        self.learned.append(observation)


@dataclass
class FakeSensor:
    """Shows what the test put into `now`."""

    name: str
    now: Observation | ReflexError
    interval_s: float = 1.0

    def read(self) -> Observation:
        if isinstance(self.now, ReflexError):
            raise self.now
        return self.now

    def close(self) -> None:
        """Nothing is held."""


class Bench:
    """A watcher over sensors that look when the test says so."""

    def __init__(self, *sensors: FakeSensor, room: int = 8) -> None:
        self.time = Time()
        self.written: list[str] = []
        self.rules = FakeRules()
        self.owners = FakeOwners()
        self.inbox: queue.Queue[Item] = queue.Queue(maxsize=room)
        log = AgentLog(write=self.written.append, monotonic=self.time.monotonic)
        self.threads = [
            SensorThread(sensor=each, log=log, monotonic=self.time.monotonic) for each in sensors
        ]
        self.aggregator = Aggregator(started_at=NOW, seconds=self.time.seconds)
        self.watcher = Watcher(
            sensors=self.threads,
            rules=self.rules,
            aggregator=self.aggregator,
            inbox=self.inbox,
            counters=Counters(),
            clock=self.time.clock,
            log=log,
            owners=self.owners,
            monotonic=self.time.monotonic,
        )

    def tick(self, *, look: bool = True) -> NodeSample:
        if look:
            for each in self.threads:
                each.look()
        self.watcher.tick()
        self.time.pass_by(1)
        return self.rules.samples[-1]

    def noticed(self) -> list[Noticed]:
        found = []
        while not self.inbox.empty():
            item = self.inbox.get()
            assert isinstance(item, Noticed)
            found.append(item)
        return found


def nvml(*gpus: GpuSample, **facts: Any) -> FakeSensor:
    return FakeSensor("nvml", Observation(gpus=gpus, **facts))


def test_rules_see_what_the_sensors_see_and_what_they_find_reaches_the_inbox() -> None:
    bench = Bench(nvml(GpuSample(device=A, uuid="GPU-a", temperature_c=90.0)))
    bench.rules.finds = [HOT]

    sample = bench.tick()

    assert (sample.driver, sample.gpus[0].temperature_c) == ("answers", 90)
    [noticed] = bench.noticed()
    assert noticed.findings == (HOT,)
    assert noticed.rules == {"steps": 1}
    assert noticed.uuids == {A: "GPU-a"}


def test_finding_is_handed_over_once() -> None:
    bench = Bench(nvml())
    bench.rules.finds = [HOT]
    bench.tick()
    bench.rules.finds = [HOT.model_copy(update={"state": "cleared"})]
    bench.tick()

    found = [finding.state for noticed in bench.noticed() for finding in noticed.findings]
    assert found == ["raised", "cleared"]


def test_every_xid_that_a_second_witness_saw_is_handed_over_once() -> None:
    bench = Bench(nvml(), FakeSensor("nvml-events", Observation(xids=(XID,)), interval_s=0.0))
    bench.threads[1].look()
    bench.tick()
    bench.tick(look=False)

    assert [xid for noticed in bench.noticed() for xid in noticed.xids] == [XID, XID]


def test_stale_observation_is_no_reading() -> None:
    sensor = nvml(GpuSample(device=A))
    bench = Bench(sensor)
    bench.tick()
    sensor.now = Unavailable("driver fails")

    states = [(len(sample.gpus), sample.driver) for sample in (bench.tick() for _ in range(7))]

    assert states[0] == (1, "failing")
    assert states[-1] == (0, "failing")


def test_observation_of_a_slow_sensor_is_good_for_three_of_its_intervals() -> None:
    bench = Bench(FakeSensor("dcgm", Observation(gpus=(GpuSample(device=A),)), interval_s=15.0))
    bench.tick()
    bench.time.pass_by(40)
    here = bench.tick(look=False)
    bench.time.pass_by(10)

    assert (len(here.gpus), len(bench.tick(look=False).gpus)) == (1, 0)


@pytest.mark.parametrize(
    ("error", "state"), [(Rejected("no library"), "absent"), (Unavailable("timeout"), "failing")]
)
def test_state_of_the_driver_is_that_of_its_sensor(error: ReflexError, state: str) -> None:
    assert Bench(FakeSensor("nvml", error)).tick().driver == state


def test_driver_that_nobody_asks_is_off() -> None:
    assert Bench(FakeSensor("dcgm", Observation())).tick().driver == "off"
    assert Bench(nvml()).tick(look=False).driver == "off"


def test_findings_wait_while_the_intake_is_busy_and_nothing_waits_for_them() -> None:
    bench = Bench(nvml(), room=1)
    bench.inbox.put(Noticed())
    for number in range(3):
        bench.rules.finds = [HOT.model_copy(update={"says": str(number)})]
        bench.tick()
    bench.inbox.get()
    bench.tick()

    [noticed] = bench.noticed()
    assert [finding.says for finding in noticed.findings] == ["0", "1", "2"]


def test_rules_state_goes_to_the_disk_now_and_then_though_nothing_is_found() -> None:
    bench = Bench(nvml())
    for _ in range(61):
        bench.tick()

    assert len(bench.noticed()) == 3


def test_samples_reach_the_window_with_health_rules_and_job() -> None:
    bench = Bench(nvml(GpuSample(device=A, utilization=0.0), driver="580.1"))
    bench.tick()
    bench.tick()

    window = bench.aggregator.swap(bench.time.seconds)
    [gpu] = window.gpus
    assert (gpu.looks, gpu.health, gpu.active) == (2, "critical", (f"thermal/limit {A}",))
    assert gpu.job == Job(id=f"{A} None")
    assert window.hours[0].allocated_idle_s == pytest.approx(1)
    assert window.driver == "580.1"


def test_owners_learn_each_observation_once() -> None:
    bench = Bench(nvml())
    bench.tick()
    bench.tick(look=False)

    assert len(bench.owners.learned) == 1


def test_clock_on_the_wall_that_jumps_changes_nothing_that_rules_reckon_with() -> None:
    bench = Bench(nvml(GpuSample(device=A)))
    bench.tick()
    bench.watcher.clock = lambda: NOW.replace(year=1970)
    bench.tick()

    first, second = bench.rules.samples
    assert second.seconds - first.seconds == pytest.approx(1)


def test_gpu_that_vanishes_is_missing_from_the_next_sample_and_its_return_is_seen() -> None:
    sensor = nvml(GpuSample(device=A), GpuSample(device="0000:5e:00"))
    bench = Bench(sensor)
    both = sensor.now
    assert isinstance(both, Observation)
    bench.tick()
    sensor.now = replace(both, gpus=both.gpus[:1])
    gone = bench.tick()
    sensor.now = both

    assert (len(gone.gpus), len(bench.tick().gpus)) == (1, 2)


def test_bug_in_the_rules_is_told_and_ends_nothing() -> None:
    bench = Bench(nvml(GpuSample(device=A)))
    bench.rules.broken = ZeroDivisionError("division by zero")
    bench.watcher.monotonic = Time().monotonic
    stopping = threading.Event()

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - the event's own
            stopping.set()
            self.set()
            return True

    bench.watcher.run(Once())

    assert "the rules on this node fail" in bench.written[0]
    assert "ZeroDivisionError" in bench.written[0]


def test_ticks_do_not_drift_and_are_not_made_up_for_after_a_suspend() -> None:
    bench = Bench(nvml())
    waits: list[float] = []

    class Steps(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(round(timeout, 3))
            bench.time.pass_by(timeout + (3600 if len(waits) == 3 else 0.2))
            if len(waits) == 6:
                self.set()
            return self.is_set()

    bench.watcher.run(Steps())

    assert waits == [1.0, 0.8, 0.8, 1.0, 0.8, 0.8]
    assert len(bench.rules.samples) == 6
