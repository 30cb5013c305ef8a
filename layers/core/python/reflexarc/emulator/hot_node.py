"""One night on a node: an agent over the NVML stub, and what must come of it.

What is due follows from the scenario's file: the agent, its rules and the cloud are not asked.
"""

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from reflexarc.emulator import agents
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Expected
from reflexarc.emulator.due import Due
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.nvml_stub import SOURCES, VARIABLE, build
from reflexarc.emulator.processes import free_port, wait_for_http
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.severity import Severity

NIGHT = Path("samples", "night-on-a-node")
NAME = "gpu-node-12"
BUILT = Path("build", "nvml-stub")
# samples/night-on-a-node/gpus.txt: when the hardware slows GPU 3 down, and for how long that must
# last until it is a fault.
HOT_AT = timedelta(seconds=1)
HELD = timedelta(seconds=10)
# Second 0 of a night that has not begun: until then the stub shows the first values.
_NEVER = 4_000_000_000.0
HOT = Finding(
    rule="thermal/hw-slowdown",
    aspect="thermal",
    device="0000:5d:00",
    severity=Severity.CRITICAL,
    says="slowed down by the hardware for heat",
    observed_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HotNode:
    """A node whose night has not begun.

    `night` has its samples; `played` is what its NVML plays, `page` what its exporter shows.
    """

    node: Node
    night: Path
    played: Path
    page: Path
    due: Due

    def begin(self) -> Sequence[Expected]:
        """Begin, and let kernel and exporter tell of an Xid; return the pages of the whole night.

        NVML tells of the same Xid by itself. It is one fault.
        """
        name, pages = self.node.name, []
        hot_at = _play(self.night, self.played, time.time()) + HOT_AT + HELD
        pages += self.due.found(name, HOT.model_copy(update={"observed_at": hot_at}), hot_at)
        for line in (self.night / "kernel.log").read_text("utf-8").splitlines():
            at = self.node.write(line)
            pages += self.due.wrote(name, line, at)
        _show(self.night / "dcgm-xid-94.txt", self.page)
        return pages


def start(running: Lane, checkout: Path, due: Due, suffix: str = "") -> HotNode:
    """Start the node's agent, and tell `due` its labels.

    Raises LaneUnavailable where the stub cannot be compiled.
    """
    library = build(checkout / BUILT, checkout / SOURCES)
    name = f"{NAME}{suffix}"
    folder = running.processes.folder(f"node-{name}")
    night, served, played = checkout / NIGHT, folder / "exporter", folder / "gpus.txt"
    served.mkdir()
    page = served / "metrics.txt"
    try:
        shutil.copytree(night / "jobs", folder / "jobs")
        settings = (night / "agent.yaml").read_text("utf-8")
        _play(night, played, _NEVER)
        _show(night / "dcgm-quiet.txt", page)
    except OSError as error:
        raise LaneUnavailable(f"the night on a node is incomplete: {error}") from error
    config = folder / "agent.yaml"
    url = _exporter(running, served)
    config.write_text(f"{settings}jobs_dir: {folder / 'jobs'}\ndcgm_url: {url}\n", "utf-8")
    node = agents.start(
        running.processes,
        running.stack,
        name,
        folder,
        endpoint=running.agent_endpoint,
        options=("--config", str(config)),
        env={"LD_LIBRARY_PATH": str(library.parent), VARIABLE: str(played)},
    )
    due.labelled(name, yaml.safe_load(settings)["labels"])
    return HotNode(node=node, night=night, played=played, page=page, due=due)


def _play(night: Path, played: Path, began: float) -> datetime:
    """Let the NVML play the night from a moment of Unix time, and return that moment."""
    scenario = (night / "gpus.txt").read_text("utf-8")
    new = played.with_suffix(".new")
    new.write_text(f"start {began:.6f}\n{scenario}", "utf-8")
    new.replace(played)
    return datetime.fromtimestamp(began, UTC)


def _exporter(running: Lane, folder: Path) -> str:
    """Serve a folder as the exporter would its page; return the page's address."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    child = running.processes.start(f"exporter-{port}", command, cwd=folder)
    url = f"http://127.0.0.1:{port}/metrics.txt"
    wait_for_http(url, child)
    return url


def _show(sample: Path, page: Path) -> None:
    """Put a sample in the page's place at once: a scrape sees one or the other."""
    new = page.with_suffix(".new")
    shutil.copyfile(sample, new)
    new.replace(page)
