"""The demo: kernel lines in, pages out, and an honest account of both."""

import secrets
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from reflexarc.emulator import agents, lane, scenario, standins
from reflexarc.emulator.agents import Node
from reflexarc.emulator.audit import Alert, Expected, Landed, alert, audit
from reflexarc.emulator.due import Due
from reflexarc.emulator.lane import Lane, Plan
from reflexarc.emulator.processes import Processes, wait_until
from reflexarc.emulator.report import Report
from reflexarc.events.signal import Hops

LOGS = Path("build", "demo", "logs")
PATIENCE_S = 40.0  # longer than the visibility of a crashed sender's wake-up (30 s)
QUIET_S = 1.0  # a second page for the same thing would follow the first at once
# Enough to see every kind of fault, little enough to stay within half a minute: Slack takes one
# message a second.
INCIDENTS = 13
# Nodes that fault together need several environments of gpu_alert at once.
WARM_ALONGSIDE = 3


class Show(Protocol):
    """Tells a person, or nobody, how the demo goes."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Show that something is being set up while the context lasts."""

    def alerts(self, nodes: int) -> None:
        """Say that the lines begin to flow."""

    def landed(self, page: Alert) -> None:
        """Show a page that just reached its vendor."""


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


def play(running: Lane, show: Show, checkout: Path, incidents: int = INCIDENTS) -> Report:
    """Let the sample nodes log that many incidents, and report what became of each."""
    # An emulator that is not ours may remember the incidents of an earlier run as open.
    suffix = "" if running.emulator else f"-{secrets.token_hex(2)}"
    logs = scenario.logs_of(checkout, suffix)
    with show.step(f"starting {len(logs)} edge agents"):
        nodes = {name: running.node(name) for name in logs}
        agents.wait_for(tuple(nodes.values()))
    with show.step("waking the functions with canaries, all cold at once"):
        began = time.monotonic()
        running.stack.warm(alongside=WARM_ALONGSIDE)
        warm_up_ms = round((time.monotonic() - began) * 1000, 1)
    show.alerts(len(nodes))
    watcher = Watcher(lane=running, show=show, read=len(running.standins.log()))
    _write(nodes, logs, watcher, incidents)
    deadline = time.monotonic() + PATIENCE_S
    while not watcher.complete and time.monotonic() < deadline:
        watcher.look(0.5)
    _listen(watcher, QUIET_S)
    verdict = audit(watcher.due.values(), watcher.landed)
    return Report.of(verdict, warm_up_ms)


def run(plan: Plan, show: Show, processes: Processes) -> tuple[Lane, Report]:
    """Put the lane together and play the scenario; the caller's context ends all of it."""
    running = lane.build(processes, plan, show.step)
    return running, play(running, show, plan.checkout)


def _write(
    nodes: dict[str, Node], logs: dict[str, list[str]], watcher: Watcher, incidents: int
) -> None:
    due = Due()
    for written in scenario.interleaved(logs):
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
