"""Everything that DynamoDB and the network can do wrong arrives in our terms."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.errors import (
    CONFLICT_TRIES,
    Cancelled,
    despite_conflicts,
)
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
from reflexarc.adapters.dynamodb.senders import DynamoSenders
from reflexarc.events.incident import Incident
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, Stale
from reflexarc.incidents.service import IncidentService
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause
from reflexarc.notify.model import LEASE, Busy, Lease
from tests.ports.conftest import Table
from tests.support.incidents import GPU, NOW, ROUTING, at, attempt, change, receipt, signal, ulid_of

SLACK = "slack/C0PAGES"
LEASED = Lease(group=SLACK, owner="me", until=NOW + LEASE)
NOTICE = change(signal(1)).notices[1]
URL = "https://dynamodb.eu-west-1.amazonaws.com"


@dataclass(frozen=True)
class Adapters:
    book: DynamoIncidentBook
    outbox: DynamoOutbox
    senders: DynamoSenders
    config: ConfigDocument
    incidents: IncidentList


CALLS: dict[str, Callable[[Adapters], object]] = {
    "load": lambda on: on.book.load(GPU.fingerprint),
    "commit": lambda on: on.book.commit(change(signal(1))),
    "owed": lambda on: on.book.owed(GPU.fingerprint),
    "acquire": lambda on: on.outbox.acquire(SLACK, "me", NOW),
    "pending": lambda on: on.outbox.pending(SLACK),
    "receipt": lambda on: on.outbox.receipt(NOTICE),
    "settle": lambda on: on.outbox.settle(LEASED, (NOTICE,), receipt(), attempt()),
    "suspect": lambda on: on.outbox.suspect(LEASED),
    "release": lambda on: on.outbox.release(LEASED),
    "postpone": lambda on: on.outbox.postpone(LEASED, at(5), 1, NOW),
    "stale": lambda on: list(on.outbox.stale(NOW)),
    "speaks_for": lambda on: on.senders.speaks_for("node-7", "AIDA", NOW),
    "live": lambda on: on.config.live(),
    "push": lambda on: on.config.push("{}", 0, NOW),
    "recent": lambda on: on.incidents.recent(5),
    "dossier": lambda on: on.incidents.dossier(GPU.fingerprint),
}
CODES = (
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "TransactionInProgressException",
    "InternalServerError",
    "ServiceUnavailable",
    "ResourceNotFoundException",
    "AccessDeniedException",
    "ValidationException",
    "ItemCollectionSizeLimitExceededException",
    "ExpiredTokenException",
    "SomethingNobodyHasSeen",
)
EXCEPTIONS = (
    EndpointConnectionError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    ReadTimeoutError(endpoint_url=URL),
    NoCredentialsError(),
)


@pytest.fixture
def adapters(table: Table) -> Adapters:
    client, name = table.client, table.name
    return Adapters(
        book=DynamoIncidentBook(client, name),
        outbox=DynamoOutbox(client, name, pause=lambda attempt: None),  # noqa: ARG005 - no waiting
        senders=DynamoSenders(client, name),
        config=ConfigDocument(client, name),
        incidents=IncidentList(client, name),
    )


@pytest.mark.parametrize("name", CALLS)
def test_no_refusal_escapes_as_botocores(table: Table, adapters: Adapters, name: str) -> None:
    for code in CODES:
        table.faults.refuse(code, times=CONFLICT_TRIES)

        with pytest.raises(Unavailable):
            CALLS[name](adapters)

        table.faults.planned.clear()


@pytest.mark.parametrize("name", CALLS)
def test_no_network_failure_escapes_as_botocores(
    table: Table, adapters: Adapters, name: str
) -> None:
    for failure in EXCEPTIONS:
        table.faults.planned = [failure]

        with pytest.raises(Unavailable) as raised:
            CALLS[name](adapters)

        assert raised.value.__cause__ is failure


@pytest.mark.parametrize("name", ["commit", "settle", "push"])
@pytest.mark.parametrize(
    "reason",
    [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "ItemCollectionSizeLimitExceeded",
        "ValidationError",
        "NobodyHasSeenThis",
    ],
)
def test_transaction_cancelled_for_other_reasons_is_unavailable(
    table: Table, adapters: Adapters, name: str, reason: str
) -> None:
    table.faults.cancel("None", reason)

    with pytest.raises(Unavailable) as raised:
        CALLS[name](adapters)

    assert not isinstance(raised.value, Conflict)


# ---- the book: reasons by their place ----


def test_reason_at_a_ledger_row_names_its_event(table: Table, adapters: Adapters) -> None:
    table.faults.cancel("None", "ConditionalCheckFailed", "ConditionalCheckFailed", "None")

    with pytest.raises(AlreadyRecorded) as raised:
        adapters.book.commit(change(signal(1), signal(2)))

    assert raised.value.events == {f"{ulid_of(2)}|{GPU.fingerprint}"}


def test_reason_at_the_incident_is_staleness(table: Table, adapters: Adapters) -> None:
    table.faults.cancel("None", "ConditionalCheckFailed", "None", "None")

    with pytest.raises(Stale):
        adapters.book.commit(change(signal(1)))


def test_staleness_goes_before_a_conflict_beside_it(table: Table, adapters: Adapters) -> None:
    table.faults.cancel("TransactionConflict", "ConditionalCheckFailed", "None", "None")

    with pytest.raises(Stale):
        adapters.book.commit(change(signal(1)))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_conflict_anywhere_is_a_conflict_that_stored_nothing(
    table: Table, adapters: Adapters, place: int
) -> None:
    reasons = ["None"] * 4
    reasons[place] = "TransactionConflict"
    table.faults.cancel(*reasons)

    with pytest.raises(Conflict):
        adapters.book.commit(change(signal(1)))

    assert adapters.book.load(GPU.fingerprint) is None


def test_service_rides_out_conflicts_and_counts_once(table: Table, adapters: Adapters) -> None:
    table.faults.before = [
        lambda: None,
        lambda: table.faults.cancel("None", "TransactionConflict", "None", "None"),
        lambda: None,
        lambda: table.faults.cancel("TransactionConflict", "None", "None", "None"),
    ]

    assert record(adapters, 1) == frozenset()

    assert stored(adapters).count == 1


def test_answer_lost_after_the_commit_counts_once_and_wakes_again(
    table: Table, adapters: Adapters
) -> None:
    lost = ReadTimeoutError(endpoint_url=URL)
    woken: list[str] = []
    table.faults.before = [lambda: None, lambda: table.faults.lost.append(lost)]
    assert record(adapters, 1, woken) == {ulid_of(1)}
    assert woken == []

    assert record(adapters, 1, woken) == frozenset()

    assert stored(adapters).count == 1
    assert len(woken) == 2


def record(adapters: Adapters, number: int, woken: list[str] | None = None) -> frozenset[str]:
    class Wakes:
        def wake(self, groups: Any) -> None:
            if woken is not None:
                woken.extend(groups)

    service = IncidentService(
        book=adapters.book,
        wake_ups=Wakes(),
        routing=lambda: ROUTING,
        clock=lambda: NOW,
        pause=lambda attempt: None,  # noqa: ARG005 - no waiting in tests
    )
    return service.record([signal(number)])


def stored(adapters: Adapters) -> Incident:
    incident = adapters.book.load(GPU.fingerprint)
    assert incident is not None
    return incident


# ---- the outbox ----


def test_lease_is_taken_in_one_call_and_a_look_costs_few(table: Table, adapters: Adapters) -> None:
    adapters.book.commit(change(signal(1)))
    table.faults.calls.clear()

    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    notices = adapters.outbox.pending(SLACK)
    adapters.outbox.receipt(notices[0])
    adapters.outbox.settle(lease, notices, receipt(), attempt())
    adapters.outbox.release(lease)

    assert table.faults.calls == [
        "UpdateItem",
        "Query",
        "GetItem",
        "TransactWriteItems",
        "DeleteItem",
    ]


def test_record_costs_one_read_and_one_write(table: Table, adapters: Adapters) -> None:
    record(adapters, 1)

    assert table.faults.calls == ["GetItem", "TransactWriteItems"]


@pytest.mark.parametrize("name", ["acquire", "suspect", "release", "postpone"])
def test_passing_conflict_on_the_lease_is_ridden_out(
    table: Table, adapters: Adapters, name: str
) -> None:
    adapters.outbox.acquire(SLACK, "other", at(-60))
    table.faults.refuse("TransactionConflictException", times=CONFLICT_TRIES - 1)

    CALLS[name](adapters)

    assert table.faults.planned == []


def test_passing_conflict_does_not_undo_a_settlement(table: Table, adapters: Adapters) -> None:
    adapters.book.commit(change(signal(1)))
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    table.faults.cancel("TransactionConflict", "None", times=CONFLICT_TRIES - 1)

    adapters.outbox.settle(lease, (NOTICE,), receipt(), attempt())

    assert adapters.outbox.pending(SLACK) == ()


def test_other_cancellations_are_not_repeated() -> None:
    calls: list[int] = []

    def refuse() -> None:
        calls.append(1)
        raise Cancelled("no", ("None", "ThrottlingError"))

    with pytest.raises(Cancelled):
        despite_conflicts(refuse, jittered_pause)

    assert calls == [1]


def test_wait_for_a_conflict_to_pass_is_milliseconds() -> None:
    started = monotonic()

    jittered_pause(0)

    assert monotonic() - started < 1


def test_holder_that_leaves_while_word_is_left_makes_room(table: Table, adapters: Adapters) -> None:
    holder = adapters.outbox.acquire(SLACK, "holder", NOW)
    assert isinstance(holder, Lease)

    def leave() -> None:
        assert adapters.outbox.release(holder)

    table.faults.before = [lambda: None, leave]

    mine = adapters.outbox.acquire(SLACK, "me", at(1))

    assert isinstance(mine, Lease)
    assert mine.suspect is False


def test_server_that_does_not_show_the_row_is_asked_for_it(
    table: Table, adapters: Adapters
) -> None:
    adapters.outbox.acquire(SLACK, "holder", NOW)
    table.faults.refuse("ConditionalCheckFailedException")

    assert adapters.outbox.acquire(SLACK, "me", at(1)) == Busy(until=NOW + LEASE)


def test_lease_that_never_holds_still_is_unavailable(table: Table, adapters: Adapters) -> None:
    refuse = lambda: table.faults.refuse("ConditionalCheckFailedException")  # noqa: E731
    table.faults.before = [refuse, lambda: None] * 5

    with pytest.raises(Unavailable, match="changed hands"):
        adapters.outbox.acquire(SLACK, "me", NOW)


def test_overtaken_between_two_steps_of_a_release_is_released(
    table: Table, adapters: Adapters
) -> None:
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    adapters.outbox.acquire(SLACK, "rival", at(1))

    def take_over() -> None:
        assert isinstance(adapters.outbox.acquire(SLACK, "heir", at(60)), Lease)

    table.faults.before = [lambda: None, take_over]

    assert adapters.outbox.release(lease) is True


def test_notice_that_this_version_cannot_read_waits_and_the_others_go_on(
    table: Table, adapters: Adapters
) -> None:
    adapters.book.commit(change(signal(1)))
    table.client.put_item(
        TableName=table.name,
        Item=rows.notice_key(SLACK, "0") | {"doc": {"S": '{"schema": "notice/9"}'}},
    )

    assert [notice.row for notice in adapters.outbox.pending(SLACK)] == [NOTICE.row]


def test_unreadable_rows_are_unavailable_and_say_which(table: Table, adapters: Adapters) -> None:
    table.client.put_item(
        TableName=table.name, Item=rows.incident_key(GPU.fingerprint) | {"doc": {"S": "{"}}
    )

    with pytest.raises(Unavailable, match=GPU.fingerprint):
        adapters.book.load(GPU.fingerprint)


# ---- what the rows are for people and for DynamoDB ----


def test_rows_that_may_go_say_when(table: Table, adapters: Adapters) -> None:
    adapters.book.commit(change(signal(1)))
    adapters.outbox.acquire(SLACK, "me", NOW)
    adapters.outbox.settle(LEASED, (NOTICE,), receipt(), attempt())
    adapters.senders.speaks_for("node-7", "AIDA", NOW)

    days = {}
    for row in table.client.scan(TableName=table.name)["Items"]:
        if "ttl" in row:
            kind = row["sk"]["S"].partition("#")[0]
            days[kind] = (int(row["ttl"]["N"]) - NOW.timestamp()) / 86_400

    assert days == {"EVT": 30, "LEASE": 7, "LOG": 90, "BIND": 30}


def test_time_sorts_as_text_even_from_a_broken_clock() -> None:
    first = NOW.min.replace(tzinfo=NOW.tzinfo)
    broken = first.fromisoformat("0001-01-01T00:00:00+10:00")

    assert rows.iso(first) == "0001-01-01T00:00:00.000000Z"
    assert rows.iso(broken) == "0001-01-01T00:00:00.000000Z"
    assert rows.iso(NOW) == "2026-03-01T12:00:00.000000Z"
