"""Real edge agents over files that stand for kernel logs."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import Child, Processes, wait_until
from reflexarc.emulator.stack import Stack

RUN = "from reflexarc.cli import main; main()"


@dataclass(slots=True, kw_only=True)
class Node:
    """One machine: its kernel log, and the agent that reads it."""

    name: str
    log: Path
    agent: Child

    def write(self, line: str) -> datetime:
        """Append a kernel line as one write; return the moment before it."""
        at = datetime.now(UTC)
        with self.log.open("ab", buffering=0) as log:
            log.write(f"{line}\n".encode())
        return at


def start(
    processes: Processes,
    stack: Stack,
    name: str,
    folder: Path,
    *,
    endpoint: Endpoint | None = None,
    queue_url: str | None = None,
    sink: Sequence[str] | None = None,
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Node:
    """Start an agent for one node; `endpoint` is who it is and where it sends, if not as root.

    `sink` has the flags of another sink than the stack's queues. Without an `env` of its own a node
    has no GPU that NVML could see: a developer's own would change what is tested.
    """
    queues = (
        *("--faults-queue-url", queue_url or stack.outputs["GpuFaultsQueueUrl"]),
        *("--readings-queue-url", stack.outputs["GpuReadingsQueueUrl"]),
    )
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "kernel.log"
    log.touch()
    agent = processes.start(
        f"agent-{name}",
        [
            *(sys.executable, "-c", RUN, "agent", "--json"),
            *("--node", name, "--source", f"file:{log}", "--spool-dir", folder / "spool"),
            *(queues if sink is None else sink),
            *(("--no-nvml",) if env is None else ()),
            *options,
        ],
        cwd=folder,
        env={**(endpoint or stack.endpoint).environment(), **(env or {})},
    )
    return Node(name=name, log=log, agent=agent)


def wait_for(nodes: Sequence[Node], timeout_s: float = 30) -> None:
    """Return once every agent reads its log."""
    for node in nodes:

        def reads(node: Node = node) -> bool:
            if not node.agent.running:
                raise LaneUnavailable(f"the agent of {node.name} ended: {node.agent.tail()}")
            return b'"event": "started"' in node.agent.log.read_bytes()

        if not wait_until(reads, timeout_s):
            raise LaneUnavailable(f"the agent of {node.name} is silent: {node.agent.tail()}")
