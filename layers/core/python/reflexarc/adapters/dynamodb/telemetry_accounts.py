"""Reads the accounts of telemetry back: the rows of some days, and what attributes were counted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows, telemetry_rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.telemetry.accounting import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SKETCH = "a."


@dataclass(frozen=True, slots=True)
class TelemetryAccounts:
    """Accounts by time; raises Unavailable when the table does not answer."""

    client: "DynamoDBClient"
    table: str

    def rows(self, since: datetime, until: datetime) -> Iterator[Row]:
        """Yield the rows of the hours that touch a span of time."""
        first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for day in _days(first, until):
            for shard in range(telemetry_rows.SHARDS):
                for item in self._query(telemetry_rows.day_key(day, shard)):
                    row = telemetry_rows.row_of(item)
                    if first <= row.hour < until:
                        yield row

    def sketches(self, since: datetime, until: datetime) -> Iterator[tuple[str, str, bytes]]:
        """Yield metric, attribute and sketch of each hour of a span of time."""
        first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for day in _days(first, until):
            for item in self._query(f"CARD#{day}"):
                hour = datetime.fromisoformat(f"{day}T{item['sk']['S'][:2]}:00:00+00:00")
                if first <= hour < until:
                    for name, value in item.items():
                        if name.startswith(_SKETCH):
                            yield item["metric"]["S"], name.removeprefix(_SKETCH), value["B"]

    def _query(self, pk: str) -> Iterator[Mapping[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": rows.text(pk)},
            ConsistentRead=True,
        )
        with store_errors("reading accounts of telemetry"):
            for page in pages:
                yield from page["Items"]


def _days(since: datetime, until: datetime) -> Iterator[date]:
    day, last = since.date(), until.astimezone(UTC).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
