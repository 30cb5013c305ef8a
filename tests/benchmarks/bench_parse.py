"""How many kernel lines a second one core reads, beside the usual way: one search a line.

The peer is our own rendering of what monitors do: one regular expression that takes the code, the
device, the process and the rest; no MIG, no NVLink 5, no wrappings, no near misses. CPU time, in
turns, best of rounds.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from reflexarc.gpu.parse import parse
from tests.benchmarks.rows import Row

LOGS = Path(__file__).parents[2] / "samples" / "kernel-logs"
LINES = 60_000
ROUNDS = 5
PEER = "one regex search a line: code, device, pid, name"

_PEER = re.compile(
    r"(?:NVRM: Xid|SXid) \(PCI:([0-9a-fA-F:.]+)\): (\d+)"
    r"(?:, pid=(?:'<unknown>'|(\d+)))?(?:, name=([^,]+))?(?:, (.*))?"
)


@dataclass(frozen=True)
class _Found:
    """What a monitor keeps of a line."""

    device: str
    code: int
    pid: int | None
    process: str | None
    message: str | None


def _peer(line: str) -> _Found | None:
    found = _PEER.search(line)
    if found is None:
        return None
    device, code, pid, process, message = found.groups()
    return _Found(device, int(code), int(pid) if pid else None, process, message)


def _corpora() -> tuple[list[str], list[str]]:
    """Return noise and fault lines, repeated in their order to the same length."""
    lines = [
        line
        for name in ("night-on-a-node.log", "gb200-tray.log")
        for line in (LOGS / name).read_text("utf-8").splitlines()
    ]
    faults = [line for line in lines if parse(line).kind != "none"]
    noise = [line for line in lines if parse(line).kind == "none"]
    return list(islice(cycle(noise), LINES)), list(islice(cycle(faults), LINES))


def _rate(read: Callable[[str], object], lines: Sequence[str]) -> float:
    began = time.process_time()
    for line in lines:
        read(line)
    return len(lines) / (time.process_time() - began)


def run() -> Iterator[Row]:
    """Yield lines per second for noise, as most lines are, and for faults alone."""
    for metric, lines in zip(("noise_lines_per_s", "xid_lines_per_s"), _corpora(), strict=True):
        rounds = [(_rate(parse, lines), _rate(_peer, lines)) for _ in range(ROUNDS)]
        yield Row(
            bench="parse",
            metric=metric,
            unit="lines/s",
            ours=round(max(ours for ours, _ in rounds)),
            peer=round(max(peer for _, peer in rounds)),
            peer_name=PEER,
        )
