"""A driver kills 5,000 GPUs within a second; then 800,000 lines come from 29 GPUs.

Ours runs in the emulator with Slack's stand-in at one message a second, behind a table that
conflicts and throttles, which the emulator never does; once as it is, and once while functions are
killed. Prometheus and Alertmanager take the same storm afterwards, in the same run: both would take
all of the machine. Write units are counted from the real requests (reflexarc.emulator.capacity).
"""

import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack

from reflexarc.emulator.capacity import Counts
from reflexarc.emulator.flaky_table import FlakyTable, Troubles, flaky
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes, wait_until
from tests.benchmarks import alertmanager, alertmanager_storm
from tests.benchmarks.alertmanager_storm import PeerStorm
from tests.benchmarks.rows import Row
from tests.benchmarks.storm_crowd import Crowd, Uproar, post
from tests.benchmarks.storm_killer import Killer
from tests.benchmarks.storm_lines import Lines
from tests.benchmarks.storm_watch import Told, faults_by_node, follow

NODES, GPUS = 625, 8
TROUBLES = Troubles(conflicts=0.10, throttles=0.02)
FUNCTIONS = ("gpu_alert", "incident", "notify", "slack_action", "watchdog")
TABLES = ("IncidentsTableName", "FleetTableName")
TIMEOUT_S = 240.0
KILLS, KILLING_S = 12, 20.0
# What a storm may be, by metric: after 60 s every node can be found from one page.
WANTED = {
    "all_nodes_reachable": "60 s at most; with kills, 60 s and what a killed batch waits",
    "pagerduty_incidents": "1",
    "slack_roots": "1",
    "nodes_lost": "0",
    "faults_lost": "0",
    "duplicates": "0",
}
LINES, NOISY_GPUS = 800_000, 29
LINES_TIMEOUT_S = 120.0
PEER_WAIT_S = 60


def run() -> Iterator[Row]:
    """Measure both storms of ours, then the peer's."""
    told = yield from _crowd()
    yield from _crowd(kills=KILLS)
    yield from _lines()
    yield from _peers(told)


def _crowd(kills: int = 0) -> Generator[Row, None, Told]:
    name = "storm_kill" if kills else "storm"
    with ExitStack() as stack:
        lane, table = _lane(stack)
        crowd = Crowd(nodes=NODES, gpus=GPUS)
        uproar = Uproar(crowd=crowd)
        queue = lane.stack.outputs["GpuFaultsQueueUrl"]
        speaking = threading.Thread(target=uproar.say, args=(lane.endpoint, queue))
        speaking.start()
        killer = Killer(lane=lane, kills=kills, within_s=KILLING_S, seed=1)
        if kills:
            killer.start()
        told = follow(lane, crowd.names, uproar.began, TIMEOUT_S)
        speaking.join()
        killer.join()
        _say(f"{name}: {told.calls}; killed {killer.killed}; refused {dict(table.counts.refused)}")
        for row in _rows(name, told, table.counts):
            if row.metric in WANTED:
                _say(f"{name}: {row.metric} {row.ours} {row.unit}; wanted: {WANTED[row.metric]}")
            yield row
    return told


def _rows(name: str, told: Told, counts: Counts) -> Iterator[Row]:
    incidents = sum(number for number, _ in told.faults.values())
    faults = sum(number for _, number in told.faults.values())
    if told.reachable_s is None or told.settled_s is None:
        raise RuntimeError(f"not all was told within {TIMEOUT_S:.0f} s: {told.shown}")
    yield Row(name, "all_nodes_reachable", "s", round(told.reachable_s, 1))
    yield Row(name, "all_settled", "s", round(told.settled_s, 1))
    yield Row(name, "nodes_reachable", "nodes", len(told.shown.named))
    yield Row(name, "nodes_lost", "nodes", NODES - len(told.shown.named))
    yield Row(name, "faults_lost", "faults", NODES * GPUS - faults)
    yield Row(name, "incidents", "incidents", incidents)
    yield Row(name, "pagerduty_incidents", "incidents", told.pagerduty)
    yield Row(name, "slack_roots", "messages", told.shown.roots)
    yield Row(name, "duplicates", "messages", len(told.shown.doubled))
    slack = sum(times for call, times in told.calls.items() if call.startswith("slack"))
    yield Row(name, "slack_calls", "calls", slack)
    yield Row(name, "slack_429", "calls", told.calls.get("429", 0))
    yield Row(name, "write_units", "WRU", round(counts.writes))
    yield Row(name, "write_units_an_incident", "WRU", round(counts.writes / incidents, 1))
    yield Row(name, "read_units", "RRU", round(counts.reads))


def _lines() -> Iterator[Row]:
    """Many lines of few GPUs: through the agents' own collapsing, then as any message."""
    lines = Lines(lines=LINES, gpus=NOISY_GPUS)
    began = time.monotonic()
    messages = list(lines.messages())
    _say(f"{LINES:,} lines are {len(messages)} messages ({time.monotonic() - began:.1f} s)")
    with ExitStack() as stack:
        lane, table = _lane(stack)
        queue = lane.stack.outputs["GpuFaultsQueueUrl"]
        post(lane.endpoint.client("sqs"), queue, messages)

        def counted() -> int:
            return sum(faults for _, faults in faults_by_node(lane).values())

        wait_until(lambda: counted() >= LINES, LINES_TIMEOUT_S, every_s=1.0)
        incidents = sum(number for number, _ in faults_by_node(lane).values())
        yield Row("storm", "xid95_incidents", "incidents", incidents)
        yield Row("storm", "xid95_lines_miscounted", "lines", abs(LINES - counted()))
        yield Row("storm", "xid95_messages", "messages", len(messages))
        writes = table.counts.writes / max(1, incidents)
        yield Row("storm", "xid95_write_units_an_incident", "WRU", round(writes, 1))


def _peers(ours: Told) -> Iterator[Row]:
    absent = alertmanager.why_not()
    if absent:
        _say(f"no peer: {absent}")
        return
    with Processes() as processes:
        for group, rate in (("alert", 1.0), ("node", 1.0)):
            peer = alertmanager_storm.run(
                processes, group, rate=rate, wait_s=PEER_WAIT_S, hosts=NODES
            )
            yield from _beside(ours, peer)


def _beside(ours: Told, peer: PeerStorm) -> Iterator[Row]:
    slack = sum(times for call, times in ours.calls.items() if call.startswith("slack"))
    for metric, unit, own, theirs in (
        ("nodes_named_after_60_s", "nodes", ours.at_a_minute, peer.named),
        ("pagerduty_incidents", "incidents", ours.pagerduty, peer.pagerduty),
        ("slack_delivered", "messages", slack, peer.delivered),
        ("slack_429", "calls", ours.calls.get("429", 0), peer.limited),
    ):
        yield Row("storm", metric, unit, own, theirs, peer.name)


def _lane(stack: ExitStack) -> tuple[Lane, FlakyTable]:
    """Build a lane of its own behind a flaky table, warm, with nothing counted yet."""
    processes = stack.enter_context(Processes())
    lane = build(processes, Plan(checkout=alertmanager.ROOT))
    functions = [lane.stack.function(name) for name in FUNCTIONS]
    tables = [lane.stack.outputs[name] for name in TABLES]
    table = stack.enter_context(flaky(lane.endpoint, functions, tables, TROUBLES))
    lane.stack.warm(alongside=2)
    table.restart_counts()
    return lane, table


def _say(text: str) -> None:
    sys.stderr.write(f"storm: {text}\n")
