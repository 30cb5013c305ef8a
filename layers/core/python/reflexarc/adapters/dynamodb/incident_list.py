"""Fills the CLI's view of incidents with the incidents table: what is open, and one in full."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.attempts import attempt_of
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.events.incident import Incident, State
from reflexarc.notify.model import Attempt, Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One incident with what is known of its delivery.

    Receipts are by (generation, channel); attempts are in order of time.
    """

    incident: Incident
    receipts: dict[tuple[int, str], Receipt]
    attempts: tuple[Attempt, ...]


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
        incident: Incident | None = None
        receipts: dict[tuple[int, str], Receipt] = {}
        attempts: list[Attempt] = []
        for row in self._rows_of(fingerprint):
            kind, *rest = row["sk"]["S"].split("#")
            if kind == "INC":
                incident = rows.parsed(Incident, row)
            elif kind == "CH":
                receipts[int(rest[0]), rest[1]] = rows.parsed(Receipt, row)
            elif kind == "LOG":
                attempts.append(attempt_of(row))
        if incident is None:
            return None
        return Dossier(incident=incident, receipts=receipts, attempts=tuple(attempts))

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

    def _rows_of(self, fingerprint: str) -> Iterator[dict[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": rows.incident_key(fingerprint)["pk"]},
        )
        with store_errors(f"reading incident {fingerprint}"):
            for page in pages:
                yield from page["Items"]
