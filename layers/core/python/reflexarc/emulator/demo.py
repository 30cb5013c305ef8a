"""The demo: kernel lines in, pages out; telemetry in, less of it out; an honest account of all."""

import secrets
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from reflexarc.emulator import agents, hot_node, lane, scenario, standins, storm, telemetry, telling
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Alert, Expected, Landed, alert, audit
from reflexarc.emulator.due import Due
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.hot_node import HotNode
from reflexarc.emulator.lane import Lane, Plan
from reflexarc.emulator.processes import Processes, wait_until
from reflexarc.emulator.report import Fleet, Report
from reflexarc.emulator.report import Storm as Stormed
from reflexarc.emulator.scenario import Written
from reflexarc.events.signal import Hops
from reflexarc.gpu.readings import NodeState

LOGS = Path("build", "demo", "logs")
LATE = "the page of the storm does not name all its nodes"
PATIENCE_S = 40.0  # longer than the visibility of a crashed sender's wake-up (30 s)
QUIET_S = 1.0  # a second page for the same thing would follow the first at once
# A rule looks once a second at what a sensor read once a second. One that is later than that is
# late, and its lateness counts as latency.
PUNCTUAL = timedelta(seconds=3)
FLEET_S = 8.0  # the night's node beats each two seconds
# Enough to see every kind of fault, little enough to stay within half a minute: Slack takes one
# message a second.
INCIDENTS = 13
# Nodes that fault together need several environments of gpu_alert at once.
WARM_ALONGSIDE = 3


class Show(Protocol):
    """Tells a person, or nobody, how the demo goes."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Show that something is being set up while the context lasts."""

    def remark(self, text: str) -> None:
        """Say something that a reader should know."""

    def alerts(self, nodes: int) -> None:
        """Say that the lines begin to flow."""

    def landed(self, page: Alert) -> None:
        """Show a page that just reached its vendor."""

    def event(self, text: str) -> None:
        """Say what happens beside the pages."""


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Follows the vendors' log and matches it with what is due."""

    lane: Lane
    show: Show
    due: dict[tuple[str, str], Expected] = field(default_factory=dict)
    landed: list[Landed] = field(default_factory=list)
    read: int = 0
    """How many requests of the vendors' log are history."""
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def expect(self, pages: Iterable[Expected]) -> None:
        """Remember pages that must come."""
        self.due |= {(page.key, page.channel): page for page in pages}

    def look(self, wait_s: float) -> None:
        """Take in what reached the vendors, waiting for at most so long."""
        entries = self.lane.standins.log(self.read, wait_s)
        self.read += len(entries)
        for page in standins.landed(entries):
            place = (page.key, page.channel)
            told = replace(page, hops=self._hops(place))
            self.landed.append(told)
            if place in self.due:
                self.due[place] = _since(self.due[place], told.hops)
            if place in self.due and place not in self._seen:
                self.show.landed(alert(self.due[place], told))
            self._seen.add(place)

    @property
    def complete(self) -> bool:
        """Return whether every page that is due has come."""
        return self.due.keys() <= self._seen

    def _hops(self, place: tuple[str, str]) -> Hops | None:
        """Return the hops of a page; the sender records them a moment after it posted."""
        expected = self.due.get(place)
        if expected is None:
            return None
        found: list[Hops] = []

        def recorded() -> bool:
            hops = self.lane.hops(expected)
            found.extend([hops] if hops else [])
            return bool(found)

        wait_until(recorded, 0.5)
        return found[0] if found else None


def _since(due: Expected, hops: Hops | None) -> Expected:
    """Return when a page's way began: for a node's own finding, when its rule found it in time."""
    if hops is None or not due.by_the_node or hops.observed_at - due.written_at > PUNCTUAL:
        return due
    return replace(due, written_at=hops.observed_at)


def play(running: Lane, show: Show, checkout: Path, incidents: int = INCIDENTS) -> Report:
    """Let the sample nodes log that many incidents, and report what became of each."""
    # An emulator that is not ours may remember the incidents of an earlier run as open.
    suffix = "" if running.emulator else f"-{secrets.token_hex(2)}"
    due = Due(running.policy)
    logs = scenario.logs_of(checkout, suffix)
    services = telemetry.begin(running, checkout)
    with show.step(f"starting {len(logs) + 1} edge agents, one of them with 8 GPUs"):
        nodes = {name: running.node(name) for name in logs}
        hot, without = _hot_node(running, checkout, due, suffix)
        agents.wait_for((*nodes.values(), *([hot.node] if hot else [])))
    if without:
        show.remark(without)
    with show.step("waking the functions with canaries, all cold at once"):
        began = time.monotonic()
        running.stack.warm(alongside=WARM_ALONGSIDE)
        warm_up_ms = round((time.monotonic() - began) * 1000, 1)
    show.alerts(len(nodes) + (hot is not None))
    watcher = Watcher(lane=running, show=show, read=len(running.standins.log()))
    watcher.expect(hot.begin() if hot else ())
    _write(nodes, services.seeing(scenario.interleaved(logs)), watcher, due, incidents)
    _await(watcher)
    taken = services.outcome()
    for text in telling.lines_of(taken):
        show.event(text)
    broke = _storm(watcher, due, suffix)
    _listen(watcher, QUIET_S)
    verdict = audit(watcher.due.values(), watcher.landed)
    fleet = _fleet(running, hot, watcher) if hot else None
    return Report.of(verdict, warm_up_ms, fleet, broke, taken)


def _await(watcher: Watcher) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not watcher.complete and time.monotonic() < deadline:
        watcher.look(0.5)


def _storm(watcher: Watcher, due: Due, suffix: str) -> Stormed:
    """Let a pod lose its GPUs, and somebody take it on; return what became of both."""
    running, show, before = watcher.lane, watcher.show, len(watcher.landed)
    broke = storm.break_out(running, due, suffix)
    watcher.expect(broke.pages)
    show.event(f"{storm.GPUS} GPUs of {len(broke.nodes)} nodes are lost at once")
    _await(watcher)
    says = storm.told(running, broke)
    what = " · ".join(says.split(" · ")[:2])  # what broke and where, without what to do
    show.event(f"one page, whose message names all {len(broke.nodes)}: {what}" if says else LATE)
    acked_ms = storm.taken_on(running, broke) if says else None
    if acked_ms is not None:
        show.event(f"{storm.WHO} pressed Ack in Slack; PagerDuty knew after {acked_ms:.0f} ms")
    return Stormed(
        nodes=len(broke.nodes),
        gpus=storm.GPUS,
        pages=len({page.key for page in watcher.landed[before:]}),
        says=says,
        acked_by=storm.WHO,
        acked_ms=acked_ms,
    )


def _fleet(running: Lane, hot: HotNode, watcher: Watcher) -> Fleet | None:
    """Return what the hot node said of itself after its last page; readings come later than it."""
    name = hot.node.name
    own = {place for place, page in watcher.due.items() if page.node == name}
    moments = [page.at for page in watcher.landed if (page.key, page.channel) in own]
    last = max(moments, default=datetime.min.replace(tzinfo=UTC))
    found: list[NodeState] = []

    def known() -> bool:
        state = running.fleet(name)
        found.extend([state] if state is not None and state.gpus and state.sent_at > last else [])
        return bool(found)

    if not wait_until(known, FLEET_S):
        return None
    (state,) = found
    return Fleet(
        node=state.node,
        gpus=len(state.gpus),
        health=dict(Counter(gpu.health for gpu in state.gpus)),
        jobs=tuple(sorted({gpu.job.id for gpu in state.gpus if gpu.job})),
    )


def _hot_node(running: Lane, checkout: Path, due: Due, suffix: str) -> tuple[HotNode | None, str]:
    """Start the node with GPUs, or say why there is none."""
    try:
        return hot_node.start(running, checkout, due, suffix), ""
    except LaneUnavailable as error:
        return None, f"no node with GPUs: {error}"


def run(plan: Plan, show: Show, processes: Processes) -> tuple[Lane, Report]:
    """Put the lane together and play the scenario; the caller's context ends all of it."""
    running = lane.build(processes, plan, show.step)
    return running, play(running, show, plan.checkout)


def _write(
    nodes: dict[str, Node],
    lines: Iterable[Written],
    watcher: Watcher,
    due: Due,
    incidents: int,
) -> None:
    for written in lines:
        if len({page.key for page in watcher.due.values()}) >= incidents:
            break
        # Worked out first, stamped at the write: our own thinking must not count as latency.
        pages = due.wrote(written.node, written.line, datetime.now(UTC))
        at = nodes[written.node].write(written.line)
        watcher.expect(replace(page, written_at=at) for page in pages)
        if pages:  # what else the kernel says of a fault comes at once, as it does on a node
            _listen(watcher, scenario.BETWEEN_FAULTS_S)


def _listen(watcher: Watcher, duration_s: float) -> None:
    deadline = time.monotonic() + duration_s
    while (left := deadline - time.monotonic()) > 0:
        watcher.look(left)
