from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import pytest

from reflexarc.adapters.dynamodb.clicks import DynamoClicks
from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
from reflexarc.adapters.dynamodb.pages import DynamoDuePages
from reflexarc.adapters.dynamodb.senders import DynamoSenders
from reflexarc.adapters.dynamodb.silences import DynamoSilences
from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.pages import MemoryClicks, MemoryDuePages, MemorySilences
from reflexarc.adapters.memory.store import Store
from reflexarc.incidents.ports import IncidentBook
from reflexarc.notify.ports import Outbox
from tests.support.aws import Faults, aws, dynamodb, make_table, sqs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_numbers = count(1)


def no_pause(attempt: int) -> None:
    """Do not wait in tests."""


@dataclass(frozen=True)
class Table:
    """A fresh table on a client whose calls can be made to fail."""

    client: "DynamoDBClient"
    name: str
    faults: Faults


@dataclass(frozen=True)
class Shelf:
    """Everything that shares the rows of one table."""

    book: IncidentBook
    outbox: Outbox
    silences: DynamoSilences | MemorySilences
    due_pages: DynamoDuePages | MemoryDuePages
    clicks: DynamoClicks | MemoryClicks


@dataclass(frozen=True)
class Adapters:
    """Everything that speaks to the incidents table."""

    book: DynamoIncidentBook
    outbox: DynamoOutbox
    senders: DynamoSenders
    config: ConfigDocument
    incidents: IncidentList
    due_pages: DynamoDuePages
    silences: DynamoSilences
    clicks: DynamoClicks


@pytest.fixture(scope="package")
def cloud() -> Iterator["DynamoDBClient"]:
    with aws():
        yield dynamodb()


@pytest.fixture
def table(cloud: "DynamoDBClient") -> Table:
    name = f"incidents-{next(_numbers)}"
    make_table(cloud, name)
    client, faults = dynamodb(), Faults()
    faults.attach(client)
    return Table(client, name, faults)


@pytest.fixture
def adapters(table: Table) -> Adapters:
    client, name = table.client, table.name
    return Adapters(
        book=DynamoIncidentBook(client, name, pause=no_pause),
        outbox=DynamoOutbox(client, name, pause=no_pause),
        senders=DynamoSenders(client, name),
        config=ConfigDocument(client, name),
        incidents=IncidentList(client, name),
        due_pages=DynamoDuePages(client, name),
        silences=DynamoSilences(client, name),
        clicks=DynamoClicks(client, name),
    )


@pytest.fixture(params=["memory", "dynamodb"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    if request.param == "memory":
        store = Store()
        return Shelf(
            MemoryIncidentBook(store),
            MemoryOutbox(store),
            MemorySilences(store),
            MemoryDuePages(store),
            MemoryClicks(store),
        )
    table: Table = request.getfixturevalue("table")
    return Shelf(
        DynamoIncidentBook(table.client, table.name),
        DynamoOutbox(table.client, table.name),
        DynamoSilences(table.client, table.name),
        DynamoDuePages(table.client, table.name),
        DynamoClicks(table.client, table.name),
    )


@pytest.fixture
def sqs_client(cloud: "DynamoDBClient") -> "SQSClient":  # noqa: ARG001 - keeps moto running
    return sqs()
