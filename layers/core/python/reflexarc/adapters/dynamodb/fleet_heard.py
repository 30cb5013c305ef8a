"""Where a node's state lies in the fleet table, and when its sender last spoke through it.

Readings do not renew who speaks for a node minute by minute: the state's row says it. This is
apart from the rest of the table's layout because the page path loads it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.kernel.clock import from_epoch_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Sixteen partitions let the whole fleet be listed by sixteen queries.
SHARDS = 16


def state_key(node: str) -> rows.Key:
    """Return the key of a node's state."""
    return rows.key(shard_key(rows.shard(node, SHARDS)), node)


def shard_key(shard: int) -> str:
    """Return the partition of one shard of the fleet."""
    return f"FLEET#{shard}"


@dataclass(frozen=True, slots=True)
class Heard:
    """When readings of a node were last kept, and of which sender."""

    client: "DynamoDBClient"
    table: str

    def last(self, node: str, sender: str) -> datetime | None:
        """Return when the queue took the newest reading of this sender, None for none."""
        with store_errors(f"reading when {node} was heard"):
            row = self.client.get_item(
                TableName=self.table,
                Key=state_key(node),
                ConsistentRead=True,
                ProjectionExpression="snd, #at",
                ExpressionAttributeNames={"#at": "at"},
            ).get("Item", {})
        if row.get("snd", {}).get("S") != sender:
            return None
        return from_epoch_ms(int(row["at"]["N"]))
