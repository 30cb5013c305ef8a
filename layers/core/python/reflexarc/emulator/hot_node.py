"""One night on a node: an agent over the NVML stub, and what must come of it.

What is due follows from the scenario's file: the agent, its rules and the cloud are not asked.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reflexarc.emulator import agents
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Expected
from reflexarc.emulator.due import Due
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.nvml_stub import SOURCES, VARIABLE, build
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.severity import Severity

NIGHT = Path("samples", "night-on-a-node")
NAME = "gpu-node-12"
BUILT = Path("build", "nvml-stub")
# samples/night-on-a-node/gpus.txt: when the hardware slows GPU 3 down, and for how long that must
# last until it is a fault.
HOT_AT = timedelta(seconds=4)
HELD = timedelta(seconds=10)
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
    """A node whose night began at `began`."""

    node: Node
    began: datetime
    due: Due = field(default_factory=Due)

    def expected(self) -> Sequence[Expected]:
        """Return the pages that the night makes due."""
        at = self.began + HOT_AT + HELD
        return self.due.found(self.node.name, HOT.model_copy(update={"observed_at": at}), at)


def start(running: Lane, checkout: Path, suffix: str = "") -> HotNode:
    """Start the node's agent; raises LaneUnavailable where the stub cannot be compiled."""
    library = build(checkout / BUILT, checkout / SOURCES)
    name = f"{NAME}{suffix}"
    folder = running.processes.folder(f"node-{name}")
    try:
        shutil.copytree(checkout / NIGHT / "jobs", folder / "jobs")
        settings = (checkout / NIGHT / "agent.yaml").read_text("utf-8")
        scenario = (checkout / NIGHT / "gpus.txt").read_text("utf-8")
    except OSError as error:
        raise LaneUnavailable(f"the night on a node is incomplete: {error}") from error
    config = folder / "agent.yaml"
    config.write_text(f"{settings}jobs_dir: {folder / 'jobs'}\n", "utf-8")
    began = time.time()
    played = folder / "gpus.txt"
    played.write_text(f"start {began:.6f}\n{scenario}", "utf-8")
    node = agents.start(
        running.processes,
        running.stack,
        name,
        folder,
        endpoint=running.agent_endpoint,
        options=("--config", str(config)),
        env={"LD_LIBRARY_PATH": str(library.parent), VARIABLE: str(played)},
    )
    return HotNode(node=node, began=datetime.fromtimestamp(began, UTC))
