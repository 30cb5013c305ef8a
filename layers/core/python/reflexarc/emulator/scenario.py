"""What the demo's nodes log, and when: some of `samples/kernel-logs`, one file a node."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.gpu.parse import parse

LOGS = Path("samples", "kernel-logs")
# The other samples are lines of many machines, or need a /dev/kmsg to be read from.
NODES = {
    "node-07": "night-on-a-node.log",
    "rack4-tray07": "gb200-tray.log",
    "node-31": "near-misses.log",  # sounds like faults and has none: must stay silent
}
# Slack takes about one message a second in a channel. Faults that come faster would be told
# later, rightly, and the demo would show Slack's limit instead of our latency.
BETWEEN_FAULTS_S = 0.87


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One kernel line of one node."""

    node: str
    line: str


def logs_of(checkout: Path, suffix: str = "") -> dict[str, list[str]]:
    """Return the sample logs by node name; the suffix makes the nodes new ones."""
    folder = checkout / LOGS
    try:
        texts = {node: (folder / name).read_text("utf-8") for node, name in NODES.items()}
    except OSError as error:
        raise LaneUnavailable(f"the sample logs are incomplete: {error}") from error
    return {f"{node}{suffix}": text.splitlines() for node, text in texts.items()}


def interleaved(logs: dict[str, list[str]]) -> Iterator[Written]:
    """Yield the nodes' lines in turns: each node speaks up to and including its next fault."""
    waiting = {node: iter(lines) for node, lines in logs.items()}
    while waiting:
        for node in tuple(waiting):
            for line in waiting[node]:
                is_fault = parse(line).kind != "none"
                yield Written(node=node, line=line)
                if is_fault:
                    break
            else:
                del waiting[node]
