"""Fills agent.ports.Sensor: what of the node itself explains faults. Every file may be missing."""

import os
import re
from pathlib import Path
from typing import Any

from reflexarc.events.gpu_readings import Vitals
from reflexarc.gpu.watch.model import Observation
from reflexarc.kernel.errors import Rejected

PROC = Path("/proc")
SYS = Path("/sys")
# /proc/vmstat is the longest of these, some 5 KB.
_FILE_MAX = 64 << 10
# https://docs.kernel.org/accounting/psi.html
_PRESSURE = re.compile(r"^(some|full) avg10=\S+ avg60=([0-9.]{1,12}) ", re.MULTILINE)
_MIB = 1 << 20
_KIB_A_MIB = 1 << 10


class VitalsSensor:
    """Looks at memory, disk, pressure and throttled processors, each ten seconds."""

    name = "vitals"
    interval_s = 10.0

    def __init__(
        self, proc_dir: Path = PROC, sys_dir: Path = SYS, disk_path: Path = Path("/")
    ) -> None:
        self._proc = proc_dir
        self._cpus = sys_dir / "devices" / "system" / "cpu"
        self._disk = disk_path
        self._one_of_each_package: tuple[Path, ...] | None = None

    def read(self) -> Observation:
        """Look once; raises Rejected where nothing of all this can be read."""
        memory = _meminfo(self._text("meminfo"))
        load, uptime = self._text("loadavg").split(), self._text("uptime").split()
        known: dict[str, Any] = {
            "memory_available_mib": memory.get("MemAvailable"),
            "memory_total_mib": memory.get("MemTotal"),
            "cpu_throttled": self._throttled(),
            "cpu_pressure": self._pressure("cpu", "some"),
            "memory_pressure": self._pressure("memory", "full"),
            "io_pressure": self._pressure("io", "full"),
            "oom_kills": _whole(self._field("vmstat", "oom_kill")),
            "load1": _number(load[0]) if load else None,
            "uptime_s": _number(uptime[0]) if uptime else None,
        }
        if all(value is None for value in known.values()):
            raise Rejected(
                f"nothing can be read under {self._proc}: in a container, mount the host's /proc"
            )
        return Observation(vitals=Vitals(disk_free_mib=_free_mib(self._disk), **known))

    def remarks(self) -> tuple[str, ...]:
        """Return what this kernel does not tell."""
        if (self._proc / "pressure").is_dir():
            return ()
        return ("no pressure figures: the kernel needs CONFIG_PSI, and perhaps psi=1 at boot",)

    def close(self) -> None:
        """Nothing is held open."""

    def _text(self, name: str) -> str:
        return _read(self._proc / name)

    def _field(self, file: str, name: str) -> str:
        for line in self._text(file).splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return value
        return ""

    def _pressure(self, what: str, kind: str) -> float | None:
        found = dict(_PRESSURE.findall(self._text(f"pressure/{what}")))
        return _number(found.get(kind, ""))

    def _throttled(self) -> int | None:
        """Return how often processors were slowed for heat: every CPU tells its package's count."""
        if self._one_of_each_package is None:
            self._one_of_each_package = self._packages()
        counts = [
            _whole(_read(cpu / "thermal_throttle" / "package_throttle_count"))
            for cpu in self._one_of_each_package
        ]
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    def _packages(self) -> tuple[Path, ...]:
        first: dict[str, Path] = {}
        for cpu in sorted(self._cpus.glob("cpu[0-9]*")):
            if package := _read(cpu / "topology" / "physical_package_id"):
                first.setdefault(package, cpu)
        return tuple(first.values())


def _meminfo(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if number and (kib := _whole(number[0])) is not None:
            found[name] = kib // _KIB_A_MIB
    return found


def _free_mib(path: Path) -> int | None:
    """Return what is free where this path lies or will lie."""
    for place in (path, *path.parents):
        try:
            disk = os.statvfs(place)
        except OSError:
            continue
        return disk.f_bavail * disk.f_frsize // _MIB
    return None


def _whole(printed: str) -> int | None:
    printed = printed.strip()
    return int(printed) if printed.isascii() and printed.isdigit() else None


def _number(printed: str) -> float | None:
    printed = printed.strip()
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", printed):
        return None
    return float(printed)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
