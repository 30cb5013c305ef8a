"""The documents that people push: what memory and DynamoDB both promise, and what the rows hold."""

import json
import random
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import pytest

from reflexarc.adapters.dynamodb.config_document import (
    CONFIGURATION,
    PACKED_FROM,
    TELEMETRY,
    TEXT_MAX,
    ConfigDocument,
)
from reflexarc.adapters.memory.documents import MemoryDocuments
from reflexarc.kernel.errors import Rejected
from reflexarc.runtime.config import Documents
from tests.ports.conftest import Table
from tests.support.incidents import NOW

KINDS = {"configuration": CONFIGURATION, "telemetry": TELEMETRY}


class Pushed(Documents, Protocol):
    """What `reflexarc config` and `reflexarc rules` push to."""

    def live_version(self) -> int: ...
    def push(self, text: str, replaces: int, now: datetime) -> int: ...


@pytest.fixture(params=["memory", *KINDS])
def document(request: pytest.FixtureRequest) -> Pushed:
    if request.param == "memory":
        return MemoryDocuments()
    table: Table = request.getfixturevalue("table")
    return ConfigDocument(table.client, table.name, KINDS[request.param])


@pytest.fixture
def telemetry(table: Table) -> ConfigDocument:
    return ConfigDocument(table.client, table.name, TELEMETRY)


def rules(number: int) -> str:
    rule = {"action": "drop", "owner": "sre@example.com", "reason": "nobody reads it"}
    return json.dumps({"rules": [rule | {"name": f"rule-{each}"} for each in range(number)]})


def rows_of(table: Table) -> dict[str, set[str]]:
    items = table.client.scan(TableName=table.name)["Items"]
    return {item["sk"]["S"]: set(item) - {"pk", "sk"} for item in items}


def test_at_first_there_is_none(document: Pushed) -> None:
    assert document.live() is None
    assert document.live_version() == 0
    assert document.version(0) is None


def test_pushed_document_is_live(document: Pushed) -> None:
    assert document.push('{"a": 1}', 0, NOW) == 1

    assert document.live() == (1, '{"a": 1}')
    assert document.live_version() == 1


def test_every_version_is_kept(document: Pushed) -> None:
    document.push("first", 0, NOW)
    document.push("second", 1, NOW)

    assert document.live() == (2, "second")
    assert document.version(1) == "first"
    assert document.version(2) == "second"
    assert document.version(3) is None


@pytest.mark.parametrize("seen", [0, 1, 7])
def test_push_over_a_version_that_was_not_seen_is_refused(document: Pushed, seen: int) -> None:
    document.push("first", 0, NOW)
    document.push("second", 1, NOW)

    with pytest.raises(Rejected, match=f"not version {seen} any more"):
        document.push("mine", seen, NOW)

    assert document.live() == (2, "second")


def test_first_push_of_two_wins(document: Pushed) -> None:
    document.push("theirs", 0, NOW)

    with pytest.raises(Rejected):
        document.push("mine", 0, NOW)


def test_ten_thousand_rules_are_kept_as_they_were_written(document: Pushed) -> None:
    text = rules(10_000)

    document.push(text, 0, NOW)

    assert document.live() == (1, text)
    assert document.version(1) == text


def test_the_two_documents_do_not_know_of_each_other(table: Table) -> None:
    configuration = ConfigDocument(table.client, table.name)
    telemetry = replace(configuration, kind=TELEMETRY)

    configuration.push("pages", 0, NOW)
    telemetry.push("rules", 0, NOW)
    telemetry.push("more rules", 1, NOW)

    assert configuration.live() == (1, "pages")
    assert telemetry.live() == (2, "more rules")


def test_what_is_asked_every_ten_seconds_is_one_small_row(
    table: Table, telemetry: ConfigDocument
) -> None:
    telemetry.push(rules(10_000), 0, NOW)
    table.faults.calls.clear()

    assert telemetry.live_version() == 1

    assert table.faults.calls == ["GetItem"]
    assert rows_of(table) == {
        "TELEMETRY#LIVE": {"version", "at"},
        "TELEMETRY#V#1": {"packed", "version", "at"},
    }


def test_a_short_document_stays_readable_in_the_table(
    table: Table, telemetry: ConfigDocument
) -> None:
    telemetry.push(rules(3), 0, NOW)

    assert rows_of(table)["TELEMETRY#V#1"] == {"doc", "version", "at"}


@pytest.mark.parametrize("text", [random.Random(1).randbytes(400_000).hex(), " " * (TEXT_MAX + 1)])
def test_what_no_row_can_hold_is_refused_with_the_limit(
    table: Table, telemetry: ConfigDocument, text: str
) -> None:
    with pytest.raises(Rejected, match="at most 16,777,216 are taken, and 395,000 kept"):
        telemetry.push(text, 0, NOW)

    assert rows_of(table) == {}


@pytest.mark.parametrize("kept", [{}, {"packed": {"B": b"x\x9c half of it"}}])
def test_a_row_that_somebody_broke_reads_as_no_document(
    table: Table, telemetry: ConfigDocument, kept: dict[str, Any]
) -> None:
    telemetry.push(" " * PACKED_FROM, 0, NOW)
    key = {"pk": {"S": "CONFIG"}, "sk": {"S": "TELEMETRY#V#1"}, "version": {"N": "1"}}
    table.client.put_item(TableName=table.name, Item=key | kept)

    assert telemetry.live() == (1, "")
