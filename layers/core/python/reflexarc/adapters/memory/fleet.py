"""Fills gpu.fleet_ports in memory."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from reflexarc.events.fleet import Unheard
from reflexarc.events.signal import Signal
from reflexarc.gpu.fleet_ports import Kept, Rack
from reflexarc.gpu.fleet_rack import LABEL, Heat
from reflexarc.gpu.fleet_silence import WITNESS, Pulse, Quiet
from reflexarc.gpu.fleet_tally import Tally, merge
from reflexarc.gpu.readings import NodeState, RunningHour
from reflexarc.kernel.clock import epoch_ms


@dataclass(frozen=True, slots=True)
class MemoryFleet:
    """Every node's state, tally, hours and heat."""

    states: dict[str, NodeState] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    hours: dict[tuple[str, str, datetime, datetime], RunningHour] = field(default_factory=dict)
    racks: dict[str, dict[str, Heat]] = field(default_factory=dict)
    fired: dict[str, tuple[int, bool]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    heard: dict[str, tuple[str, date]] = field(default_factory=dict)
    born: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(
        self, state: NodeState, seqs: frozenset[int], sender: str, now: datetime
    ) -> Kept | None:
        """Keep a state that follows the one that this sender left before, on the same day."""
        known = self.tallies.get(state.node)
        if known is None or self.heard.get(state.node) != (sender, now.date()):
            return None
        after = (known.boot_id, known.seq + 1, known.seq + len(seqs))
        if (state.boot_id, min(seqs), max(seqs)) != after:
            return None
        return self.keep(state, seqs, sender, now)

    def keep(self, state: NodeState, seqs: frozenset[int], sender: str, now: datetime) -> Kept:
        """Keep a node's newest state, of a sender that speaks for it, unless a newer is there."""
        with self.lock:
            node, known = state.node, self.tallies.get(state.node)
            told, born = self.told.get(node, ""), self.born.get(node)
            before = self.states[node] if born is not None else None
            merged = merge(known, state.boot_id, seqs, epoch_ms(state.queued_at))
            if merged is None:
                same = known is not None and (known.boot_id, known.seq) == (
                    state.boot_id,
                    state.seq,
                )
                return Kept(newest=same, told=told, born=born, before=before)
            if merged.fresh and known is not None and known.boot_id != state.boot_id:
                self.born[node] = epoch_ms(state.queued_at)
            self.tallies[node] = merged.tally
            if merged.fresh:
                self.states[node] = state
                self.heard[node] = sender, now.date()
            return Kept(
                newest=merged.fresh,
                lost=merged.lost,
                recovered=merged.recovered,
                told=told,
                born=born,
                before=before,
            )

    def witness(self, state: NodeState, now: datetime) -> bool:
        """Keep what telemetry says of a node that no agent speaks for; False where one does."""
        with self.lock:
            node, known = state.node, self.tallies.get(state.node)
            at = epoch_ms(state.queued_at)
            if known is not None and (self.heard[node][0] != WITNESS or known.queued_ms > at):
                return False
            self.tallies[node] = Tally(boot_id=state.boot_id, seq=state.seq, queued_ms=at)
            self.states[node] = state
            self.heard[node] = WITNESS, now.date()
            return True

    def count(self, node: str, hours: Sequence[RunningHour], now: datetime) -> None:  # noqa: ARG002 - the port's
        """Keep hours that are over; the same hour again replaces itself."""
        for hour in hours:
            self.hours[node, hour.device, hour.hour, hour.since] = hour

    def turn(self, rack: str, heat: Heat, now: datetime) -> Rack:  # noqa: ARG002 - the port's
        """Keep how hot a node is unless newer is known; return its rack."""
        with self.lock:
            rows = self.racks.setdefault(rack, {})
            known = rows.get(heat.node)
            if known is None or known.queued_ms <= heat.queued_ms:
                rows[heat.node] = heat
            return Rack(rows=tuple(rows.values()), fired=self.fired.get(rack, (0, False))[1])

    def tell(self, heat: Heat) -> None:
        """Remember that a node's rack was told of its heat."""
        self.told[heat.node] = heat.told

    def mark(self, rack: str, queued_ms: int, now: datetime, *, fired: bool) -> None:  # noqa: ARG002 - the port's
        """Remember whether a rack's signal stands, unless newer is known."""
        with self.lock:
            if self.fired.get(rack, (0, False))[0] <= queued_ms:
                self.fired[rack] = queued_ms, fired

    def settle(self, node: str, born: int) -> None:
        """Remember that the GPUs of a boot that began then need no further look."""
        if self.born.get(node) == born:
            del self.born[node]


@dataclass(frozen=True, slots=True)
class MemoryPulses:
    """When each node of a fleet was last heard, and what was told of silences."""

    fleet: MemoryFleet
    quiet: dict[str, Quiet] = field(default_factory=dict)

    def listed(self) -> Sequence[Pulse]:
        """Return every node."""
        return [self._pulse(state) for state in self.fleet.states.values()]

    def lift(self, node: str, quiet: Quiet) -> None:
        """Forget what was told of a silence, unless something else was told since."""
        if self.quiet.get(node) == quiet:
            del self.quiet[node]

    def pulse(self, node: str) -> Pulse | None:
        """Return when a node was last heard, None for an unknown node."""
        state = self.fleet.states.get(node)
        return None if state is None else self._pulse(state)

    def state(self, node: str) -> NodeState | None:
        """Return what a node last said."""
        return self.fleet.states.get(node)

    def mark(self, node: str, quiet: Quiet) -> bool:
        """Remember what is told of a silence, the first time."""
        pulse = self.pulse(node)
        if pulse is None or pulse.heard_ms != quiet.heard_ms or pulse.told is not None:
            return False
        self.quiet[node] = quiet
        return True

    def _pulse(self, state: NodeState) -> Pulse:
        return Pulse(
            node=state.node,
            heard_ms=epoch_ms(state.queued_at),
            sender=self.fleet.heard[state.node][0],
            rack=state.labels.get(LABEL, ""),
            gone=state.left,
            quiet=self.quiet.get(state.node),
        )


@dataclass(frozen=True, slots=True)
class MemoryLeavers:
    """Instances that end."""

    instances: set[str] = field(default_factory=set)

    def put(self, instance: str, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Remember that an instance ends."""
        self.instances.add(instance)

    def among(self, instances: Sequence[str]) -> frozenset[str]:
        """Return those that end."""
        return self.recent() & set(instances)

    def recent(self) -> frozenset[str]:
        """Return all that end."""
        return frozenset(self.instances)


@dataclass(frozen=True, slots=True)
class MemoryChecks:
    """Keeps the looks that were planned, with their delays."""

    planned: list[tuple[Unheard, int]] = field(default_factory=list)

    def later(self, looks: Sequence[tuple[Unheard, int]]) -> None:
        """Keep the looks."""
        self.planned.extend(looks)


@dataclass(frozen=True, slots=True)
class MemorySignals:
    """Keeps the signals sent, in order."""

    sent: list[Signal] = field(default_factory=list)

    def send(self, signals: Sequence[Signal]) -> None:
        """Keep the signals."""
        self.sent.extend(signals)
