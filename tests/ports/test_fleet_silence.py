"""One contract for whoever knows when nodes were heard, and which instances end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from reflexarc.adapters.dynamodb import fleet_heard
from reflexarc.adapters.dynamodb.fleet import DynamoFleet
from reflexarc.adapters.dynamodb.fleet_silence import FleetPulses, NodeSilence
from reflexarc.adapters.dynamodb.leavers import DynamoLeavers
from reflexarc.adapters.memory.fleet import MemoryFleet, MemoryLeavers, MemoryPulses
from reflexarc.adapters.sqs.checks import SqsChecks
from reflexarc.events.fleet import Unheard
from reflexarc.gpu.fleet_ports import Fleet, Leavers, Pulses, Silent
from reflexarc.gpu.fleet_silence import Pulse, Quiet
from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Unavailable
from tests.ports.conftest import Table
from tests.support.aws import Faults, drain, queue
from tests.support.readings import NOW, at, state

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SENDER = "role:i-0a1b2c3d4e5f60718"
HEARD = epoch_ms(NOW)


class All(Pulses, Silent, Protocol):
    """Both sides: one that lists, and one that looks."""


@dataclass(frozen=True)
class Nodes:
    """A fleet, and what is known of its silence."""

    fleet: Fleet
    pulses: Pulses
    silent: Silent

    def heard(self, node: str, *, after: float = 0, seq: int = 1, farewell: bool = False) -> None:
        said = state(node, seq, queued_at=at(after), farewell=farewell)
        self.fleet.keep(said, frozenset({seq}), SENDER, NOW)


@pytest.fixture(params=["memory", "dynamodb"])
def nodes(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    if request.param == "memory":
        fleet = MemoryFleet()
        memory = MemoryPulses(fleet)
        yield Nodes(fleet, memory, memory)
    else:
        table: Table = request.getfixturevalue("table")
        yield Nodes(
            DynamoFleet(table.client, table.name, timedelta(days=90)),
            FleetPulses(table.client, table.name),
            NodeSilence(table.client, table.name),
        )


@pytest.fixture(params=["memory", "dynamodb"])
def leavers(request: pytest.FixtureRequest) -> Leavers:
    if request.param == "memory":
        return MemoryLeavers()
    table: Table = request.getfixturevalue("table")
    return DynamoLeavers(table.client, table.name)


def told(kind: str = "node", heard_ms: int = HEARD) -> Quiet:
    return Quiet(heard_ms=heard_ms, told="node" if kind == "node" else "rack", rack="r12")


def test_every_node_is_listed_with_when_it_was_heard_and_of_whom(nodes: Nodes) -> None:
    nodes.heard("node-1")
    nodes.heard("node-2", after=5, farewell=True)

    listed = sorted(nodes.pulses.listed(), key=lambda each: each.node)

    assert listed == [
        Pulse(node="node-1", heard_ms=HEARD, sender=SENDER, rack="r12"),
        Pulse(node="node-2", heard_ms=HEARD + 5_000, sender=SENDER, rack="r12", gone=True),
    ]
    assert nodes.silent.pulse("node-1") == listed[0]


def test_an_unknown_node_has_no_pulse_and_cannot_be_marked(nodes: Nodes) -> None:
    assert nodes.silent.pulse("node-9") is None
    assert not nodes.silent.mark("node-9", told())
    assert nodes.silent.state("node-9") is None


def test_a_silence_is_marked_only_while_nothing_is_heard(nodes: Nodes) -> None:
    nodes.heard("node-1")

    assert not nodes.silent.mark("node-1", told(heard_ms=HEARD - 1))
    assert nodes.silent.mark("node-1", told())
    assert not nodes.silent.mark("node-1", told("rack"))

    (listed,) = nodes.pulses.listed()
    assert listed.quiet == listed.told == told()


def test_a_node_that_speaks_keeps_the_mark_as_a_thing_of_the_past(nodes: Nodes) -> None:
    nodes.heard("node-1")
    nodes.silent.mark("node-1", told())

    nodes.heard("node-1", after=60, seq=2)

    (listed,) = nodes.pulses.listed()
    assert (listed.quiet, listed.told) == (told(), None)
    assert nodes.silent.mark("node-1", told("rack", heard_ms=HEARD + 60_000))


def test_a_mark_is_lifted_unless_something_else_was_told_since(nodes: Nodes) -> None:
    nodes.heard("node-1")
    nodes.silent.mark("node-1", told())

    nodes.pulses.lift("node-1", told("rack"))
    (kept,) = nodes.pulses.listed()
    nodes.pulses.lift("node-1", told())
    (lifted,) = nodes.pulses.listed()

    assert kept.quiet == told()
    assert lifted.quiet is None


def test_what_a_node_last_said_is_read_with_its_gpus(nodes: Nodes) -> None:
    nodes.heard("node-1")

    last = nodes.silent.state("node-1")

    assert last is not None
    assert len(last.gpus) == 8


def test_a_state_that_cannot_be_read_hides_no_silence(table: Table) -> None:
    row = {**fleet_heard.state_key("node-1"), "at": {"N": str(HEARD)}, "d": {"B": b"9"}}
    table.client.put_item(TableName=table.name, Item=row)
    silent = NodeSilence(table.client, table.name)

    assert silent.state("node-1") is None
    assert silent.pulse("node-1") == Pulse(node="node-1", heard_ms=HEARD)


def test_instances_that_end_are_found_by_name_and_all_together(leavers: Leavers) -> None:
    leavers.put("i-0a1b2c3d4e5f60718", NOW)

    assert leavers.among(["i-0a1b2c3d4e5f60718", "i-00000000", "botocore-session-1", ""]) == {
        "i-0a1b2c3d4e5f60718"
    }
    assert leavers.recent() == {"i-0a1b2c3d4e5f60718"}


def test_an_instance_is_forgotten_after_an_hour(table: Table) -> None:
    DynamoLeavers(table.client, table.name).put("i-0a1b2c3d4e5f60718", NOW)

    (row,) = table.client.scan(TableName=table.name)["Items"]

    assert int(row["ttl"]["N"]) - NOW.timestamp() == pytest.approx(3600, abs=1)


@pytest.mark.parametrize("what", ["list", "lift", "pulse", "mark", "put", "among", "recent"])
def test_a_table_that_does_not_answer_is_unavailable(table: Table, what: str) -> None:
    silent, pulses = NodeSilence(table.client, table.name), FleetPulses(table.client, table.name)
    leaving = DynamoLeavers(table.client, table.name)
    table.faults.refuse("InternalServerError", times=10)
    calls = {
        "list": pulses.listed,
        "lift": lambda: pulses.lift("node-1", told()),
        "pulse": lambda: silent.pulse("node-1"),
        "mark": lambda: silent.mark("node-1", told()),
        "put": lambda: leaving.put("i-0a1b2c3d", NOW),
        "among": lambda: leaving.among(["i-0a1b2c3d"]),
        "recent": leaving.recent,
    }

    with pytest.raises(Unavailable):
        calls[what]()


def test_a_look_comes_back_when_it_is_due(sqs_client: "SQSClient") -> None:
    url = queue(sqs_client, "looks")
    look = Unheard(node="node-1", heard_at=NOW, rack="r12", peers=("node-2",))
    checks = SqsChecks(sqs_client, url)

    checks.later([(look, 60)])
    waiting = drain(sqs_client, url)
    checks.later([(look, 0)])
    (message,) = drain(sqs_client, url)

    assert waiting == []
    assert Unheard.model_validate_json(message["Body"]) == look


def test_a_queue_that_is_not_there_is_unavailable(sqs_client: "SQSClient") -> None:
    checks = SqsChecks(sqs_client, "https://sqs.eu-west-1.amazonaws.com/123456789012/none")

    with pytest.raises(Unavailable, match="node-1"):
        checks.later([(Unheard(node="node-1", heard_at=NOW), 0)])


def test_a_silent_zone_is_planned_ten_looks_a_request(sqs_client: "SQSClient") -> None:
    url = queue(sqs_client, "zone")
    faults = Faults()
    faults.attach(sqs_client)
    looks = [(Unheard(node=f"node-{number}", heard_at=NOW), 0) for number in range(25)]

    SqsChecks(sqs_client, url).later(looks)

    assert faults.calls == ["SendMessageBatch"] * 3
    assert len(drain(sqs_client, url)) == 25


def test_a_look_that_the_queue_did_not_take_is_unavailable(sqs_client: "SQSClient") -> None:
    url = queue(sqs_client, "full")
    too_late = [(Unheard(node="node-1", heard_at=NOW), 0), (Unheard(node="n", heard_at=NOW), 5_000)]

    with pytest.raises(Unavailable):
        SqsChecks(sqs_client, url).later(too_late)
