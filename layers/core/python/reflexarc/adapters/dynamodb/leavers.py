"""Fills gpu.fleet_ports.Leavers with the incidents table: `LEFT#<instance>`, for an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import store_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An instance that an Auto Scaling group ends is gone within minutes; a lifecycle hook may hold it
# for an hour at first. https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html
KEPT = timedelta(hours=1)
_LEFT = "LEFT"
_PREFIX = "LEFT#"


@dataclass(frozen=True, slots=True)
class DynamoLeavers:
    """Instances that end; no id is ever given to another instance."""

    client: "DynamoDBClient"
    table: str

    def put(self, instance: str, now: datetime) -> None:
        """Remember for an hour that an instance ends."""
        with store_errors(f"noting that {instance} ends"):
            self.client.put_item(
                TableName=self.table,
                Item={
                    **rows.key(f"{_PREFIX}{instance}", _LEFT),
                    "watch_pk": rows.text(_LEFT),
                    "watch_sk": rows.text(instance),
                    "ttl": rows.ttl(now, KEPT),
                },
            )

    def among(self, instances: Sequence[str]) -> frozenset[str]:
        """Return those that end (consistent reads)."""
        return frozenset(
            each for each in set(instances) if each.startswith("i-") and self._is(each)
        )

    def recent(self) -> frozenset[str]:
        """Return all that end (eventually consistent)."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=rows.WATCH,
            KeyConditionExpression="watch_pk = :left",
            ExpressionAttributeValues={":left": rows.text(_LEFT)},
        )
        with store_errors("listing instances that end"):
            return frozenset(str(row["watch_sk"]["S"]) for page in pages for row in page["Items"])

    def _is(self, instance: str) -> bool:
        with store_errors(f"reading whether {instance} ends"):
            answer = self.client.get_item(
                TableName=self.table,
                Key=rows.key(f"{_PREFIX}{instance}", _LEFT),
                ConsistentRead=True,
            )
        return "Item" in answer
