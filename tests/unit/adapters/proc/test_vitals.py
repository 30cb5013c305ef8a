from pathlib import Path

import pytest

from reflexarc.adapters.proc.vitals import VitalsSensor
from reflexarc.events.gpu_readings import Vitals
from reflexarc.kernel.errors import Rejected

PRESSURE = "some avg10=9.00 avg60={some} avg300=1.00 total=5\nfull avg10=8.00 avg60={full} avg300=0"


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text + "\n")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    proc = tmp_path / "proc"
    write(proc, "meminfo", "MemTotal:       2097152 kB\nMemFree: 1 kB\nMemAvailable: 1048576 kB")
    write(proc, "loadavg", "12.50 3.00 1.00 2/900 4242")
    write(proc, "uptime", "86400.25 9.9")
    write(proc, "vmstat", "nr_free_pages 1\noom_kill 3\noom_killer_x 9")
    for what in ("cpu", "memory", "io"):
        write(proc, f"pressure/{what}", PRESSURE.format(some="4.50", full="2.25"))
    for cpu, package in ((0, 0), (1, 0), (2, 1), (10, 1)):
        at = f"devices/system/cpu/cpu{cpu}"
        write(tmp_path / "sys", f"{at}/topology/physical_package_id", str(package))
        write(tmp_path / "sys", f"{at}/thermal_throttle/package_throttle_count", str(5 + package))
    return tmp_path


def vitals(host: Path, disk: Path | None = None) -> Vitals:
    seen = VitalsSensor(host / "proc", host / "sys", disk or host).read().vitals
    assert seen is not None
    return seen


def test_a_node_tells_all_its_vitals(host: Path) -> None:
    seen = vitals(host)

    assert (seen.memory_available_mib, seen.memory_total_mib) == (1024, 2048)
    assert (seen.cpu_pressure, seen.memory_pressure, seen.io_pressure) == (4.5, 2.25, 2.25)
    assert (seen.oom_kills, seen.load1, seen.uptime_s) == (3, 12.5, 86_400.25)
    assert seen.disk_free_mib is not None
    assert seen.disk_free_mib > 0
    assert VitalsSensor(host / "proc").remarks() == ()


def test_throttling_is_counted_once_a_package(host: Path) -> None:
    assert vitals(host).cpu_throttled == 11


def test_a_spool_that_is_not_made_yet_is_measured_where_it_will_be(host: Path) -> None:
    assert vitals(host, host / "not" / "made").disk_free_mib is not None


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("meminfo", {"memory_available_mib", "memory_total_mib"}),
        ("loadavg", {"load1"}),
        ("uptime", {"uptime_s"}),
        ("vmstat", {"oom_kills"}),
        ("pressure/cpu", {"cpu_pressure"}),
        ("pressure/memory", {"memory_pressure"}),
        ("pressure/io", {"io_pressure"}),
    ],
)
@pytest.mark.parametrize("text", [None, "", "garbage nan -1", "\x00\xff"])
def test_a_file_that_is_missing_or_garbage_costs_its_own_figures_only(
    host: Path, name: str, lost: set[str], text: str | None
) -> None:
    if text is None:
        (host / "proc" / name).unlink()
    else:
        (host / "proc" / name).write_bytes(text.encode("latin-1"))

    seen = vitals(host).model_dump()

    assert {field for field, value in seen.items() if value is None} == lost


def test_a_kernel_without_pressure_figures_is_remarked(host: Path) -> None:
    sensor = VitalsSensor(host / "no", host / "sys", host)

    assert "CONFIG_PSI" in sensor.remarks()[0]


def test_a_machine_without_throttle_counters_does_not_claim_zero(host: Path) -> None:
    sensor = VitalsSensor(host / "proc", host / "no", host)

    seen = sensor.read().vitals

    assert seen is not None
    assert seen.cpu_throttled is None


def test_this_machine_can_be_read() -> None:
    assert VitalsSensor().read().vitals is not None


def test_nothing_to_read_at_all_is_said(tmp_path: Path) -> None:
    sensor = VitalsSensor(tmp_path / "p", tmp_path / "s", tmp_path)

    with pytest.raises(Rejected, match="mount the host's /proc"):
        sensor.read()
