"""GPUs that vanish, drivers that go and come, calls that do not return."""

import threading
import time
from collections.abc import Callable
from typing import Self

import pytest

from reflexarc.adapters.nvml.events import NvmlEvents
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.adapters.nvml.sensor import NvmlSensor
from reflexarc.emulator.nvml_stub import NvmlScenario
from reflexarc.gpu.watch.model import GpuSample, XidSeen
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.nvml import UUID, cards
from tests.unit.adapters.nvml.conftest import Hand

QUICK = (
    *("temp", "margin", "memtemp", "reasons", "power"),
    *("sm", "mclk", "util", "used", "recovery"),
)


def until(scenario: NvmlScenario, second: float) -> None:
    """Wait for a second of the scenario, and for the stub to have noticed it."""
    time.sleep(max(0.0, second - scenario.now()) + 0.02)


def by_device(samples: tuple[GpuSample, ...]) -> dict[str, GpuSample]:
    return {sample.device: sample for sample in samples}


def test_a_lost_gpu_is_told_as_lost_and_the_others_are_read(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    cards(scenario, 2)
    sensor.read()
    scenario.add(f"lost 0 {scenario.now():.3f} -")
    until(scenario, scenario.now())

    seen = by_device(sensor.read().gpus)

    assert seen["0000:18:00"] == GpuSample(
        device="0000:18:00", uuid=UUID[0], index=0, name="NVIDIA H100 80GB HBM3", lost=True
    )
    assert (seen["0000:2a:00"].lost, seen["0000:2a:00"].temperature_c) == (False, 45)


def test_a_gpu_that_answers_nothing_but_errors_is_not_read(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    cards(scenario, 2)
    scenario.add(*(f"hold 0 {key} 0:!RESET_REQUIRED" for key in QUICK))

    assert list(by_device(sensor.read().gpus)) == ["0000:2a:00"]


def test_a_gpu_comes_back_under_another_index_and_is_the_same_device(
    scenario: NvmlScenario, sensor: NvmlSensor, clock: Hand
) -> None:
    cards(scenario, 2)
    scenario.add("hold 0 power 0:111", "hold 1 power 0:222")
    sensor.read()
    gone = scenario.now()
    scenario.add(f"lost 0 {gone:.3f} {gone + 0.2:.3f}", f"order {gone + 0.2:.3f} 1 0")
    until(scenario, gone)
    lost = by_device(sensor.read().gpus)
    until(scenario, gone + 0.2)
    sensor.read()

    clock.seconds += 6
    back = by_device(sensor.read().gpus)

    assert lost["0000:18:00"].lost
    assert (back["0000:18:00"].lost, back["0000:18:00"].index) == (False, 1)
    assert {device: sample.power_w for device, sample in back.items()} == {
        "0000:18:00": 111,
        "0000:2a:00": 222,
    }


def test_a_gpu_that_stays_away_stays_lost_and_is_looked_for_ever_more_rarely(
    scenario: NvmlScenario, sensor: NvmlSensor, nvml: Nvml, clock: Hand
) -> None:
    cards(scenario, 2)
    sensor.read()
    scenario.add(f"lost 0 {scenario.now():.3f} -")
    until(scenario, scenario.now())
    sessions = []

    for _ in range(40):
        clock.seconds += 1
        seen = by_device(sensor.read().gpus)
        assert seen["0000:18:00"].lost
        assert not seen["0000:2a:00"].lost
        sessions.append(nvml._session)

    assert sessions[-1] == 3  # after 5, 15 and 35 seconds


def test_both_sensors_leave_for_a_new_session_and_both_go_on(
    scenario: NvmlScenario, sensor: NvmlSensor, events: NvmlEvents, clock: Hand
) -> None:
    cards(scenario, 2)
    sensor.read()
    events.read()
    gone = scenario.now()
    scenario.add(f"lost 0 {gone:.3f} {gone + 0.1:.3f}")
    until(scenario, gone)
    sensor.read()
    until(scenario, gone + 0.1)
    sensor.read()
    clock.seconds += 6

    with Seen(events) as seen:
        back = by_device(sensor.read().gpus)
        scenario.add(f"event {scenario.now() + 0.5:.3f} 0 8 48")
        seen.wait_for(1)

    assert not back["0000:18:00"].lost
    assert [(xid.device, xid.code) for xid in seen.xids] == [("0000:18:00", 48)]


def test_a_hang_stops_its_own_read_and_no_event(
    scenario: NvmlScenario, sensor: NvmlSensor, events: NvmlEvents
) -> None:
    cards(scenario, 2)
    sensor.read()
    events.read()
    start = scenario.now()
    scenario.add(
        f"hang 1 {start:.3f} {start + 2.0:.3f}",
        f"event {start + 0.3:.3f} 0 8 79",
        f"event {start + 0.6:.3f} 1 8 119",
    )
    until(scenario, start)
    ended: list[float] = []

    def read() -> None:
        sensor.read()
        ended.append(scenario.now())

    reader = threading.Thread(target=read)
    reader.start()
    codes = []
    while scenario.now() < start + 0.9:
        codes += [xid.code for xid in events.read().xids]
    still_hanging = reader.is_alive()
    reader.join(10)

    assert codes == [79, 119]
    assert still_hanging
    assert ended[0] >= start + 2.0
    assert len(sensor.read().gpus) == 2


def test_a_sensor_that_hangs_keeps_the_other_from_nothing_but_a_new_session(
    scenario: NvmlScenario, sensor: NvmlSensor, nvml: Nvml
) -> None:
    """The one that asks for a new session waits a moment, then goes on in the old one."""
    cards(scenario, 1)
    other = NvmlSensor(nvml)
    nvml._renew_s = 0.2
    sensor.read()
    other.read()

    before = time.monotonic()
    sensor._renew()
    took = time.monotonic() - before

    assert 0.2 <= took < 2
    assert len(sensor.read().gpus) == 1
    other.close()


def test_a_sensor_follows_when_another_asks_for_a_new_session(
    scenario: NvmlScenario, sensor: NvmlSensor, nvml: Nvml
) -> None:
    cards(scenario, 1)
    other = NvmlSensor(nvml)
    sensor.read()
    other.read()
    asking = threading.Thread(target=other._renew)

    asking.start()
    while asking.is_alive():
        assert len(sensor.read().gpus) == 1
        time.sleep(0.02)
    session = nvml._session
    other.close()

    assert session == 1


def test_a_start_that_hangs_holds_no_lock(
    scenario: NvmlScenario, sensor: NvmlSensor, nvml: Nvml
) -> None:
    cards(scenario, 1)
    start = scenario.now()
    scenario.add(f"hang all {start:.3f} {start + 1.5:.3f}")
    starting = threading.Thread(target=sensor.read)
    starting.start()
    time.sleep(0.3)

    free = nvml._changed.acquire(timeout=0.5)
    hangs = starting.is_alive()
    nvml._changed.release()
    starting.join(10)

    assert free
    assert hangs
    assert len(sensor.read().gpus) == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("DRIVER_NOT_LOADED", "kernel module is not loaded"),
        ("LIB_RM_VERSION_MISMATCH", "different versions, as after a driver upgrade"),
    ],
)
def test_a_driver_that_goes_is_told_in_words_and_taken_up_when_it_is_back(
    scenario: NvmlScenario, nvml: Nvml, code: str, says: str
) -> None:
    nvml._renew_s = 0.1
    sensor, events = NvmlSensor(nvml), NvmlEvents(nvml, wait_s=0.3)
    cards(scenario, 1)
    sensor.read()
    events.read()
    start = scenario.now()
    scenario.add(f"fail {start:.3f} {start + 1.5:.3f} {code}")
    until(scenario, start)

    refused = [refusal(events.read), refusal(sensor.read)]
    until(scenario, start + 1.5)
    back = sensor.read()
    events.read()
    scenario.add(f"event {scenario.now() + 0.1:.3f} 0 8 63")
    seen = events.read()
    sensor.close()
    events.close()

    assert all(says in words for words in refused)
    assert back.gpus[0].temperature_c == 45
    assert [xid.code for xid in seen.xids] == [63]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("DRIVER_NOT_LOADED", "kernel module is not loaded"),
        ("LIB_RM_VERSION_MISMATCH", "restart this agent, which holds the old library"),
        ("NO_PERMISSION", "read and write /dev/nvidiactl"),
        ("FUNCTION_NOT_FOUND", "too old"),
    ],
)
def test_a_driver_that_never_answered_is_told_in_words(
    scenario: NvmlScenario, sensor: NvmlSensor, events: NvmlEvents, code: str, says: str
) -> None:
    cards(scenario, 1)
    scenario.add(f"fail 0 - {code}")

    assert says in refusal(sensor.read)
    assert says in refusal(events.read)


def test_an_unknown_trouble_at_the_start_is_tried_again(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    cards(scenario, 1)
    scenario.add("fail 0 - UNKNOWN")

    with pytest.raises(Unavailable, match="error 999"):
        sensor.read()


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as refused:
        read()
    return str(refused.value)


def test_a_driver_reloaded_between_two_looks_is_taken_up_without_a_word(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    cards(scenario, 1)
    sensor.read()
    start = scenario.now()
    scenario.add(f"fail {start:.3f} {start + 0.1:.3f} DRIVER_NOT_LOADED")
    until(scenario, start + 0.1)

    assert sensor.read().gpus[0].temperature_c == 45


class Seen:
    """What an event sensor saw in its thread."""

    def __init__(self, events: NvmlEvents) -> None:
        self.xids: list[XidSeen] = []
        self._events = events
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def wait_for(self, count: int) -> None:
        end = time.monotonic() + 10
        while len(self.xids) < count and time.monotonic() < end:
            time.sleep(0.01)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.xids += self._events.read().xids
