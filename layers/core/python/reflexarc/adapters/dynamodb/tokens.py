"""Fills ingest.ports.Tokens and TokenBook with rows of the incidents table.

`ingest` may read a token by its id and nothing else; an operator lists them over the index `watch`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors
from reflexarc.ingest.model import Token
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.kernel.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Long enough for "why was this node refused last week?".
KEPT = timedelta(days=30)
_LISTED = "TOKENS"


@dataclass(frozen=True, slots=True)
class DynamoTokens:
    """One row a token."""

    client: "DynamoDBClient"
    table: str

    def find(self, token_id: str) -> Token | None:
        """Return a token, None where there is none of this id."""
        with store_errors("reading a token"):
            row = self.client.get_item(
                TableName=self.table, Key=_key(token_id), ConsistentRead=True
            ).get("Item")
        return None if row is None else _token(row)

    def add(self, token: Token) -> None:
        """Keep a new token; raises Rejected where its id is taken."""
        item = _key(token.id) | {
            "digest": rows.text(token.digest),
            "source": rows.text(token.source),
            "created_at": rows.instant(token.created_at),
            "expires_at": rows.instant(token.expires_at),
            "per_minute": rows.number(token.per_minute),
            "watch_pk": rows.text(_LISTED),
            "watch_sk": rows.text(f"{token.source}#{rows.iso(token.created_at)}#{token.id}"),
            "ttl": rows.ttl(token.expires_at, KEPT),
        }
        try:
            with store_errors("keeping a token"):
                self.client.put_item(
                    TableName=self.table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except ConditionFailed as error:
            raise Rejected(f"there is a token {token.id} already") from error

    def all(self) -> Sequence[Token]:
        """Return every token that is still kept, by source, then by age."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=rows.WATCH,
            KeyConditionExpression="watch_pk = :listed",
            ExpressionAttributeValues={":listed": rows.text(_LISTED)},
        )
        with store_errors("listing tokens"):
            return [_token(row) for page in pages for row in page["Items"]]

    def revoke(self, token_id: str, at: datetime) -> bool:
        """End a token now; False where there is none of this id. The first revocation counts."""
        return self._set(token_id, "SET revoked_at = if_not_exists(revoked_at, :at)", at)

    def expire(self, token_id: str, at: datetime) -> bool:
        """End a token at a later moment; False where there is none of this id."""
        return self._set(token_id, "SET expires_at = :at", at)

    def _set(self, token_id: str, change: str, at: datetime) -> bool:
        try:
            with store_errors(f"changing token {token_id}"):
                self.client.update_item(
                    TableName=self.table,
                    Key=_key(token_id),
                    UpdateExpression=change,
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues={":at": rows.instant(at)},
                )
        except ConditionFailed:
            return False
        return True


def _token(row: Mapping[str, Any]) -> Token:
    try:
        revoked = row.get("revoked_at")
        return Token(
            id=row["pk"]["S"].removeprefix("TOKEN#"),
            digest=row["digest"]["S"],
            source=row["source"]["S"],
            created_at=_moment(row["created_at"]),
            expires_at=_moment(row["expires_at"]),
            revoked_at=None if revoked is None else _moment(revoked),
            per_minute=int(row["per_minute"]["N"]),
        )
    except (KeyError, ValueError) as error:
        raise Unavailable(f"row {row.get('pk')} is unreadable: {error!r}") from error


def _moment(value: Mapping[str, Any]) -> datetime:
    return from_epoch_ms(int(value["N"]))


def _key(token_id: str) -> rows.Key:
    return rows.key(f"TOKEN#{token_id}", "TOKEN")
