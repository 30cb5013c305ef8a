import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from reflexarc.adapters.memory.fleet import MemoryFleet, MemorySignals
from reflexarc.adapters.memory.queues import MemoryDeadLetters
from reflexarc.adapters.memory.senders import MemorySenders
from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.signal import Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.fleet_ports import Signals
from reflexarc.gpu.fleet_service import ReadingService
from reflexarc.gpu.ports import DeadLetters, Senders
from reflexarc.kernel.errors import Unavailable
from tests.support.readings import DEVICES, NOW, delivery, gpu, hour, readings

HOT = {0: "thermal/near-limit", 1: "thermal/limit"}


@dataclass
class World:
    fleet: MemoryFleet = field(default_factory=MemoryFleet)
    signals: Signals = field(default_factory=MemorySignals)
    letters: DeadLetters = field(default_factory=MemoryDeadLetters)
    senders: Senders = field(default_factory=MemorySenders)
    lost: list[int] = field(default_factory=list)

    def react(self, *deliveries: Delivery) -> list[Outcome]:
        service = ReadingService(
            fleet=self.fleet,
            signals=self.signals,
            dead_letters=self.letters,
            senders=self.senders,
            policy=GpuPolicy,
            clock=lambda: NOW,
            lost=self.lost.append,
        )
        return list(service.react(deliveries))

    @property
    def sent(self) -> list[Signal]:
        assert isinstance(self.signals, MemorySignals)
        return self.signals.sent


@pytest.fixture
def world() -> World:
    return World()


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_each_node_is_kept_as_it_last_spoke(world: World) -> None:
    outcomes = world.react(
        delivery(readings("node-1", 2)),
        delivery(readings("node-1", 1)),
        delivery(readings("node-2", 5)),
    )

    assert statuses(outcomes) == ["done"] * 3
    assert {node: kept.seq for node, kept in world.fleet.states.items()} == {
        "node-1": 2,
        "node-2": 5,
    }
    assert world.lost == []


def test_losses_are_counted_once_and_repeats_change_nothing(world: World) -> None:
    first = delivery(readings(seq=1))
    gap = delivery(readings(seq=4))

    world.react(first)
    world.react(gap)
    world.react(gap, first)

    assert world.lost == [2]
    assert world.fleet.tallies["node-7"].lost == 2


def test_what_is_no_reading_is_kept_with_its_reason_and_the_others_go_on(world: World) -> None:
    outcomes = world.react(delivery("nonsense"), delivery(readings()))

    assert statuses(outcomes) == ["rejected", "done"]
    assert isinstance(world.letters, MemoryDeadLetters)
    ((kept, reason),) = world.letters.kept
    assert kept.body == "nonsense"
    assert "gpu_readings/1" in reason


def test_a_canary_changes_nothing(world: World) -> None:
    assert statuses(world.react(delivery('{"schema": "canary/1"}'))) == ["done"]
    assert world.fleet.states == {}


def test_a_stranger_is_refused_and_the_nodes_own_sender_heard(world: World) -> None:
    outcomes = world.react(delivery(readings(seq=1)))
    outcomes += world.react(
        delivery(readings(seq=9), sender="other:i-2"), delivery(readings(seq=2))
    )

    assert statuses(outcomes) == ["done", "rejected", "done"]
    assert "another sender speaks for node node-7" in outcomes[1].reason
    assert world.fleet.states["node-7"].seq == 2


def test_another_session_of_a_made_up_name_is_kin_and_heard(world: World) -> None:
    world.react(delivery(readings(seq=1), sender="role:botocore-session-1"))

    outcomes = world.react(delivery(readings(seq=2), sender="role:botocore-session-2"))

    assert statuses(outcomes) == ["done"]


def test_hours_that_are_over_are_counted_from_every_message(world: World) -> None:
    world.react(
        delivery(readings(seq=1, hours=[hour(0, closed=True)])),
        delivery(readings(seq=2, hours=[hour(1, closed=True), hour(2)])),
    )

    assert sorted(device for _, device, _, _ in world.fleet.hours) == ["0000:1b:00", "0000:3b:00"]


def test_a_farewell_counts_the_running_hour_as_well(world: World) -> None:
    world.react(delivery(readings(farewell=True, hours=[hour(0)])))

    assert len(world.fleet.hours) == 1
    assert world.fleet.states["node-7"].left


def test_messages_of_two_boots_are_counted_apart(world: World) -> None:
    world.react(
        delivery(readings(seq=90, boot="old"), after=1),
        delivery(readings(seq=1, boot="new"), after=2),
        delivery(readings(seq=2, boot="new"), after=3),
    )

    assert (world.fleet.states["node-7"].boot_id, world.fleet.tallies["node-7"].lost) == ("new", 0)


def test_nodes_of_a_rack_that_grow_hot_together_are_one_signal(world: World) -> None:
    world.react(delivery(readings("node-1", hot=HOT)))
    assert world.sent == []

    world.react(delivery(readings("node-2", hot=HOT), after=100))

    (fire,) = world.sent
    assert (fire.kind, fire.entity.device, fire.severity) == ("fire", "r12", "critical")


def test_the_signal_ends_when_no_node_is_hot_and_only_if_there_was_one(world: World) -> None:
    world.react(delivery(readings("node-1", hot=HOT)))
    world.react(delivery(readings("node-1", 43), after=60))
    assert world.sent == []

    world.react(delivery(readings("node-1", 44, hot=HOT), after=120))
    world.react(delivery(readings("node-2", hot=HOT), after=130))
    world.react(delivery(readings("node-1", 45), after=180))
    world.react(delivery(readings("node-2", 43), after=190))

    assert [signal.kind for signal in world.sent] == ["fire", "clear"]


def test_steady_heat_is_told_once(world: World) -> None:
    for minute in range(4):
        world.react(
            delivery(readings("node-1", minute, hot=HOT), after=60 * minute),
            delivery(readings("node-2", minute, hot=HOT), after=60 * minute),
        )

    assert 1 <= len(world.sent) <= 2
    assert len({signal.entity.fingerprint for signal in world.sent}) == 1


def test_a_node_without_a_rack_is_its_own_affair(world: World) -> None:
    world.react(
        delivery(readings("node-1", rack="", hot=HOT)),
        delivery(readings("node-2", rack="", hot=HOT)),
    )

    assert world.fleet.racks == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_whatever_the_order_and_the_repeats_the_rack_ends_well(
    world: World, order: tuple[int, ...]
) -> None:
    told = [
        delivery(readings("node-1", 1, hot=HOT), after=0),
        delivery(readings("node-2", 1, hot=HOT), after=1),
        delivery(readings("node-1", 2), after=60),
        delivery(readings("node-2", 2), after=61),
    ]
    for place in (*order, *reversed(order)):
        world.react(told[place])

    kinds = [signal.kind for signal in world.sent]
    assert kinds[-1:] in ([], ["clear"])
    assert kinds.count("fire") >= kinds.count("clear")
    assert not world.fleet.fired.get("r12", (0, False))[1]


@dataclass
class Down:
    """A part of the cloud that does not answer so many times."""

    times: int = 1
    sent: list[Signal] = field(default_factory=list)

    def _fail(self) -> None:
        if self.times:
            self.times -= 1
            raise Unavailable("no answer")

    def send(self, signals: Sequence[Signal]) -> None:
        self._fail()
        self.sent.extend(signals)

    def keep(self, delivery: Delivery, reason: str) -> None:
        del delivery, reason
        self._fail()

    def speaks_for(self, node: str, sender: str, now: datetime) -> bool:
        del node, sender, now
        self._fail()
        return True

    def holder(self, node: str) -> str:
        return node


def test_an_outage_gives_back_the_nodes_messages_alone(world: World) -> None:
    world.senders = Down()

    outcomes = world.react(delivery(readings("node-1")), delivery(readings("node-1", 43)))

    assert statuses(outcomes) == ["retry", "retry"]
    assert statuses(world.react(delivery(readings("node-1")))) == ["done"]


def test_a_refusal_that_cannot_be_kept_comes_back(world: World) -> None:
    world.letters = Down()

    assert statuses(world.react(delivery("nonsense"))) == ["retry"]


def test_a_signal_that_could_not_be_sent_is_sent_when_the_message_returns(world: World) -> None:
    world.react(delivery(readings("node-1", hot=HOT)))
    world.signals = down = Down()
    second = delivery(readings("node-2", hot=HOT))

    assert statuses(world.react(second)) == ["retry"]
    assert statuses(world.react(second)) == ["done"]

    assert [signal.kind for signal in down.sent] == ["fire"]


def boot(world: World, *seqs: int, **more: Any) -> None:
    for seq in seqs:
        world.react(delivery(readings(seq=seq, boot="new", **more), after=60 * seq))


def test_a_boot_whose_gpus_read_well_twice_ends_what_earlier_boots_left(world: World) -> None:
    world.react(delivery(readings(seq=900, boot="old")))

    boot(world, 1)
    assert world.sent == []
    boot(world, 2, 3, 4)

    assert [signal.entity.device for signal in world.sent] == list(DEVICES)
    assert {(signal.kind, signal.cause) for signal in world.sent} == {("clear", "boot/healthy")}


def test_a_node_that_goes_on_or_is_new_ends_nothing(world: World) -> None:
    boot(world, 1, 2, 3)

    assert world.sent == []


def test_a_gpu_that_is_ill_after_the_boot_is_not_ended(world: World) -> None:
    world.react(delivery(readings(seq=900, boot="old")))

    boot(world, 1, 2, 3, gpus=[gpu(0, health="critical"), gpu(1)])

    assert [signal.entity.device for signal in world.sent] == [DEVICES[1]]


def test_a_boots_clears_that_could_not_be_sent_are_sent_a_minute_later(world: World) -> None:
    world.react(delivery(readings(seq=900, boot="old")))
    boot(world, 1)
    working, world.signals = world.signals, Deaf()
    boot(world, 2)

    world.signals = working
    boot(world, 3)

    assert len(world.sent) == len(DEVICES)


class Deaf(MemorySignals):
    def send(self, signals: Sequence[Signal]) -> None:
        raise Unavailable(f"{len(signals)} signals not taken")


def seen(message: object) -> Delivery:
    """Return a message that telemetry_rules sent of a node."""
    return replace(delivery(message, sender="token:collectors-*"), witness=True)


def test_what_telemetry_reads_shows_a_node_that_has_no_agent_and_binds_nobody(world: World) -> None:
    outcomes = world.react(seen(readings("node-1", 5)))

    assert statuses(outcomes) == ["done"]
    assert world.fleet.states["node-1"].seq == 5
    assert world.senders.holder("node-1") == ""
    assert world.lost == []


def test_an_agent_takes_its_node_over_from_telemetry_at_once_and_keeps_it(world: World) -> None:
    world.react(seen(readings("node-1", 5, boot="")))

    world.react(delivery(readings("node-1", 1), after=1))
    world.react(seen(readings("node-1", 6, boot="")))

    assert world.fleet.states["node-1"].seq == 1


def test_no_farewell_comes_from_telemetry(world: World) -> None:
    said = readings("node-1", 5)
    said["heartbeat"]["farewell"] = True

    assert statuses(world.react(seen(said), seen('{"schema": "canary/1"}'))) == ["done", "done"]

    assert world.fleet.states == {}


def test_telemetry_that_makes_no_sense_is_kept_aside_and_an_outage_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert statuses(world.react(seen("nonsense"))) == ["rejected"]
    down = Down()
    monkeypatch.setattr(MemoryFleet, "witness", lambda *_: down._fail())

    assert statuses(world.react(seen(readings("node-1")))) == ["retry"]
