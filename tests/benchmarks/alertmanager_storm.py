"""The peer of bench_storm: the same storm through Prometheus and Alertmanager."""

import json
from dataclasses import dataclass
from typing import Any

from reflexarc.emulator.processes import Processes, free_port
from tests.benchmarks import alertmanager

TIMEOUT_S = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStorm:
    """What a storm came to there."""

    name: str
    named: int
    """Nodes that a delivered Slack message names."""
    pagerduty: int
    delivered: int
    limited: int
    """Slack messages that were refused for their rate; Alertmanager gives them up."""


def run(processes: Processes, group: str, *, rate: float, wait_s: int, hosts: int) -> PeerStorm:
    """Run one storm at their fastest sensible settings; `group` is what alerts are grouped by."""
    folder = processes.folder(f"storm-{group}")
    result = folder / "result.json"
    base = min(free_port(), alertmanager.HIGHEST_BASE)
    options = ("--aggr", "--group", group, "--rate", str(rate), "--wait", str(wait_s))
    child = processes.start(
        f"alertmanager-storm-{group}",
        [
            *(alertmanager.python(), alertmanager.SCRIPT, "storm", *options),
            *("--hosts", str(hosts), "--base", str(base), "--out", result),
        ],
        cwd=folder,
    )
    child.process.wait(TIMEOUT_S + wait_s)
    if not result.exists():
        raise RuntimeError(f"the peer's storm failed: {child.tail()}")
    told: dict[str, Any] = json.loads(result.read_text())
    by = {"alert": "alertname", "node": "alertname and node"}[group]
    return PeerStorm(
        name=f"alertmanager by {by}, Slack at {rate:g}/s" if rate else f"alertmanager by {by}",
        named=told["hosts_named_in_delivered_slack"],
        pagerduty=told["pd_incidents"],
        delivered=_number(told["slack_ok"]),
        limited=_number(told["slack_429"]),
    )


def _number(found: dict[str, Any] | None) -> int:
    return int(found["n"]) if found else 0
