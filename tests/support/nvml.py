"""The NVML stub for tests: built once, loaded by soname, told what to play."""

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.nvml_stub import H100, LIBRARY, VARIABLE, NvmlScenario, build

ROOT = Path(__file__).parents[2]
# Eight PCI addresses as NVML prints them; the kernel prints 0000:18:00.
PCI = tuple(f"00000000:{bus:02X}:00.0" for bus in (0x18, 0x2A, 0x3A, 0x5D, 0x9A, 0xAB, 0xBA, 0xDB))
UUID = tuple(f"GPU-00000000-0000-4000-8000-{number:012d}" for number in range(8))


@cache
def library() -> Path:
    """Return the compiled stub, or skip the test where it cannot be compiled."""
    try:
        return build(
            Path(tempfile.gettempdir(), f"reflexarc-nvml-{os.getuid()}"),
            ROOT / "samples" / "nvml-stub",
        )
    except LaneUnavailable as reason:
        pytest.skip(str(reason))


@cache
def load() -> None:
    """Load the stub into this process: dlopen finds a soname that is loaded, so pynvml takes it."""
    ctypes.CDLL(str(library()), ctypes.RTLD_GLOBAL)
    assert ctypes.CDLL(LIBRARY)._name == LIBRARY


def playing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NvmlScenario]:
    """Give a scenario that this process's NVML plays until the test ends; then there is none."""
    load()
    scenario = NvmlScenario(folder / "scenario.txt")
    monkeypatch.setenv(VARIABLE, str(scenario.path))
    yield scenario
    monkeypatch.delenv(VARIABLE)


def cards(
    scenario: NvmlScenario, count: int = 1, values: Mapping[str, str] | None = None
) -> NvmlScenario:
    """Add that many calm H100s, each with the values that differ, and write the file."""
    for number in range(count):
        scenario.gpu(PCI[number], UUID[number], values={**H100, **(values or {})})
    scenario.write()
    return scenario


def run_python(
    program: str, *, environment: Mapping[str, str], seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program over the stub, or over no NVML at all, in a process of its own."""
    return subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=True,
    )
