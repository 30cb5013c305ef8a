import pytest

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.attempts import attempt_of
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import PAGE, Dossier, IncidentList
from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
from reflexarc.events.incident import Incident
from reflexarc.events.page import Entry
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import Lease
from tests.ports.conftest import Table
from tests.support.commits import joined, later, told, wrote
from tests.support.notices import NOW, at, attempt, incident, member, page, receipt

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
        opened.append(incident(second, last_at=at(second)))
        book.commit(wrote(opened[-1]))
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
        seen_then = incident(1, last_at=at(second))
        item = rows.incident_key(str(second)) | {
            "doc": rows.document(seen_then),
            "watch_pk": rows.text("INC#3"),
            "watch_sk": rows.text(rows.iso(seen_then.last_at)),
        }
        table.client.put_item(TableName=table.name, Item=item)

    seen = [each.last_at for each in incidents.recent(PAGE * 3)]

    assert seen == [at(second) for second in reversed(range(PAGE + 1))]


def test_incident_that_is_seen_again_moves_up_and_is_listed_once(
    book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    first, other = incident(1), incident(2, last_at=at(5))
    again = incident(1, last_at=at(9), version=2)
    for step in (first, other, again):
        book.commit(wrote(step))

    assert incidents.recent(10) == [again, other]


def test_list_can_be_narrowed_to_a_state(book: DynamoIncidentBook, incidents: IncidentList) -> None:
    resolved, other = incident(1, state="resolved", resolved_at=at(60)), incident(2)
    for step in (resolved, other):
        book.commit(wrote(step))

    assert incidents.recent(10, "open") == [other]
    assert incidents.recent(10, "resolved") == [resolved]


def test_tombstones_are_not_listed(book: DynamoIncidentBook, incidents: IncidentList) -> None:
    book.commit(wrote(incident(1, generation=0, state="resolved")))

    assert incidents.recent(10) == []


def test_unknown_incident_has_no_dossier(incidents: IncidentList) -> None:
    assert incidents.dossier("0" * 32) is None


def test_incident_that_no_page_tells_has_a_short_dossier(
    book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    book.commit(wrote(incident(1)))

    assert incidents.dossier(incident(1).fingerprint) == Dossier(incident=incident(1))


def test_dossier_holds_page_receipts_attempts_and_history(
    table: Table, book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    said = tuple(Entry(number=number, at=at(5), what=f"line {number}") for number in (1, 2, 10))
    first = page(generation=3)
    book.commit(wrote(first.lead))
    for step in (told(page(generation=2), said=said[:1]), told(first, said=said[1::-1])):
        book.commit(step)
    second = later(first, state="acked")
    book.commit(told(second, said=said[2:]))
    outbox = DynamoOutbox(table.client, table.name)
    lease = outbox.acquire(SLACK, "me", NOW)
    assert isinstance(lease, Lease)
    [other, owed] = outbox.pending(SLACK)
    outbox.settle(lease, other, receipt(vendor_id="of another"), attempt("other"), done=True)
    outbox.settle(lease, owed, receipt(), attempt("y" * 5_000, at=at(9)), done=False)
    outbox.settle(lease, owed, None, attempt(part="list/1"), done=True)

    dossier = incidents.dossier(first.lead.fingerprint)

    assert dossier == Dossier(
        incident=first.lead,
        page=second,
        receipts={"slack": receipt()},
        attempts=(attempt(part="list/1"), attempt("y" * 1_000, at=at(9))),
        history=said,
    )


def test_line_of_a_kind_that_a_later_version_writes_is_left_out(
    table: Table, book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    for step in (wrote(page().lead), told(page())):
        book.commit(step)
    line = rows.log_key(page().ref, NOW, "x") | {"kind": rows.text("verdict")}
    table.client.put_item(TableName=table.name, Item=line)

    dossier = incidents.dossier(page().lead.fingerprint)

    assert dossier == Dossier(incident=page().lead, page=page())


def test_incident_whose_page_is_gone_still_has_a_dossier(
    book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    book.commit(wrote(page().lead))

    assert incidents.dossier(page().lead.fingerprint) == Dossier(incident=page().lead)


def test_members_of_a_page_are_listed_as_they_joined(
    book: DynamoIncidentBook, incidents: IncidentList
) -> None:
    book.commit(joined(page(), member(3), member(2, "node-9")))

    assert incidents.members(page().ref) == (member(2, "node-9"), member(3))


def test_unreadable_attempt_is_unavailable_and_says_which() -> None:
    with pytest.raises(Unavailable, match="LOG#1"):
        attempt_of({"pk": {"S": "INC#1"}, "sk": {"S": "LOG#1"}, "doc": {"S": "{}"}})
