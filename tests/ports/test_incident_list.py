import pytest

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.attempts import attempt_of
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import PAGE, IncidentList
from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
from reflexarc.events.incident import Incident
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import Lease
from tests.ports.conftest import Table
from tests.support.incidents import (
    GPU,
    NOW,
    at,
    attempt,
    change,
    clear,
    receipt,
    signal,
)

SLACK = "slack/C0PAGES"


@pytest.fixture
def book(table: Table) -> DynamoIncidentBook:
    return DynamoIncidentBook(table.client, table.name)


@pytest.fixture
def incidents(table: Table) -> IncidentList:
    return IncidentList(table.client, table.name)


def open_many(book: DynamoIncidentBook, number: int) -> list[Incident]:
    """Open incidents on distinct GPUs, each a second after the one before; return newest first."""
    opened = []
    for second in range(number):
        entity = GPU.model_copy(update={"device": f"0000:{second:02x}:00"})
        decided = change(signal(second, entity=entity, seconds=second))
        book.commit(decided)
        opened.append(decided.incident)
    return opened[::-1]


def test_empty_table_lists_nothing(incidents: IncidentList) -> None:
    assert incidents.recent(10) == []


def test_newest_incidents_come_first_across_shards(
    book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    newest_first = open_many(book, 12)

    assert incidents.recent(100) == newest_first
    assert incidents.recent(3) == newest_first[:3]


def test_a_shard_of_several_pages_is_read_whole(table: Table, incidents: IncidentList) -> None:
    for second in range(PAGE + 1):
        incident = change(signal(1, seconds=second)).incident
        item = rows.incident_key(str(second)) | {
            "doc": rows.document(incident),
            "watch_pk": rows.text("INC#3"),
            "watch_sk": rows.text(rows.iso(incident.last_at)),
        }
        table.client.put_item(TableName=table.name, Item=item)

    seen = [incident.last_at for incident in incidents.recent(PAGE * 3)]

    assert seen == [at(second) for second in reversed(range(PAGE + 1))]


def test_incident_that_is_seen_again_moves_up_and_is_listed_once(
    book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    first = change(signal(1))
    other = change(signal(2, entity=GPU.model_copy(update={"device": "b"}), seconds=5))
    again = change(signal(3, seconds=9), after=first)
    for step in (first, other, again):
        book.commit(step)

    assert incidents.recent(10) == [again.incident, other.incident]


def test_list_can_be_narrowed_to_a_state(book: DynamoIncidentBook, incidents: IncidentList) -> None:
    opened = change(signal(1))
    resolved = change(clear(2), after=opened)
    other = change(signal(3, entity=GPU.model_copy(update={"device": "b"})))
    for step in (opened, resolved, other):
        book.commit(step)

    assert incidents.recent(10, "open") == [other.incident]
    assert incidents.recent(10, "resolved") == [resolved.incident]


def test_tombstones_are_not_listed(book: DynamoIncidentBook, incidents: IncidentList) -> None:
    book.commit(change(clear(1, seq=1)))

    assert incidents.recent(10) == []


def test_unknown_incident_has_no_dossier(incidents: IncidentList) -> None:
    assert incidents.dossier("0" * 32) is None


def test_dossier_holds_receipts_and_attempts(
    table: Table, book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    opened = change(signal(1))
    book.commit(opened)
    outbox = DynamoOutbox(table.client, table.name)
    lease = outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    pending = outbox.pending(SLACK)
    outbox.settle(lease, pending, receipt(), attempt())
    outbox.settle(lease, pending, None, attempt("y" * 5_000))
    later_kind = {"pk": rows.incident_key(GPU.fingerprint)["pk"], "sk": rows.text("SIL#1")}
    table.client.put_item(TableName=table.name, Item=later_kind)

    dossier = incidents.dossier(GPU.fingerprint)

    assert dossier is not None
    assert dossier.incident == opened.incident
    assert dossier.receipts == {(1, "slack"): receipt()}
    assert attempt() in dossier.attempts
    assert {len(each.detail) for each in dossier.attempts} == {0, 1_000}


def test_unreadable_attempt_is_unavailable_and_says_which() -> None:
    with pytest.raises(Unavailable, match="LOG#1"):
        attempt_of({"pk": {"S": "INC#1"}, "sk": {"S": "LOG#1"}, "doc": {"S": "{}"}})
