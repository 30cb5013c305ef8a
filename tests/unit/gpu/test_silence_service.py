import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.adapters.memory.fleet import (
    MemoryChecks,
    MemoryFleet,
    MemoryLeavers,
    MemoryPulses,
    MemorySignals,
)
from reflexarc.events.fleet import Unheard
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy, RuleOverride
from reflexarc.gpu.fleet_silence import Quiet
from reflexarc.gpu.silence_service import SilenceChecks, SilenceWatch
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.readings import JOB, NOW, gpu, state

INSTANCE = "i-0a1b2c3d4e5f60718"


@dataclass
class World:
    """A fleet, its watchdog and the function that looks, with a clock to turn."""

    fleet: MemoryFleet = field(default_factory=MemoryFleet)
    leavers: MemoryLeavers = field(default_factory=MemoryLeavers)
    planned: MemoryChecks = field(default_factory=MemoryChecks)
    cleared: MemorySignals = field(default_factory=MemorySignals)
    policy: GpuPolicy = field(default_factory=GpuPolicy)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.pulses = MemoryPulses(self.fleet)
        self._seq = self._second = 0
        self._due: list[tuple[datetime, Unheard]] = []

    def heard(self, *nodes: str, rack: str = "r12", **more: Any) -> None:
        for node in nodes:
            self._seq += 1
            said = state(node, self._seq, rack=rack, queued_at=self.now, **more)
            self.fleet.keep(said, frozenset({self._seq}), f"role:{INSTANCE}-{node}", self.now)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def tick(self) -> int:
        return SilenceWatch(
            pulses=self.pulses,
            leavers=self.leavers,
            checks=self.planned,
            signals=self.cleared,
        ).look(self.now)

    @property
    def checks(self) -> SilenceChecks:
        return SilenceChecks(
            silent=self.pulses,
            leavers=self.leavers,
            policy=lambda: self.policy,
            clock=lambda: self.now,
        )

    def look(self, unheard: Unheard) -> tuple[Signal, ...]:
        return self.checks.signals_of("unheard/1", unheard.model_dump_json(by_alias=True))

    def run(self, seconds: int) -> list[Signal]:
        """Let time pass; return what fired."""
        return [signal for _ in range(seconds) for signal in self.step()]

    def step(self) -> list[Signal]:
        """Let a second pass, with a tick once a minute and each look when it is due."""
        if self._second % 60 == 0:
            self.tick()
            self._due += [
                (self.now + timedelta(seconds=delay), unheard)
                for unheard, delay in self.planned.planned
            ]
            self.planned.planned.clear()
        fired: list[Signal] = []
        for at, unheard in [each for each in self._due if each[0] <= self.now]:
            self._due.remove((at, unheard))
            fired += self.look(unheard)
        self._second += 1
        self.wait(1)
        return fired


@pytest.fixture
def world() -> World:
    return World()


def test_a_node_that_stops_sending_is_told_within_three_minutes(world: World) -> None:
    world.heard("node-7")

    fired = world.run(180)

    (signal,) = fired
    assert (signal.cause, signal.severity, signal.owner) == ("agent/silent", "critical", "oncall")
    assert (signal.entity.kind, signal.entity.node, signal.entity.aspect) == (
        "node", "node-7", "silence",
    )  # fmt: skip
    assert signal.title == "Agent is silent: nothing is heard from the node"
    assert signal.first_at == NOW
    assert signal.labels["rack"] == "r12"


def test_it_says_when_the_node_was_heard_and_what_ran_there(world: World) -> None:
    job = {**JOB, "id": "9", "name": "eval"}
    gpus = [gpu(0, job=JOB), gpu(1, job=JOB), gpu(2, health="warning"), gpu(3, job=job)]
    world.heard("node-7", gpus=gpus)

    (signal,) = world.run(180)

    heard, what, first, second, agent = signal.evidence
    assert heard == "last heard 2026-11-24 03:13:07 UTC, 155 s ago, rack r12"
    assert what == "4 GPUs (NVIDIA H100 80GB HBM3), then 0000:43:00 warning"
    assert first == "job 88123 llama of team-a held 2 GPUs"
    assert second == "job 9 eval of team-a held 1 GPUs"
    assert agent.startswith("agent 0.1.0, boot 5f1c0b0e")
    assert signal.job is None


def test_the_only_job_of_a_node_is_the_signals_job(world: World) -> None:
    world.heard("node-7", gpus=[gpu(0, job={"id": "9"})], rack="")

    (signal,) = world.run(180)

    assert signal.job is not None
    assert signal.job.id == "9"
    assert "job 9 held 1 GPUs" in signal.evidence
    assert "rack" not in signal.labels


def test_a_node_whose_state_nobody_can_read_is_told_of_all_the_same(world: World) -> None:
    world.heard("node-7")
    checks = SilenceChecks(
        silent=Unreadable(world.fleet),
        leavers=world.leavers,
        policy=GpuPolicy,
        clock=lambda: NOW + timedelta(seconds=155),
    )

    (signal,) = checks.signals_of(
        "unheard/1", Unheard(node="node-7", heard_at=NOW).model_dump_json(by_alias=True)
    )

    assert len(signal.evidence) == 1


class Unreadable(MemoryPulses):
    """States of another version."""

    def state(self, node: str) -> None:
        assert node == "node-7"


def test_a_node_without_gpus_or_agent_version_is_told_of_without_them(world: World) -> None:
    world.heard("node-7", gpus=[])
    world.fleet.states["node-7"] = world.fleet.states["node-7"].model_copy(update={"agent": ""})

    (signal,) = world.run(180)

    assert len(signal.evidence) == 1


def test_one_lost_heartbeat_tells_nobody(world: World) -> None:
    world.heard("node-7")

    assert world.run(119) == []
    world.heard("node-7")
    assert world.run(140) == []
    assert world.cleared.sent == []


def test_a_silence_is_told_once_however_long_it_lasts(world: World) -> None:
    world.heard("node-7")

    assert len(world.run(3_600)) == 1
    assert world.cleared.sent == []


def test_a_node_that_is_heard_again_is_told_to_be_well_once(world: World) -> None:
    world.heard("node-7")
    (fired,) = world.run(300)
    world.heard("node-7")

    world.run(61)
    (clear,) = world.cleared.sent
    world.heard("node-7")
    world.run(61)

    assert world.cleared.sent == [clear]
    assert clear.kind == "clear"
    assert clear.entity.fingerprint == fired.entity.fingerprint
    assert clear.order is not None
    assert fired.order is not None
    assert clear.order.boot_id == fired.order.boot_id
    assert clear.order.seq > fired.order.seq


def test_a_node_that_falls_silent_again_is_told_of_again(world: World) -> None:
    world.heard("node-7")
    (first,) = world.run(300)
    world.heard("node-7")

    (second,) = world.run(300)

    assert first.id != second.id
    assert len(world.cleared.sent) == 1
    cleared, order = world.cleared.sent[0].order, second.order
    assert cleared is not None
    assert order is not None
    assert order.seq >= cleared.seq


def test_the_same_look_again_is_the_same_signal(world: World) -> None:
    world.heard("node-7")
    world.wait(155)
    look = Unheard(node="node-7", heard_at=NOW)

    (first,), (again,) = world.look(look), world.look(look)

    assert first.id == again.id


def test_a_look_at_a_node_that_spoke_meanwhile_tells_nothing(world: World) -> None:
    world.heard("node-7")
    world.wait(155)
    world.heard("node-7")

    assert world.look(Unheard(node="node-7", heard_at=NOW)) == ()
    assert world.look(Unheard(node="node-9", heard_at=NOW)) == ()


def test_a_node_that_speaks_at_the_very_moment_of_the_look_is_not_told_of(world: World) -> None:
    class Speaking(MemoryPulses):
        def mark(self, node: str, quiet: Quiet) -> bool:
            world.heard(node)
            return super().mark(node, quiet)

    world.heard("node-7")
    world.wait(155)
    world.pulses = Speaking(world.fleet)

    assert world.look(Unheard(node="node-7", heard_at=NOW)) == ()


def test_a_farewell_is_planned(world: World) -> None:
    world.heard("node-7", farewell=True)

    assert world.run(600) == []


def test_an_instance_that_its_group_ends_is_planned(world: World) -> None:
    world.heard("node-7")
    world.fleet.heard["node-7"] = f"role:{INSTANCE}", NOW.date()
    body = {"schema": "leaving/1", "instance": INSTANCE, "at": NOW.isoformat(), "group": "g"}

    assert world.checks.signals_of("leaving/1", json.dumps(body)) == ()
    assert world.run(300) == []
    world.leavers.instances.clear()
    assert world.run(300) == []


def test_an_end_that_is_known_late_ends_the_silence(world: World) -> None:
    world.heard("node-7")
    world.fleet.heard["node-7"] = f"role:{INSTANCE}", NOW.date()
    assert len(world.run(200)) == 1

    world.leavers.put(INSTANCE, world.now)

    assert world.run(300) == []
    (clear,) = world.cleared.sent
    assert clear.title == "The node left: its Auto Scaling group ended it"


def test_a_rack_that_goes_silent_is_one_incident(world: World) -> None:
    nodes = [f"node-{number}" for number in range(8)]
    for node in nodes:
        world.heard(node)
        world.wait(7)

    fired = world.run(200)

    (rack,) = fired
    assert (rack.entity.kind, rack.entity.device, rack.cause) == ("rack", "r12", "rack/silent")
    assert rack.marks == ("8 nodes, all that the rack has",)
    assert all(any(node in line for line in rack.evidence) for node in nodes)
    assert world.run(600) == []


def test_two_looks_at_the_same_moment_lose_no_rack(world: World) -> None:
    class Racing(MemoryPulses):
        """Another look tells of the rack between this look's reads and its mark."""

        def mark(self, node: str, quiet: Quiet) -> bool:
            world.pulses = MemoryPulses(world.fleet, self.quiet)
            told.extend(world.look(Unheard(node="b", heard_at=NOW, peers=("a",))))
            return super().mark(node, quiet)

    told: list[Signal] = []
    world.heard("a", "b")
    world.wait(155)
    world.pulses = Racing(world.fleet)

    told += world.look(Unheard(node="a", heard_at=NOW, peers=("b",)))
    again = world.look(Unheard(node="b", heard_at=NOW, peers=("a",)))

    assert [signal.cause for signal in told] == ["rack/silent"]
    assert [signal.id for signal in again] == [told[0].id]
    assert world.look(Unheard(node="a", heard_at=NOW, peers=("b",))) == ()


def test_a_rack_is_well_when_all_its_nodes_speak_again(world: World) -> None:
    world.heard("a", "b", "c")
    assert len(world.run(200)) == 1

    world.heard("a", "b")
    assert world.run(61) == []
    assert world.cleared.sent == []
    world.heard("a", "b", "c")
    world.run(61)

    (clear,) = world.cleared.sent
    assert (clear.kind, clear.entity.device) == ("clear", "r12")
    assert clear.title == "All nodes of the rack are heard again, or left"
    assert world.pulses.quiet == {}


def test_one_silent_node_of_a_living_rack_is_the_node(world: World) -> None:
    world.heard("a", "b")
    fired = world.run(60)
    world.heard("b")
    fired += world.run(60)
    world.heard("b")
    fired += world.run(60)

    assert [signal.entity.node for signal in fired] == ["a"]


def test_a_whole_fleet_that_is_not_heard_suspects_whoever_listens(world: World) -> None:
    world.heard("a", rack="r1")
    world.heard("b", rack="r2")

    fired = world.run(180)

    assert {signal.entity.node for signal in fired} == {"a", "b"}
    assert all("reflexarc itself may be deaf" in signal.marks[-1] for signal in fired)


def test_a_node_that_is_silent_among_others_that_speak_is_no_doubt_about_ourselves(
    world: World,
) -> None:
    world.heard("a", rack="r1")
    fired = []
    for _ in range(6):
        world.heard("b", rack="r2")
        fired += world.run(30)

    (signal,) = fired
    assert (signal.entity.node, signal.marks) == ("a", ())


def test_a_peer_that_nobody_knows_any_more_says_nothing(world: World) -> None:
    world.heard("a")
    world.wait(155)

    (signal,) = world.look(Unheard(node="a", heard_at=NOW, rack="r12", peers=("b",)))

    assert signal.entity.kind == "node"


def test_a_fleet_may_judge_silence_differently(world: World) -> None:
    world.policy = GpuPolicy(
        rules=(RuleOverride(rule="agent/silent", severity=Severity.WARNING, action="Call us"),)
    )
    world.heard("node-7")

    (signal,) = world.run(180)

    assert (signal.severity, signal.action) == ("warning", "Call us")


@pytest.mark.parametrize("schema", ["unheard/1", "leaving/1"])
def test_what_makes_no_sense_is_refused_with_the_reason(world: World, schema: str) -> None:
    with pytest.raises(Rejected, match=f"not a message of {schema}"):
        world.checks.signals_of(schema, '{"node": ""}')


def test_a_clear_that_could_not_be_sent_is_sent_at_the_next_tick(world: World) -> None:
    class Broken(MemorySignals):
        def send(self, signals: Any) -> None:
            raise Unavailable(str(signals))

    world.heard("node-7")
    world.run(200)
    world.heard("node-7")
    working, world.cleared = world.cleared, Broken()
    with pytest.raises(Unavailable):
        world.tick()

    world.cleared = working
    world.tick()

    assert len(world.cleared.sent) == 1


@given(
    gaps=st.lists(st.sampled_from([58, 60, 62, 120, 140, 170, 200, 400]), min_size=3, max_size=8),
    start=st.integers(0, 59),
)
@settings(max_examples=60, deadline=None)
def test_whenever_beats_come_each_long_gap_is_told_once_in_time_and_ends(
    gaps: list[int], start: int
) -> None:
    """A tick and a look may meet in one second: both say the same signal, which counts once."""
    world, told = World(), dict[str, int]()
    world.run(start)
    for gap in gaps:
        world.heard("node-7")
        for second in range(gap):
            for signal in world.step():
                told.setdefault(signal.id, second)
    world.heard("node-7")
    world.run(120)

    assert len(told) == sum(gap > 160 for gap in gaps)
    assert all(150 <= second < 180 for second in told.values())
    assert len({clear.id for clear in world.cleared.sent}) == len(told)
