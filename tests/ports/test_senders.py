"""gpu.ports.Senders: what memory and DynamoDB both promise, and what the cache saves."""

from datetime import timedelta

import pytest

from reflexarc.adapters.dynamodb.fleet import DynamoFleet
from reflexarc.adapters.dynamodb.fleet_heard import Heard
from reflexarc.adapters.dynamodb.senders import CACHED_NODES, TRIES, DynamoSenders
from reflexarc.adapters.memory.senders import MemorySenders
from reflexarc.gpu.ports import Senders
from reflexarc.kernel.errors import Unavailable
from tests.ports.conftest import Table
from tests.support.incidents import NOW, at
from tests.support.readings import state

OLD, NEW = "AROAFLEET:i-0aaa", "AROAFLEET:i-0bbb"
STRANGER = "AROAOTHER:i-0ccc"
MINUTE, HOUR = 60, 3_600


@pytest.fixture(params=["memory", "dynamodb"])
def senders(request: pytest.FixtureRequest) -> Senders:
    if request.param == "memory":
        return MemorySenders()
    table: Table = request.getfixturevalue("table")
    return DynamoSenders(table.client, table.name)


def test_first_sender_is_bound(senders: Senders) -> None:
    assert senders.speaks_for("node-7", OLD, NOW)
    assert senders.speaks_for("node-7", OLD, at(1))


def test_other_sender_of_a_live_node_is_refused(senders: Senders) -> None:
    senders.speaks_for("node-7", OLD, NOW)

    assert not senders.speaks_for("node-7", NEW, at(5 * MINUTE))
    assert senders.speaks_for("node-7", OLD, at(6 * MINUTE))


def test_sender_may_speak_for_several_nodes(senders: Senders) -> None:
    assert senders.speaks_for("node-7", OLD, NOW)
    assert senders.speaks_for("node-8", OLD, NOW)


def test_same_role_takes_over_after_ten_silent_minutes(senders: Senders) -> None:
    senders.speaks_for("node-7", OLD, NOW)

    assert senders.speaks_for("node-7", NEW, at(10 * MINUTE))
    assert not senders.speaks_for("node-7", OLD, at(10 * MINUTE + 1))


def test_speaking_keeps_the_binding_alive(senders: Senders) -> None:
    for minute in range(0, 20, 3):
        assert senders.speaks_for("node-7", OLD, at(minute * MINUTE))

    assert not senders.speaks_for("node-7", NEW, at(27 * MINUTE))


def test_other_role_takes_over_after_a_silent_day_only(senders: Senders) -> None:
    senders.speaks_for("node-7", OLD, NOW)

    assert not senders.speaks_for("node-7", STRANGER, at(23 * HOUR))
    assert senders.speaks_for("node-7", STRANGER, at(24 * HOUR))


def test_token_issued_for_a_node_takes_it_over_at_once(senders: Senders) -> None:
    senders.speaks_for("node-7", OLD, NOW)

    assert senders.speaks_for("node-7", "token:node-7", at(-1))
    assert not senders.speaks_for("node-7", STRANGER, at(1))


def test_warm_path_asks_the_table_once_a_minute(table: Table) -> None:
    senders = DynamoSenders(table.client, table.name)
    senders.speaks_for("node-7", OLD, NOW)
    table.faults.calls.clear()

    for second in range(60):
        assert senders.speaks_for("node-7", OLD, at(second))
    assert table.faults.calls == []

    assert senders.speaks_for("node-7", OLD, at(60))
    assert table.faults.calls == ["GetItem"]


def test_sign_of_life_is_written_every_two_minutes_at_most(table: Table) -> None:
    senders = DynamoSenders(table.client, table.name)
    for second in range(0, 600, 10):
        senders.speaks_for("node-7", OLD, at(second))

    assert table.faults.calls.count("PutItem") == 5


def test_cache_trusts_nobody_but_the_bound_sender(table: Table) -> None:
    senders = DynamoSenders(table.client, table.name)
    senders.speaks_for("node-7", OLD, NOW)

    assert not senders.speaks_for("node-7", NEW, at(1))


def test_two_first_speakers_end_with_one(table: Table) -> None:
    mine = DynamoSenders(table.client, table.name)
    rival = DynamoSenders(table.client, table.name)

    def between_read_and_write() -> None:
        assert rival.speaks_for("node-7", NEW, NOW)

    table.faults.before = [lambda: None, between_read_and_write]

    assert not mine.speaks_for("node-7", OLD, NOW)
    assert rival.speaks_for("node-7", NEW, at(61))


def test_binding_that_changes_at_every_try_is_unavailable(table: Table) -> None:
    senders = DynamoSenders(table.client, table.name)
    reads_only = [lambda: None, lambda: table.faults.refuse("ConditionalCheckFailedException")]
    table.faults.before = reads_only * TRIES

    with pytest.raises(Unavailable, match="changed 3 times"):
        senders.speaks_for("node-7", OLD, NOW)


def test_cache_stays_bounded(table: Table) -> None:
    trusted = {f"node-{number}": (OLD, NOW) for number in range(CACHED_NODES)}
    senders = DynamoSenders(table.client, table.name, _trusted=trusted)

    assert senders.speaks_for("one-more", OLD, NOW)

    assert len(trusted) == 1


def test_table_that_does_not_answer_is_unavailable(table: Table) -> None:
    table.faults.refuse("ThrottlingException")

    with pytest.raises(Unavailable):
        DynamoSenders(table.client, table.name).speaks_for("node-7", OLD, NOW)


def test_holder_is_who_spoke_first_and_nobody_at_first(senders: Senders) -> None:
    assert senders.holder("node-7") == ""

    senders.speaks_for("node-7", OLD, NOW)

    assert senders.holder("node-7") == OLD


def test_readings_keep_a_node_its_senders_and_nobody_elses(table: Table) -> None:
    heard = Heard(table.client, table.name)
    senders = DynamoSenders(table.client, table.name, heard)
    fleet = DynamoFleet(table.client, table.name, timedelta(days=90))
    senders.speaks_for("node-7", OLD, NOW)
    later = NOW + timedelta(hours=5)
    reading = state("node-7", queued_at=later - timedelta(minutes=9))

    fleet.keep(reading, frozenset({reading.seq}), OLD, later)
    assert heard.last("node-7", OLD) == reading.queued_at
    assert not senders.speaks_for("node-7", NEW, later)

    assert heard.last("node-7", NEW) is None
    assert heard.last("node-8", OLD) is None
    assert senders.speaks_for("node-7", NEW, later + timedelta(minutes=2))
