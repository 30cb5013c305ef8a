"""The outbox under what DynamoDB can do wrong: conflicts, lost answers, and who was faster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import CONFLICT_TRIES
from reflexarc.events.notice import Notice
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import LEASE, Busy, Lease
from tests.ports.conftest import Adapters, Table
from tests.support.commits import told, wrote
from tests.support.notices import NOW, at, attempt, incident, notice, page, receipt

SLACK = "slack/C0PAGES"
LEASED = Lease(group=SLACK, owner="me", until=NOW + LEASE)
NOTICE = notice()
BOTH = replace(told(page()), incidents=wrote(incident(), "one", "two").incidents)
URL = "https://dynamodb.eu-west-1.amazonaws.com"
ON_THE_LEASE: dict[str, Callable[[Adapters], object]] = {
    "acquire": lambda on: on.outbox.acquire(SLACK, "me", NOW),
    "suspect": lambda on: on.outbox.suspect(LEASED),
    "release": lambda on: on.outbox.release(LEASED),
    "postpone": lambda on: on.outbox.postpone(LEASED, at(5), 1, NOW),
    "defer": lambda on: on.outbox.defer(LEASED, at(5), NOW),
}


def test_lease_is_taken_in_one_call_and_a_look_costs_few(table: Table, adapters: Adapters) -> None:
    adapters.book.commit(BOTH)
    table.faults.calls.clear()

    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    [owed] = adapters.outbox.pending(SLACK)
    adapters.outbox.receipt(owed)
    adapters.outbox.settle(lease, owed, receipt(), attempt(), done=True)
    adapters.outbox.release(lease)

    assert table.faults.calls == [
        "UpdateItem",
        "Query",
        "GetItem",
        "TransactWriteItems",
        "DeleteItem",
    ]


def test_waiting_for_the_pace_costs_one_write(table: Table, adapters: Adapters) -> None:
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    table.faults.calls.clear()

    adapters.outbox.defer(lease, at(1.2), NOW)

    assert table.faults.calls == ["UpdateItem"]


@pytest.mark.parametrize("name", ON_THE_LEASE)
def test_passing_conflict_on_the_lease_is_ridden_out(
    table: Table, adapters: Adapters, name: str
) -> None:
    adapters.outbox.acquire(SLACK, "other", at(-60))
    table.faults.refuse("TransactionConflictException", times=CONFLICT_TRIES - 1)

    ON_THE_LEASE[name](adapters)

    assert table.faults.planned == []


def test_passing_conflict_does_not_undo_a_settlement(table: Table, adapters: Adapters) -> None:
    lease, owed = looking(adapters)
    table.faults.cancel("TransactionConflict", "None", times=CONFLICT_TRIES - 1)

    assert adapters.outbox.settle(lease, owed, receipt(), attempt(), done=True) is True

    assert adapters.outbox.pending(SLACK) == ()


def test_passing_conflict_does_not_keep_a_row_from_being_taken(
    table: Table, adapters: Adapters
) -> None:
    lease, owed = looking(adapters)
    table.faults.refuse("TransactionConflictException", times=CONFLICT_TRIES - 1)

    assert adapters.outbox.take(lease, owed) is not None


def test_settlement_whose_answer_was_lost_can_be_repeated(table: Table, adapters: Adapters) -> None:
    lease, owed = looking(adapters)
    table.faults.lost.append(ReadTimeoutError(endpoint_url=URL))
    with pytest.raises(Unavailable):
        adapters.outbox.settle(lease, owed, receipt(), attempt(), done=True)

    assert adapters.outbox.settle(lease, owed, receipt(), attempt(), done=True) is True


def looking(adapters: Adapters) -> tuple[Lease, Notice]:
    adapters.book.commit(BOTH)
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    [owed] = adapters.outbox.pending(SLACK)
    return lease, owed


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


def test_word_left_between_two_steps_of_a_release_is_heard(
    table: Table, adapters: Adapters
) -> None:
    first = adapters.outbox.acquire(SLACK, "first", NOW)
    assert isinstance(first, Lease)
    adapters.outbox.defer(first, at(1), NOW)
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    word = lambda: adapters.outbox.acquire(SLACK, "rival", NOW)  # noqa: E731
    table.faults.before = [lambda: None, lambda: called(word)]

    assert adapters.outbox.release(lease) is False
    assert adapters.outbox.release(lease) is True


def test_word_left_between_two_steps_of_a_deferral_is_heard(
    table: Table, adapters: Adapters
) -> None:
    first = adapters.outbox.acquire(SLACK, "first", NOW)
    assert isinstance(first, Lease)
    adapters.outbox.defer(first, at(1), NOW)
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    word = lambda: adapters.outbox.acquire(SLACK, "rival", NOW)  # noqa: E731
    table.faults.before = [lambda: None, lambda: called(word)]

    assert adapters.outbox.defer(lease, at(1), NOW) == "again"


def called(call: Callable[[], object]) -> None:
    call()


@pytest.mark.parametrize("name", ["release", "defer"])
def test_lease_that_changes_at_every_step_is_unavailable(
    table: Table, adapters: Adapters, name: str
) -> None:
    first = adapters.outbox.acquire(SLACK, "first", NOW)
    assert isinstance(first, Lease)
    adapters.outbox.defer(first, at(1), NOW)
    adapters.outbox.acquire(SLACK, "me", NOW)

    def refuse_writes() -> None:
        if table.faults.calls[-1] in {"UpdateItem", "DeleteItem"}:
            table.faults.refuse("ConditionalCheckFailedException")

    table.faults.before = [refuse_writes] * 30

    with pytest.raises(Unavailable, match="changed"):
        ON_THE_LEASE[name](adapters)


@pytest.mark.parametrize(
    "broken",
    [
        {"doc": {"S": '{"schema": "notice/9"}'}},
        {"doc": rows.document(NOTICE)},
        {},
    ],
)
def test_notice_that_this_version_cannot_read_waits_and_the_others_go_on(
    table: Table, adapters: Adapters, broken: rows.Key
) -> None:
    adapters.book.commit(BOTH)
    table.client.put_item(TableName=table.name, Item=rows.notice_key(SLACK, "0") | broken)

    assert [each.row for each in adapters.outbox.pending(SLACK)] == [NOTICE.row]


def sent_again(table: Table, operation: str) -> None:
    """Let botocore miss the answer of one call, and send it again by itself."""
    client: Any = table.client
    send: Callable[[str, Any], Any] = client._make_api_call

    def twice(name: str, params: Any) -> Any:
        if name == operation:
            client._make_api_call = send
            send(name, params)
        return send(name, params)

    client._make_api_call = twice


def test_a_lease_that_was_taken_in_two_sendings_is_ones_own(
    table: Table, adapters: Adapters
) -> None:
    sent_again(table, "UpdateItem")

    lease = adapters.outbox.acquire(SLACK, "me", NOW)

    assert lease == replace(LEASED, suspect=True)
    assert adapters.outbox.release(replace(LEASED, suspect=True))


def test_word_that_was_heard_in_two_sendings_is_heard(table: Table, adapters: Adapters) -> None:
    adapters.outbox.acquire(SLACK, "me", NOW)
    adapters.outbox.acquire(SLACK, "other", NOW)
    sent_again(table, "UpdateItem")

    assert not adapters.outbox.release(LEASED), "look again"


def test_who_gives_back_in_two_sendings_sends_the_re_wake(table: Table, adapters: Adapters) -> None:
    adapters.outbox.acquire(SLACK, "me", NOW)
    sent_again(table, "UpdateItem")
    assert adapters.outbox.postpone(LEASED, at(5), 1, NOW)

    adapters.outbox.acquire(SLACK, "me", at(5))
    sent_again(table, "UpdateItem")
    assert adapters.outbox.defer(LEASED, at(7), at(5)) == "rewake"


def test_a_mark_that_was_written_in_two_sendings_is_news(table: Table, adapters: Adapters) -> None:
    adapters.book.commit(BOTH)
    [owed] = adapters.outbox.pending(SLACK)
    lease = adapters.outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    adapters.outbox.settle(lease, owed, receipt(), None, done=True)
    sent_again(table, "UpdateItem")

    assert SLACK in adapters.book.mark(page(), NOW)
