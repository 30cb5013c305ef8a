from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reflexarc.agent.metrics import MetricsFile
from reflexarc.events.gpu_readings import SensorReport
from reflexarc.kernel.errors import Unavailable
from tests.agent.fakes import XID_79, Bench

HOSTILE = 'dc"gm\\ \n x'


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "spool")
    yield bench
    bench.spool.close()


def metrics_file(bench: Bench, path: Path, *sensors: SensorReport) -> MetricsFile:
    return MetricsFile(
        path=path,
        version="1.2.3",
        counters=bench.counters,
        spool=bench.spool,
        couriers=(bench.faults, bench.readings),
        clock=bench.time.clock,
        monotonic=bench.time.monotonic,
        log=bench.log,
        sensors=lambda: sensors,
    )


def read(path: Path) -> dict[tuple[str, str], float]:
    """Return the samples as Prometheus' own parser reads them."""
    return {
        (sample.name.removeprefix("reflexarc_agent_"), ",".join(sample.labels.values())): (
            sample.value
        )
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_file_is_valid_and_tells_what_was_counted(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "reflexarc.prom"
    bench.feed("noise", XID_79, XID_79)

    metrics_file(bench, path, SensorReport(name="nvml", status="hung")).write()

    found = read(path)
    assert found["info", "1.2.3"] == 1
    assert found["lines_total", ""] == 3
    assert found["faults_total", ""] == 2
    assert found["waiting", "faults"] == 1
    assert found["spool_ok", ""] == 1
    assert (found["sensor", "nvml,hung"], found["sensor", "nvml,ok"]) == (1, 0)
    assert ("last_accepted_seconds", "faults") not in found


def test_seconds_since_a_queue_accepted_and_failures_are_told(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "reflexarc.prom"
    bench.feed(XID_79)
    bench.deliver_all()
    bench.time.pass_by(90)
    bench.queues["readings"].down = Unavailable("no route")
    bench.intake.heartbeat()
    bench.readings.deliver()
    bench.time.pass_by(30)

    metrics_file(bench, path).write()

    found = read(path)
    assert found["last_accepted_seconds", "faults"] == pytest.approx(120)
    assert found["send_failures_total", "readings"] == 1
    assert found["spool_oldest_seconds", ""] == pytest.approx(30, abs=0.01)


def test_name_cannot_break_the_format(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "reflexarc.prom"

    metrics_file(bench, path, SensorReport(name=HOSTILE, status="ok")).write()

    assert read(path)["sensor", f"{HOSTILE},ok"] == 1


def test_file_that_cannot_be_written_is_told_and_nothing_else_happens(
    bench: Bench, tmp_path: Path
) -> None:
    metrics_file(bench, tmp_path / "missing" / "reflexarc.prom").write()

    assert "name a --metrics-file in a folder that exists" in bench.written[0]


def test_nothing_but_the_file_is_left_behind(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "reflexarc.prom"

    metrics_file(bench, path).write()

    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["reflexarc.prom"]
