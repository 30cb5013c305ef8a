"""One contract for every Fleet, and for what SQS does with signals."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from reflexarc.adapters.dynamodb import fleet_heard, fleet_rows
from reflexarc.adapters.dynamodb.fleet import TRIES, DynamoFleet
from reflexarc.adapters.memory.fleet import MemoryFleet
from reflexarc.gpu.fleet_ports import Fleet, Kept
from reflexarc.gpu.fleet_rack import Heat
from reflexarc.gpu.readings import RunningHour
from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Unavailable
from tests.ports.conftest import Table
from tests.support.readings import NOW, at, hour, state

DAYS = timedelta(days=90)
SENDER = "role:i-1"


@pytest.fixture(params=["memory", "dynamodb"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    if request.param == "memory":
        yield MemoryFleet()
    else:
        table: Table = request.getfixturevalue("table")
        yield DynamoFleet(table.client, table.name, DAYS)


@pytest.fixture
def dynamo(table: Table) -> DynamoFleet:
    return DynamoFleet(table.client, table.name, DAYS)


def keep(fleet: Fleet, seq: int, *more: int, boot: str = "a", after: float = 0) -> Kept:
    kept = state(seq=seq, boot=boot, queued_at=at(after))
    return fleet.keep(kept, frozenset({seq, *more}), SENDER, NOW)


def follow(
    fleet: Fleet, seq: int, *more: int, boot: str = "a", sender: str = SENDER, days: int = 0
) -> Kept | None:
    kept = state(seq=seq, boot=boot, queued_at=at(60))
    return fleet.follow(kept, frozenset({seq, *more}), sender, NOW + timedelta(days=days))


def heat(node: str = "node-7", gpus: int = 2, after: int = 0) -> Heat:
    stamp = 1_000 + after
    return Heat(node=node, gpus=gpus, critical=True, since_ms=stamp, queued_ms=stamp)


def row(table: Table, node: str = "node-7") -> dict[str, Any]:
    found = table.client.get_item(TableName=table.name, Key=fleet_heard.state_key(node))
    return dict(found["Item"])


def test_states_are_kept_in_their_order(fleet: Fleet) -> None:
    assert keep(fleet, 1) == Kept(newest=True)
    assert keep(fleet, 2) == Kept(newest=True)
    assert keep(fleet, 1) == Kept(newest=False)
    assert keep(fleet, 2) == Kept(newest=True)  # the same again: what it owes may be owed still


def test_what_plainly_follows_is_kept_at_once(fleet: Fleet) -> None:
    keep(fleet, 1)
    fleet.tell(heat())

    assert follow(fleet, 2) == Kept(newest=True, told=heat().told)
    assert follow(fleet, 5, 4, 3) == Kept(newest=True, told=heat().told)
    assert keep(fleet, 7) == Kept(newest=True, lost=1, told=heat().told)


@pytest.mark.parametrize(
    "changed",
    [{"boot": "b"}, {"sender": "role:i-2"}, {"days": 1}, {"seq": 3}, {"seq": 1}, {"more": (4,)}],
)
def test_whatever_else_comes_is_not_kept_unasked(fleet: Fleet, changed: dict[str, Any]) -> None:
    assert follow(fleet, 2) is None
    keep(fleet, 1)
    how = dict(changed)
    seq, more = how.pop("seq", 2), how.pop("more", ())

    assert follow(fleet, seq, *more, **how) is None

    assert follow(fleet, 2) is not None


def test_what_is_missing_is_lost_until_it_comes(fleet: Fleet) -> None:
    keep(fleet, 1)

    assert keep(fleet, 4) == Kept(newest=True, lost=2)
    assert keep(fleet, 3) == Kept(newest=False, recovered=1)
    assert keep(fleet, 3) == Kept(newest=False)
    assert keep(fleet, 5, 2) == Kept(newest=True, recovered=1)
    assert keep(fleet, 8, 6) == Kept(newest=True, lost=1)


def test_the_next_boot_wins_and_the_last_one_never_returns(fleet: Fleet) -> None:
    keep(fleet, 99, boot="a")

    assert keep(fleet, 1, boot="b", after=60).newest
    assert not keep(fleet, 100, boot="a", after=59).newest


def test_a_new_boot_is_remembered_until_its_gpus_were_looked_at(fleet: Fleet) -> None:
    assert keep(fleet, 9, boot="a").born is None
    assert keep(fleet, 1, boot="b", after=5).born is None
    born = epoch_ms(at(5))

    second = keep(fleet, 2, boot="b", after=60)
    third = follow(fleet, 3, boot="b")
    fleet.settle("node-7", born + 1)
    again = keep(fleet, 3, boot="b", after=60)
    fleet.settle("node-7", born)

    assert (second.born, second.before and second.before.seq) == (born, 1)
    assert third is not None
    assert (third.born, third.before and third.before.seq) == (born, 2)
    assert again.born == born
    assert keep(fleet, 4, boot="b", after=90) == Kept(newest=True)


def test_a_state_that_cannot_be_read_says_nothing_of_the_boot(
    dynamo: DynamoFleet, table: Table
) -> None:
    keep(dynamo, 9, boot="a")
    keep(dynamo, 1, boot="b", after=5)
    table.client.put_item(TableName=table.name, Item=row(table) | {"d": {"B": b"9"}})

    assert keep(dynamo, 2, boot="b", after=60) == Kept(newest=True, born=epoch_ms(at(5)))


def test_a_rack_has_all_its_nodes_each_at_its_newest(fleet: Fleet) -> None:
    fleet.turn("r1", heat("node-1", after=5), NOW)
    fleet.turn("r1", heat("node-1", gpus=0, after=4), NOW)
    found = fleet.turn("r1", heat("node-2"), NOW)
    other = fleet.turn("r2", heat("node-3"), NOW)

    assert sorted(found.rows, key=lambda each: each.node) == [
        heat("node-1", after=5),
        heat("node-2"),
    ]
    assert not found.fired
    assert [each.node for each in other.rows] == ["node-3"]


def test_that_a_rack_fired_is_remembered_and_an_older_word_changes_nothing(fleet: Fleet) -> None:
    fleet.mark("r1", 2_000, NOW, fired=True)
    fleet.mark("r1", 1_000, NOW, fired=False)
    assert fleet.turn("r1", heat(), NOW).fired

    fleet.mark("r1", 2_000, NOW, fired=False)
    assert not fleet.turn("r1", heat(), NOW).fired


def test_what_a_rack_was_told_survives_the_next_state(fleet: Fleet) -> None:
    keep(fleet, 1)
    fleet.tell(heat())

    assert keep(fleet, 2).told == heat().told
    assert keep(fleet, 9).told == heat().told
    assert keep(fleet, 1).told == heat().told


def test_a_node_of_which_nothing_is_known_is_told_nothing(dynamo: DynamoFleet) -> None:
    dynamo.tell(heat("ghost"))

    assert keep(dynamo, 1).told == ""


def test_an_hour_replaces_itself_and_stands_beside_others(
    dynamo: DynamoFleet, table: Table
) -> None:
    def hours(*places: int, idle: float) -> list[RunningHour]:
        return [
            RunningHour.model_validate({**hour(place), "idle_s": idle, "closed": True})
            for place in places
        ]

    dynamo.count("node-7", hours(0, 1, idle=5), NOW)
    dynamo.count("node-7", hours(1, 2, idle=9), NOW)

    (kept,) = table.client.scan(TableName=table.name)["Items"]
    assert kept["pk"]["S"].startswith("DAY#2026-11-24#")
    assert kept["sk"]["S"] == "node-7#03#20261123T031207120000"
    assert int(kept["ttl"]["N"]) == round((NOW + DAYS).timestamp())
    idle = {
        name: fleet_rows.unpack_hour(packed["B"]).idle_s
        for name, packed in kept.items()
        if name.startswith("g.")
    }
    assert idle == {"g.0000:1b:00": 5, "g.0000:3b:00": 9, "g.0000:43:00": 9}


def test_a_state_is_read_as_it_was_written_and_costs_an_idle_node_one_unit(
    dynamo: DynamoFleet, table: Table
) -> None:
    kept = state("gpu-node-0123.cluster.example.com", queued_at=at(0.5))
    dynamo.keep(kept, frozenset({kept.seq}), SENDER, NOW)

    item = row(table, kept.node)
    size = sum(len(name) + _size(value) for name, value in item.items())

    assert fleet_rows.unpack(item) == kept
    # A write unit is 1 KB. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    assert size <= 1_024
    assert int(item["ttl"]["N"]) > NOW.timestamp()


def _size(value: dict[str, Any]) -> int:
    (content,) = value.values()
    return 1 if isinstance(content, bool) else len(content)


@pytest.mark.parametrize("form", [b"9", b"1garbage"])
def test_a_state_that_cannot_be_read_says_so(
    dynamo: DynamoFleet, table: Table, form: bytes
) -> None:
    keep(dynamo, 1)
    damaged = row(table) | {"d": {"B": form}}

    with pytest.raises(Unavailable, match="node-7"):
        fleet_rows.unpack(damaged)


def test_a_refusal_is_told_as_unavailable(dynamo: DynamoFleet, table: Table) -> None:
    table.faults.refuse("ProvisionedThroughputExceededException", times=3)

    with pytest.raises(Unavailable, match="refused while"):
        keep(dynamo, 1)


def test_a_row_that_changes_all_the_time_is_given_back(dynamo: DynamoFleet, table: Table) -> None:
    keep(dynamo, 1)
    item = row(table)
    table.faults.before = [lambda: None]
    table.faults.before.append(
        lambda: table.faults.refuse("ConditionalCheckFailedException", times=TRIES, Item=item)
    )

    with pytest.raises(Unavailable, match="changed 5 times"):
        keep(dynamo, 3)


def test_steady_readings_cost_one_call_each(dynamo: DynamoFleet, table: Table) -> None:
    keep(dynamo, 1)
    table.faults.calls.clear()

    for seq in range(2, 6):
        follow(dynamo, seq)

    assert table.faults.calls == ["UpdateItem"] * 4


def test_a_large_rack_is_read_to_its_end(
    dynamo: DynamoFleet, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        dynamo.turn("r1", heat(f"node-{number}"), NOW)
    whole = table.client.query

    def two_at_a_time(**request: object) -> object:
        return whole(**request, Limit=2)  # type: ignore[arg-type]  # boto's own keywords

    monkeypatch.setattr(table.client, "query", two_at_a_time)

    assert len(dynamo.turn("r1", heat("node-9"), NOW).rows) == 6


def witness(fleet: Fleet, seq: int, after: float = 0) -> bool:
    return fleet.witness(state(seq=seq, boot="", queued_at=at(after)), NOW)


def test_what_telemetry_says_stands_until_an_agent_speaks(fleet: Fleet) -> None:
    assert witness(fleet, 100)
    assert witness(fleet, 160, after=60)
    assert not witness(fleet, 130, after=30)

    assert keep(fleet, 1, after=61) == Kept(newest=True)
    assert keep(fleet, 2, after=62) == Kept(
        newest=True, born=epoch_ms(at(61)), before=state(seq=1, boot="a", queued_at=at(61))
    )
    assert not witness(fleet, 220, after=120)
