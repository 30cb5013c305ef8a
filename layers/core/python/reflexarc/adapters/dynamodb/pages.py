"""Finds pages whose next step is due, for the watchdog: the timers that no queue holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.events.action import Timer
from reflexarc.events.incident import PageRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class DynamoDuePages:
    """Pages by when their next step is due; raises Unavailable when the table does not answer."""

    client: "DynamoDBClient"
    table: str

    def due(self, before: datetime) -> Iterator[Timer]:
        """Yield the timers that were due before a moment (eventually consistent)."""
        for shard in range(rows.DUE_SHARDS):
            pages = self.client.get_paginator("query").paginate(
                **rows.waiting(self.table, f"DUE#{shard}", before, "timer")
            )
            with store_errors("looking for pages that are due"):
                for row in (row for page in pages for row in page["Items"]):
                    due_at, scope, generation = row["watch_sk"]["S"].split("#")
                    yield Timer(
                        page=PageRef(scope=scope, generation=int(generation)),
                        timer=int(row["timer"]["N"]),
                        due_at=datetime.fromisoformat(due_at),
                    )
