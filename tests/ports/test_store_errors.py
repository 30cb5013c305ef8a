"""Everything that DynamoDB and the network can do wrong arrives in our terms."""

from collections.abc import Callable
from dataclasses import replace
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
from reflexarc.adapters.dynamodb.batch_reads import TRIES
from reflexarc.adapters.dynamodb.errors import (
    CONFLICT_TRIES,
    Cancelled,
    despite_conflicts,
)
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.events.page import Entry, Silence
from reflexarc.incidents.model import Hold
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, Stale
from reflexarc.kernel.errors import Unavailable, Unreadable
from reflexarc.kernel.pause import jittered_pause
from reflexarc.notify.model import LEASE, Lease
from tests.ports.conftest import Adapters, Table
from tests.support.commits import joined, later, told, wrote
from tests.support.notices import NOW, at, attempt, incident, member, notice, page, receipt

SLACK = "slack/C0PAGES"
LEASED = Lease(group=SLACK, owner="me", until=NOW + LEASE)
NOTICE = notice()
OPENED = incident()
BOTH = replace(told(page()), incidents=wrote(OPENED, "one", "two").incidents)
SILENCE = Silence(
    id="s1",
    labels={"node": "node-7"},
    starts_at=NOW,
    ends_at=at(3_600),
    author="operator",
    reason="work",
    created_at=NOW,
)
URL = "https://dynamodb.eu-west-1.amazonaws.com"


CALLS: dict[str, Callable[[Adapters], object]] = {
    "load": lambda on: on.book.load([OPENED.fingerprint]),
    "latest": lambda on: on.book.latest(page().scope),
    "page": lambda on: on.book.page(page().ref),
    "members": lambda on: on.book.members(page().ref),
    "held_by": lambda on: on.book.held_by("bus"),
    "commit": lambda on: on.book.commit(BOTH),
    "mark": lambda on: on.book.mark(page(), NOW),
    "owed": lambda on: on.book.owed(page().ref, page().channels),
    "acquire": lambda on: on.outbox.acquire(SLACK, "me", NOW),
    "pending": lambda on: on.outbox.pending(SLACK),
    "take": lambda on: on.outbox.take(LEASED, NOTICE),
    "receipt": lambda on: on.outbox.receipt(NOTICE),
    "settle": lambda on: on.outbox.settle(LEASED, NOTICE, receipt(), attempt(), done=True),
    "suspect": lambda on: on.outbox.suspect(LEASED),
    "release": lambda on: on.outbox.release(LEASED),
    "postpone": lambda on: on.outbox.postpone(LEASED, at(5), 1, NOW),
    "defer": lambda on: on.outbox.defer(LEASED, at(5), NOW),
    "stale": lambda on: list(on.outbox.stale(NOW)),
    "speaks_for": lambda on: on.senders.speaks_for("node-7", "AIDA", NOW),
    "live": lambda on: on.config.live(),
    "push": lambda on: on.config.push("{}", 0, NOW),
    "recent": lambda on: on.incidents.recent(5),
    "dossier": lambda on: on.incidents.dossier(OPENED.fingerprint),
    "due": lambda on: list(on.due_pages.due(NOW)),
    "active": lambda on: on.silences.active(NOW),
    "put": lambda on: on.silences.put(SILENCE),
    "first_time": lambda on: on.clicks.first_time("a", NOW),
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
# BOTH has two events, an incident, a page and two notices, in this order.


def test_reason_at_a_ledger_row_names_its_event(table: Table, adapters: Adapters) -> None:
    table.faults.cancel("None", "ConditionalCheckFailed", "ConditionalCheckFailed", *["None"] * 3)

    with pytest.raises(AlreadyRecorded) as raised:
        adapters.book.commit(BOTH)

    assert raised.value.events == {"two"}


@pytest.mark.parametrize("place", [2, 3])
def test_reason_at_an_incident_or_a_page_is_staleness(
    table: Table, adapters: Adapters, place: int
) -> None:
    table.faults.cancel(*reasons_at(place, "ConditionalCheckFailed"))

    with pytest.raises(Stale):
        adapters.book.commit(BOTH)


def test_staleness_goes_before_a_conflict_beside_it(table: Table, adapters: Adapters) -> None:
    table.faults.cancel(
        "TransactionConflict", "None", "ConditionalCheckFailed", "None", "None", "None"
    )

    with pytest.raises(Stale):
        adapters.book.commit(BOTH)


@pytest.mark.parametrize("place", range(6))
def test_conflict_anywhere_is_a_conflict_that_stored_nothing(
    table: Table, adapters: Adapters, place: int
) -> None:
    table.faults.cancel(*reasons_at(place, "TransactionConflict"))

    with pytest.raises(Conflict):
        adapters.book.commit(BOTH)

    assert adapters.book.load([OPENED.fingerprint]) == {}
    assert adapters.book.page(page().ref) is None


def test_commit_whose_answer_was_lost_is_in_the_ledger(table: Table, adapters: Adapters) -> None:
    table.faults.lost.append(ReadTimeoutError(endpoint_url=URL))
    with pytest.raises(Unavailable):
        adapters.book.commit(BOTH)

    with pytest.raises(AlreadyRecorded):
        adapters.book.commit(BOTH)

    assert adapters.book.owed(page().ref, page().channels) == {n.group for n in BOTH.notices}


def reasons_at(place: int, reason: str) -> list[str]:
    reasons = ["None"] * 6
    reasons[place] = reason
    return reasons


# ---- the book: what a storm costs ----


def test_member_that_changes_in_a_storm_costs_one_read_and_no_write(
    table: Table, adapters: Adapters
) -> None:
    adapters.book.mark(page(), NOW)
    table.faults.calls.clear()

    for second in range(3):
        adapters.book.mark(page(), at(second))

    assert table.faults.calls == ["BatchGetItem"] * 3


def test_row_that_another_marked_after_it_was_read_is_left_alone(
    table: Table, adapters: Adapters
) -> None:
    rival = DynamoIncidentBook(table.client, table.name)
    quiet = page(channels=page().channels[:1])
    table.faults.before = [lambda: None, lambda: told_by(rival)]

    def told_by(book: DynamoIncidentBook) -> None:
        assert book.mark(quiet, at(1)) == {SLACK}

    assert adapters.book.mark(quiet, at(2)) == frozenset()

    assert [row.created_at for row in adapters.outbox.pending(SLACK)] == [at(1)]


def test_passing_conflict_does_not_undo_a_mark(table: Table, adapters: Adapters) -> None:
    for times in (1, CONFLICT_TRIES - 1):
        table.faults.before = [lambda: None, plan_conflicts(table, times)]

        assert adapters.book.mark(page(times), NOW)


def plan_conflicts(table: Table, times: int) -> Callable[[], None]:
    return lambda: table.faults.refuse("TransactionConflictException", times=times)


def test_rows_that_were_left_out_are_asked_for_again(table: Table, adapters: Adapters) -> None:
    many = [incident(number) for number in range(8)]
    for each in many:
        adapters.book.commit(wrote(each))
    leave_out(table, answers=TRIES - 1)

    assert adapters.book.load([each.fingerprint for each in many]) == {
        each.fingerprint: each for each in many
    }


def test_rows_that_are_left_out_for_ever_are_unavailable(table: Table, adapters: Adapters) -> None:
    adapters.book.commit(wrote(OPENED))
    leave_out(table, answers=TRIES)

    with pytest.raises(Unavailable, match="left 1 rows out"):
        adapters.book.load([OPENED.fingerprint])


def leave_out(table: Table, answers: int) -> None:
    """Leave the last row of each answer out, as a throttled table does."""
    left = iter(range(answers))

    def cut(parsed: dict[str, Any], **_: Any) -> None:
        rows_found = parsed["Responses"][table.name]
        if rows_found and next(left, None) is not None:
            row = rows_found.pop()
            key = {"pk": row["pk"], "sk": row["sk"]}
            parsed["UnprocessedKeys"] = {table.name: {"Keys": [key]}}

    table.client.meta.events.register("after-call.dynamodb.BatchGetItem", cut)


# ---- what is tried again ----


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


def test_silence_that_this_version_cannot_read_does_not_hide_the_others(
    table: Table, adapters: Adapters
) -> None:
    adapters.silences.put(SILENCE)
    broken = rows.silence_key("s0") | {"doc": {"S": '{"schema": "silence/9"}'}}
    table.client.put_item(TableName=table.name, Item=broken)

    assert adapters.silences.active(NOW) == (SILENCE,)


def test_rows_of_another_version_are_unreadable_and_say_which(
    table: Table, adapters: Adapters
) -> None:
    broken: rows.Key = {"doc": {"S": "{"}}
    for key in (rows.incident_key(OPENED.fingerprint), rows.page_key(page().ref)):
        table.client.put_item(TableName=table.name, Item=key | broken)

    with pytest.raises(Unreadable, match=OPENED.fingerprint):
        adapters.book.load([OPENED.fingerprint])
    with pytest.raises(Unreadable, match=page().scope):
        adapters.book.page(page().ref)
    with pytest.raises(Unreadable, match=page().scope):
        adapters.book.latest(page().scope)


# ---- what the rows are for people and for DynamoDB ----


def test_rows_that_may_go_say_when(table: Table, adapters: Adapters) -> None:
    line = Entry(number=1, at=NOW, what="acknowledged")
    hold = Hold(key="bus", fingerprint="f")
    adapters.book.commit(replace(BOTH, holds=(hold,)))
    adapters.book.commit(told(later(page()), said=(line,)))
    adapters.book.commit(joined(page(), member()))
    adapters.outbox.acquire(SLACK, "me", NOW)
    adapters.outbox.settle(LEASED, NOTICE, receipt(), attempt(), done=True)
    adapters.senders.speaks_for("node-7", "AIDA", NOW)
    adapters.silences.put(SILENCE)
    adapters.clicks.first_time("a", NOW)

    days = {}
    for row in table.client.scan(TableName=table.name)["Items"]:
        if "ttl" in row:
            kind = row["pk"]["S"].partition("#")[0]
            days[kind] = (int(row["ttl"]["N"]) - NOW.timestamp()) / 86_400

    assert days == {
        "EVT": 30,
        "OUT": 7,
        "PAGE": 90,
        "MEM": 90,
        "HOLD": 30,
        "NODE": 30,
        "SILENCE": pytest.approx(30 + 1 / 24),
        "CLICK": pytest.approx(10 / (24 * 60)),
    }


def test_time_sorts_as_text_even_from_a_broken_clock() -> None:
    first = NOW.min.replace(tzinfo=NOW.tzinfo)
    broken = first.fromisoformat("0001-01-01T00:00:00+10:00")

    assert rows.iso(first) == "0001-01-01T00:00:00.000000Z"
    assert rows.iso(broken) == "0001-01-01T00:00:00.000000Z"
    assert rows.iso(NOW) == "2026-03-03T04:44:24.000000Z"
