"""Fills incidents.ports.Silences with one partition of the incidents table: they are few."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.events.page import Silence
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class DynamoSilences:
    """Silences by id, kept for a while after they ended; raises Unavailable without an answer."""

    client: "DynamoDBClient"
    table: str

    def active(self, now: datetime) -> tuple[Silence, ...]:
        """Return the silences that have not ended, by when they begin, then by id."""
        active = (silence for silence in self._all() if silence.ends_at > now)
        return tuple(sorted(active, key=lambda silence: (silence.starts_at, silence.id)))

    def all(self) -> tuple[Silence, ...]:
        """Return every silence that is kept, those that ended a while ago included, by id."""
        return tuple(sorted(self._all(), key=lambda silence: silence.id))

    def put(self, silence: Silence) -> None:
        """Keep a silence, new or changed."""
        item = rows.silence_key(silence.id) | {
            "doc": rows.document(silence),
            "ttl": rows.ttl(silence.ends_at, rows.SILENCE_KEPT),
        }
        with store_errors(f"keeping silence {silence.id}"):
            self.client.put_item(TableName=self.table, Item=item)

    def _all(self) -> Iterator[Silence]:
        """Yield what can be read: a silence that cannot be must not silence the rest."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": rows.silence_key("-")["pk"]},
        )
        with store_errors("reading silences"):
            for row in (row for page in pages for row in page["Items"]):
                try:
                    yield rows.parsed(Silence, row)
                except Unavailable:
                    continue
