"""A scenario, NVML over the stub, and the two sensors; every test leaves NVML as it found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflexarc.adapters.nvml.events import NvmlEvents
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.adapters.nvml.sensor import NvmlSensor
from reflexarc.emulator.nvml_stub import NvmlScenario
from tests.support.nvml import playing


class Hand:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NvmlScenario]:
    yield from playing(tmp_path, monkeypatch)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def nvml(scenario: NvmlScenario) -> Nvml:
    assert scenario.path.suffix == ".txt"
    return Nvml(renew_s=2.0)


@pytest.fixture
def sensor(nvml: Nvml, clock: Hand) -> Iterator[NvmlSensor]:
    sensor = NvmlSensor(nvml, clock=clock, renew_s=5.0)
    yield sensor
    sensor.close()


@pytest.fixture
def events(nvml: Nvml) -> Iterator[NvmlEvents]:
    events = NvmlEvents(nvml, wait_s=0.15)
    yield events
    events.close()
