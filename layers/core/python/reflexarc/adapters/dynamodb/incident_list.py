"""Fills the CLI's view of incidents with the incidents table: what is open, and one in full."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import member_rows, rows
from reflexarc.adapters.dynamodb.attempts import attempt_of
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.events.incident import Incident, PageRef, State
from reflexarc.events.page import Entry, Member, Page
from reflexarc.notify.model import Attempt, Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One incident with the page that tells it, and what is known of its delivery.

    Receipts are by channel; attempts and the lines of the page's history are in order of time.
    """

    incident: Incident
    page: Page | None = None
    receipts: dict[str, Receipt] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    history: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentList:
    """Reads incidents for people; the list is eventually consistent, a dossier is not."""

    client: "DynamoDBClient"
    table: str

    def recent(self, limit: int, state: State | None = None) -> list[Incident]:
        """Return incidents, the most recently seen first; tombstones of no fault are left out."""
        shards = [self._shard(number) for number in range(rows.INCIDENT_SHARDS)]
        newest = merge(*shards, key=lambda row: str(row["watch_sk"]["S"]), reverse=True)
        found = (rows.parsed(Incident, row) for row in newest)
        wanted = (
            incident
            for incident in found
            if incident.generation > 0 and state in {None, incident.state}
        )
        return list(islice(wanted, limit))

    def dossier(self, fingerprint: str) -> Dossier | None:
        """Return everything about one incident, None where there is no such incident."""
        row = self._row(rows.incident_key(fingerprint))
        if row is None:
            return None
        incident = rows.parsed(Incident, row)
        return self._told(incident, incident.page) if incident.page else Dossier(incident=incident)

    def page(self, ref: PageRef) -> Page | None:
        """Return one page as it is now."""
        row = self._row(rows.page_key(ref))
        return rows.parsed(Page, row) if row else None

    def members(self, ref: PageRef) -> tuple[Member, ...]:
        """Return who joined a page beside its lead, in that order."""
        return member_rows.read(self.client, self.table, ref, None)

    def _told(self, incident: Incident, ref: PageRef) -> Dossier:
        receipts = {
            row["sk"]["S"].split("#", 2)[2]: rows.parsed(Receipt, row)
            for row in self._rows_from(rows.receipt_key(ref, ""))
        }
        log = list(self._rows_from(rows.log_key(ref)))
        return Dossier(
            incident=incident,
            page=self.page(ref),
            receipts=receipts,
            attempts=tuple(attempt_of(line) for line in log if _kind(line) == "attempt"),
            history=tuple(rows.parsed(Entry, line) for line in log if _kind(line) == "entry"),
        )

    def _shard(self, number: int) -> Iterator[dict[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=rows.WATCH,
            KeyConditionExpression="watch_pk = :shard",
            ExpressionAttributeValues={":shard": rows.text(f"INC#{number}")},
            ScanIndexForward=False,
            PaginationConfig={"PageSize": PAGE},
        )
        with store_errors("listing incidents"):
            for page in pages:
                yield from page["Items"]

    def _row(self, key: rows.Key) -> dict[str, Any] | None:
        with store_errors("reading an incident"):
            return self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get(
                "Item"
            )

    def _rows_from(self, first: rows.Key) -> Iterator[dict[str, Any]]:
        """Yield the rows whose sort key begins like this one's, in order."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": first["pk"], ":sk": first["sk"]},
        )
        with store_errors("reading what a page told"):
            for page in pages:
                yield from page["Items"]


def _kind(line: dict[str, Any]) -> str:
    return str(line.get("kind", {}).get("S", ""))
