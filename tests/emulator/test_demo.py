"""The demo itself: what it reports, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil
import pytest

from reflexarc.agent.settings import AgentSettings
from reflexarc.emulator import demo, hot_node, scenario, storm, telemetry
from reflexarc.emulator.audit import Alert
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes, wait_until
from reflexarc.emulator.stack import find_checkout
from reflexarc.gpu.identity import device_of
from reflexarc.kernel.errors import Unavailable
from tests.emulator.story import UNLIMITED

ROOT = Path(__file__).parents[2]


class Listener:
    """A Show that remembers."""

    def __init__(self) -> None:
        self.pages: list[Alert] = []
        self.remarks: list[str] = []
        self.events: list[str] = []

    def step(self, _: str) -> "nullcontext[None]":
        return nullcontext()

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def alerts(self, _: int) -> None:
        pass

    def landed(self, page: Alert) -> None:
        self.pages.append(page)

    def event(self, text: str) -> None:
        self.events.append(text)


@pytest.fixture
def lane() -> Iterator[Lane]:
    """Return a stack for one demo alone: another's pages would take in what it logs."""
    with Processes() as processes:
        yield build(processes, Plan(checkout=ROOT, standin_options=UNLIMITED))


def corroborated(lane: Lane) -> int:
    """Return how many reports of NVML and the exporter the hot node's kernel log bore out."""
    state = lane.fleet("gpu-node-12")
    return 0 if state is None else state.counters.get("corroborated", 0)


@pytest.mark.emulator
def test_the_demo_reports_every_page_once(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scenario, "BETWEEN_FAULTS_S", 0.1)
    show = Listener()

    report = demo.play(lane, show, ROOT, incidents=100)
    report.write(tmp_path / "report.json")

    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["lost"], written["duplicates"]) == (0, 0)
    assert len(written["alerts"]) == len(show.pages) > 15
    hot = [each for each in show.pages if each.cause == "thermal/hw-slowdown"]
    assert sorted((each.channel, each.gpu) for each in hot) == [
        ("pagerduty", "0000:5d:00"),
        ("slack", "0000:5d:00"),
    ]
    assert {each.node for each in show.pages if each.node.startswith("gpu-node-12")} == {
        each.node for each in hot
    }
    assert not [each for each in hot if each.latency_ms > 5_000]
    contained = [each for each in show.pages if (each.node, each.code) == ("gpu-node-12", 94)]
    assert [(each.channel, each.gpu) for each in contained] == [("slack", "0000:2a:00")]
    assert wait_until(lambda: corroborated(lane) == 2, 15)
    assert show.remarks == []
    assert written["fleet"] == {
        "node": "gpu-node-12",
        "gpus": 8,
        "health": {"critical": 1, "ok": 7},
        "jobs": ["4711"],
    }
    assert {"code", "node", "gpu", "severity", "channel", "latency_ms", "hops"} <= set(
        written["alerts"][0]
    )
    broke = written["storm"]
    assert (broke["gpus"], broke["nodes"], broke["pages"]) == (48, 6, 1)
    assert "48 GPUs of 6 nodes" in broke["says"]
    assert broke["acked_ms"] > 0
    assert [broke["acked_by"] in text for text in show.events][-3:] == [False, False, True]
    assert written["latency_ms"]["p50"] <= written["latency_ms"]["p95"]
    assert_telemetry(written["telemetry"])
    assert [text.partition(" ")[0] for text in show.events[:4]] == [
        "OTLP", "rules", "redacted:", "Xid",
    ]  # fmt: skip
    assert report.good


def assert_telemetry(told: dict[str, Any]) -> None:
    """Hold what the demo reports of its telemetry against what it means to show."""
    wrong = ("lost", "doubled", "unwanted", "leaked")
    assert [told[name] for name in wrong] == [0] * len(wrong)
    assert told["balanced"]
    assert told["held"] == told["due"]
    assert sum(told["sent"].values()) > 400
    rules = {each["rule"]: each for each in told["rules"]}
    assert rules["health-checks"]["removed"] > 90
    assert rules["health-checks"]["held_back"] == told["guarded"]["server errors"] > 0
    assert 0 < rules["requests-by-pod"]["emitted"] < rules["requests-by-pod"]["removed"]
    assert rules["cache-reads"]["removed"] == 0 < rules["cache-reads"]["shadowed"]
    assert {"email", "key", "attribute"} <= told["redacted"].keys()
    assert told["kept_size"] < told["size"]
    assert told["witness"] == {"node": "node-07", "xid": 119, "incidents": 1, "reports": 2}


@pytest.mark.emulator
def test_a_demo_without_a_compiler_says_so_and_plays_the_rest(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_node, "SOURCES", Path("nowhere"))
    monkeypatch.setattr(scenario, "NODES", {"no-gcc-node": "gb200-tray.log"})
    monkeypatch.setattr(scenario, "BETWEEN_FAULTS_S", 0.1)
    monkeypatch.setattr(telemetry, "BETWEEN_EXPORTS_S", 0.05)
    show = Listener()

    report = demo.play(lane, show, ROOT, incidents=2)

    assert (report.lost, report.duplicates, report.fleet) == (0, 0, None)
    assert report.telemetry is not None
    assert (report.telemetry.exact, report.telemetry.witness) == (True, None)
    assert {page.node for page in show.pages} == {"no-gcc-node", f"{storm.CLUSTER}-node-1"}
    assert ["gcc" in remark for remark in show.remarks] == [True]


def test_the_nights_job_is_what_the_prolog_writes(tmp_path: Path) -> None:
    (sample,) = (ROOT / hot_node.NIGHT / "jobs").iterdir()
    job = json.loads(sample.read_text())

    subprocess.run(  # noqa: S603 - our own script
        [ROOT / "samples" / "agent" / "slurm" / "prolog.sh"],
        env={
            "REFLEXARC_JOBS_DIR": str(tmp_path),
            "SLURM_JOB_ID": job["id"],
            "SLURM_JOB_USER": job["user"],
            "SLURM_JOB_NAME": job["name"],
            "SLURM_JOB_ACCOUNT": job["account"],
            "SLURM_JOB_NODELIST": job["nodes"],
            "SLURM_JOB_GPUS": ",".join(job["gpus"]),
        },
        check=True,
    )

    assert (tmp_path / sample.name).read_text() == sample.read_text()


def test_the_nights_settings_are_an_agents() -> None:
    settings = AgentSettings.combine(
        ROOT / hot_node.NIGHT / "agent.yaml", {"dry_run": True}, hostname="gpu-node-12"
    )

    assert settings.labels["rack"] == "r12"
    assert settings.heartbeat_s < demo.FLEET_S


def test_the_night_heats_the_gpu_that_the_demo_waits_for() -> None:
    lines = (ROOT / hot_node.NIGHT / "gpus.txt").read_text().splitlines()

    cards = [line.split()[1] for line in lines if line.startswith("gpu ")]
    (slowed,) = (line.split() for line in lines if line.endswith(":0x48"))

    assert len(cards) == 8
    assert device_of(cards[int(slowed[1])]) == hot_node.HOT.device
    assert float(slowed[-1].split(":")[0]) == hot_node.HOT_AT.total_seconds()


@pytest.mark.emulator
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_demo_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", "from reflexarc.cli import main; main()", "demo"]
    with subprocess.Popen(  # noqa: S603 - this interpreter and our own words
        [*command, "--report", tmp_path / "report.json"],
        cwd=ROOT,
        env={"PATH": os.defpath, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    ) as process:
        root = psutil.Process(process.pid)
        assert wait_until(lambda: len(root.children(recursive=True)) >= 3, 20)
        time.sleep(0.5)
        started = root.children(recursive=True)

        process.send_signal(number)
        process.wait(20)

    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
    assert wait_until(lambda: not list(tmp_path.glob("reflexarc-*")), 5)


def test_an_installed_wheel_says_that_the_demo_needs_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="git clone"):
        find_checkout(tmp_path)
