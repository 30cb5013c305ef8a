import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from reflexarc.agent.log import AgentLog
from reflexarc.agent.sensing import SensorThread
from reflexarc.gpu.watch.model import GpuSample, Observation
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.agent.fakes import Time

ONE = Observation(gpus=(GpuSample(device="0000:3b:00"),))


@dataclass
class FakeSensor:
    """Answers as planned, then goes on with the last answer."""

    answers: list[Observation | Exception]
    name: str = "nvml"
    interval_s: float = 1.0
    closed: bool = False
    said: Sequence[str] = ()

    def read(self) -> Observation:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def remarks(self) -> Sequence[str]:
        return self.said

    def close(self) -> None:
        self.closed = True


@dataclass
class HangingSensor:
    """Does not return until it is let go."""

    name: str = "nvml"
    interval_s: float = 1.0
    entered: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def read(self) -> Observation:
        self.entered.set()
        self.release.wait(10)
        return ONE

    def close(self) -> None:
        """Nothing is held."""


def thread(*answers: Observation | Exception, **facts: object) -> tuple[SensorThread, list[str]]:
    written: list[str] = []
    sensor = FakeSensor(list(answers), **facts)  # type: ignore[arg-type]
    log = AgentLog(write=written.append)
    return SensorThread(sensor=sensor, log=log, monotonic=Time().monotonic), written


def test_sensor_that_reads_is_ok_and_its_observation_is_the_newest() -> None:
    sensing, _ = thread(ONE)

    pause = sensing.look()

    assert pause == pytest.approx(1.0)
    assert sensing.newest is not None
    assert sensing.newest.observation is ONE
    assert sensing.report().status == "ok"


def test_every_observation_is_handed_over_once() -> None:
    sensing, _ = thread(ONE)
    sensing.look()
    sensing.look()

    assert [look.observation for look in sensing.take()] == [ONE, ONE]
    assert sensing.take() == []


def test_what_is_not_here_is_absent_and_asked_again_each_minute() -> None:
    sensing, written = thread(Rejected("no libnvidia-ml.so.1: install the driver"))

    pauses = [sensing.look(), sensing.look()]

    assert pauses == [60, 60]
    report = sensing.report()
    assert (report.status, report.says) == ("absent", "no libnvidia-ml.so.1: install the driver")
    assert len(written) == 1


def test_sensor_that_fails_is_asked_ever_more_rarely_and_quickly_again_once_it_reads() -> None:
    failures: list[Observation | Exception] = [Unavailable("timeout")] * 7
    sensing, written = thread(*failures, ONE, Unavailable("timeout"))

    pauses = [sensing.look() for _ in range(9)]

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1, 1]
    assert len([line for line in written if "a sensor fails" in line]) == 2


def test_bug_in_a_sensor_is_a_failing_sensor_with_its_name() -> None:
    sensing, _ = thread(ZeroDivisionError("division by zero"))

    sensing.look()

    report = sensing.report()
    assert report.status == "failing"
    assert report.says == "unexpected ZeroDivisionError: division by zero"


def test_remarks_of_a_sensor_that_reads_are_told() -> None:
    sensing, _ = thread(ONE, said=("no T.Limit before Ada", "no field 230"))

    sensing.look()

    assert sensing.report().says == "no T.Limit before Ada; no field 230"


def test_sensor_not_read_yet_is_no_healthy_one() -> None:
    sensing, _ = thread(ONE)

    assert sensing.report().status == "off"


def test_hung_read_is_seen_from_outside_and_the_thread_goes_on_when_it_returns() -> None:
    time = Time()
    sensor = HangingSensor()
    written: list[str] = []
    sensing = SensorThread(
        sensor=sensor, log=AgentLog(write=written.append), monotonic=time.monotonic
    )
    stopping = threading.Event()
    sensing.start(stopping)
    assert sensor.entered.wait(5)

    time.pass_by(42)
    hung = sensing.report()
    stopping.set()
    sensor.release.set()
    sensing.join(5)

    assert (hung.status, hung.says) == ("hung", "a read has not returned for 42 s")
    assert sensing.report().status == "ok"
    assert not sensing.alive


def test_sensor_is_closed_by_its_own_thread_at_the_end() -> None:
    sensing, _ = thread(ONE)
    stopping = threading.Event()
    sensing.start(stopping)

    stopping.set()
    sensing.join(5)

    assert isinstance(sensing.sensor, FakeSensor)
    assert sensing.sensor.closed


def test_observations_that_nobody_takes_are_bounded() -> None:
    sensing, _ = thread(ONE)

    for _ in range(1000):
        sensing.look()

    assert len(sensing.take()) == 256
