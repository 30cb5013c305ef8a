"""The stub itself, and processes without NVML, in processes of their own."""

import re
import time
from pathlib import Path

import pytest

from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.nvml_stub import NvmlScenario, build
from tests.support.nvml import ROOT, cards, library, run_python

STUB = ROOT / "samples" / "nvml-stub"
READ = """
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.adapters.nvml.{module} import {sensor}
try:
    print({sensor}(Nvml()).read())
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(("module", "sensor"), [("sensor", "NvmlSensor"), ("events", "NvmlEvents")])
def test_a_machine_without_the_library_says_what_to_do(module: str, sensor: str) -> None:
    done = run_python(READ.format(module=module, sensor=sensor), environment={})

    assert done.stdout.startswith("Rejected there is no libnvidia-ml.so.1: install the NVIDIA")


def test_a_machine_without_nvidia_ml_py_says_what_to_do() -> None:
    hide = "import sys; sys.modules['pynvml'] = None\n"

    done = run_python(hide + READ.format(module="sensor", sensor="NvmlSensor"), environment={})

    assert done.stdout == (
        "Rejected nvidia-ml-py is not installed: pip install 'reflexarc[agent]'\n"
    )


def test_a_library_from_the_path_is_found_and_read(tmp_path: Path) -> None:
    scenario = cards(NvmlScenario(tmp_path / "scenario.txt"), 8)

    done = run_python(
        READ.format(module="sensor", sensor="NvmlSensor"),
        environment=scenario.environment(library()),
    )

    assert done.stdout.count("GpuSample(device='0000:") == 8


def test_the_adapters_load_nothing_before_they_are_used() -> None:
    program = (
        "import sys, reflexarc.adapters.nvml.sensor, reflexarc.adapters.nvml.events\n"
        "print('pynvml' in sys.modules)"
    )

    assert run_python(program, environment={}).stdout == "False\n"


def test_eight_gpus_cost_less_than_four_milliseconds_a_look(tmp_path: Path) -> None:
    scenario = cards(NvmlScenario(tmp_path / "scenario.txt"), 8)
    program = (
        "import time\n"
        "from reflexarc.adapters.nvml.library import Nvml\n"
        "from reflexarc.adapters.nvml.sensor import NvmlSensor\n"
        "sensor = NvmlSensor(Nvml())\n"
        "sensor.read()\n"
        "before = time.process_time()\n"
        "for _ in range(200): sensor.read()\n"
        "print((time.process_time() - before) / 200)\n"
    )

    done = run_python(program, environment=scenario.environment(library()))

    assert float(done.stdout) < 0.004


def test_values_ramp_and_step_over_time(tmp_path: Path) -> None:
    scenario = cards(NvmlScenario(tmp_path / "scenario.txt", start=time.time() - 30))
    scenario.add("ramp 0 temp 0:40 60:100", "hold 0 power 0:100 29:200 600:300")

    done = run_python(
        READ.format(module="sensor", sensor="NvmlSensor"),
        environment=scenario.environment(library()),
    )

    assert re.search(r"temperature_c=(7[0-9]|8[0-5])\.0", done.stdout)
    assert "power_w=200.0" in done.stdout


def test_mig_devices_are_listed(tmp_path: Path) -> None:
    scenario = cards(NvmlScenario(tmp_path / "scenario.txt"), 1, {"mig": "0:1"})
    scenario.add("instance 0 1 0 MIG-a", "instance 0 2 0 MIG-b")
    program = (
        "import pynvml as n\n"
        "n.nvmlInit()\n"
        "gpu = n.nvmlDeviceGetHandleByIndex(0)\n"
        "for i in range(n.nvmlDeviceGetMaxMigDeviceCount(gpu)):\n"
        "    mig = n.nvmlDeviceGetMigDeviceHandleByIndex(gpu, i)\n"
        "    print(n.nvmlDeviceGetUUID(mig), n.nvmlDeviceGetGpuInstanceId(mig))\n"
    )

    done = run_python(program, environment=scenario.environment(library()))

    assert done.stdout.split() == ["MIG-a", "1", "MIG-b", "2"]


def test_a_scenario_with_a_slip_is_told(tmp_path: Path) -> None:
    scenario = cards(NvmlScenario(tmp_path / "scenario.txt"))
    scenario.add("hold 0 tempp 0:40", "losst 0 1")

    done = run_python(
        READ.format(module="sensor", sensor="NvmlSensor"),
        environment=scenario.environment(library()),
    )

    assert "no value tempp" in done.stderr
    assert "unknown line: losst" in done.stderr


def test_every_word_of_the_scenario_is_explained() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)", (STUB / "README.md").read_text()))
    values = set(re.findall(r"KEY\(([a-z_0-9]+), ", (STUB / "stub.h").read_text())) - {"name"}
    verbs = set(re.findall(r'verb, "([a-z]+)"', (STUB / "scenario.c").read_text()))

    assert len(values) == 42
    assert (values | verbs) - told == set()


def test_sources_that_are_missing_say_so(tmp_path: Path) -> None:
    with pytest.raises(LaneUnavailable, match="needs a C compiler"):
        build(tmp_path, tmp_path / "nowhere")
