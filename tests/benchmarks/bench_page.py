"""Kernel line appended -> page received, beside Prometheus and Alertmanager at their fastest.

Ours: real agents, the functions in the emulator, one trial a second, each a page of its own. The
peer runs at the same time on the same machine: `alertmanager.py` says with which settings. Then
the first page with every function cold, under awslambdaric at its memory's CPU share.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from reflexarc.emulator import agents
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Alert, audit, percentile
from reflexarc.emulator.demo import Watcher
from reflexarc.emulator.due import Due
from reflexarc.emulator.fidelity import bridged
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes
from tests.benchmarks import alertmanager
from tests.benchmarks.rows import Row
from tests.emulator.story import EACH_ALONE

NODES = 4
TRIALS = 60
APART_S = 1.02  # Slack takes a message a second: its limit is not what is measured
PEER_TRIALS = 30
PEER_TIMEOUT_S = 180
COLD_TRIALS = 5
CHANNELS = (("slack", "slack"), ("pagerduty", "pd"))


def run() -> Iterator[Row]:
    """Measure warm pages beside the peer, then cold ones."""
    with Processes() as processes:
        lane = build(processes, Plan(checkout=alertmanager.ROOT, document=EACH_ALONE))
        nodes = [lane.node(f"bench-{number}") for number in range(NODES)]
        agents.wait_for(nodes)
        lane.stack.warm()
        absent = alertmanager.why_not()
        if absent:
            _say(f"no peer: {absent}")
        peer = None if absent else alertmanager.start(processes, PEER_TRIALS)
        alerts = _trials(lane, nodes, TRIALS)
        latencies = peer.latencies(PEER_TIMEOUT_S) if peer else None
        yield from _warm_rows(alerts, latencies)
        yield from _cold_rows(lane, nodes[0])


@dataclass
class _Quiet:
    """A Show for nobody."""

    pages: list[Alert] = field(default_factory=list)

    def step(self, _: str) -> "nullcontext[None]":
        return nullcontext()

    def remark(self, text: str) -> None:
        """Stay silent."""

    def alerts(self, _: int) -> None:
        """Show nothing."""

    def landed(self, page: Alert) -> None:
        self.pages.append(page)

    def event(self, text: str) -> None:
        """Say nothing."""


def _trials(lane: Lane, nodes: list[Node], trials: int) -> tuple[Alert, ...]:
    watcher = Watcher(lane=lane, show=_Quiet(), read=len(lane.standins.log()))
    due = Due(lane.policy)
    for trial in range(trials):
        _write(nodes[trial % NODES], trial // NODES, due, watcher)
        ends = time.monotonic() + APART_S
        while (left := ends - time.monotonic()) > 0:
            watcher.look(left)
    while not watcher.complete:
        watcher.look(1)
    verdict = audit(watcher.due.values(), watcher.landed)
    if verdict.lost or verdict.duplicates:
        raise RuntimeError(f"{len(verdict.lost)} lost, {len(verdict.duplicates)} duplicates")
    _say(_by_stage(verdict.alerts))
    return verdict.alerts


def _write(node: Node, gpu: int, due: Due, watcher: Watcher) -> None:
    line = f"NVRM: Xid (PCI:0000:{gpu:02x}:00): 79, pid=1, GPU has fallen off the bus."
    pages = due.wrote(node.name, line, datetime.now(UTC))
    at = node.write(line)
    watcher.expect(replace(page, written_at=at) for page in pages)


def _warm_rows(
    alerts: tuple[Alert, ...], peer: dict[str, dict[str, float]] | None
) -> Iterator[Row]:
    for channel, sink in CHANNELS:
        ours = [alert.latency_ms for alert in alerts if alert.channel == channel]
        for name, share in (("p50", 0.50), ("p95", 0.95)):
            yield Row(
                bench="page",
                metric=f"{channel}_{name}",
                unit="ms",
                ours=percentile(ours, share) or 0.0,
                peer=peer[sink][name] * 1000 if peer else None,
                peer_name=alertmanager.NAME if peer else None,
            )


def _cold_rows(lane: Lane, node: Node) -> Iterator[Row]:
    firsts, inits = [], []
    with bridged(lane, ("gpu_alert", "notify"), limit_cpu=True) as bridges:
        for trial in range(COLD_TRIALS):
            for bridge in bridges.values():
                bridge.chill()
            watcher = Watcher(lane=lane, show=_Quiet(), read=len(lane.standins.log()))
            _write(node, 0x80 + trial, Due(lane.policy), watcher)
            while not watcher.complete:
                watcher.look(1)
            alerts = audit(watcher.due.values(), watcher.landed).alerts
            firsts.append(min(alert.latency_ms for alert in alerts))
            _say(f"cold: {[(alert.channel, alert.latency_ms, alert.hops) for alert in alerts]}")
        for name, bridge in bridges.items():
            inits.append(f"{name} {statistics.median(bridge.inits_ms):.0f} ms ({bridge.limit})")
    _say(f"cold: init {', '.join(inits)}")
    yield Row(bench="page", metric="page_cold_ms", unit="ms", ours=statistics.median(firsts))


def _by_stage(alerts: tuple[Alert, ...]) -> str:
    stages = {stage: [a.hops[stage] for a in alerts if stage in a.hops] for stage in alerts[0].hops}
    return "stages, ms: " + ", ".join(
        f"{stage} p50 {percentile(values, 0.5)} p95 {percentile(values, 0.95)}"
        for stage, values in stages.items()
    )


def _say(text: str) -> None:
    sys.stderr.write(f"page: {text}\n")
