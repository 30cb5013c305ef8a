"""Remembers clicks with a row each, so that one that comes twice counts once."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class DynamoClicks:
    """Clicks by digest, for longer than their signature is accepted."""

    client: "DynamoDBClient"
    table: str

    def first_time(self, digest: str, now: datetime) -> bool:
        """Remember a click; False when it is known. Raises Unavailable without an answer."""
        item = rows.click_key(digest) | {"ttl": rows.ttl(now, rows.CLICK_KEPT)}
        try:
            with store_errors("remembering a click"):
                self.client.put_item(
                    TableName=self.table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
        except ConditionFailed:
            return False
        return True
