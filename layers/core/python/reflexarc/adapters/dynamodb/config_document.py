"""Fills Documents (runtime.config), and the store behind `reflexarc config`, with the table."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import CONDITION, Cancelled, store_errors
from reflexarc.kernel.errors import Rejected

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

_LIVE = "LIVE"
_ABSENT = "attribute_not_exists(pk)"


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """One live document, and every version that ever was."""

    client: "DynamoDBClient"
    table: str

    def live(self) -> tuple[int, str] | None:
        """Return the version and text of the live document, None where none was pushed."""
        return self._read(_LIVE)

    def version(self, number: int) -> str | None:
        """Return the text of one version, None where there is no such version."""
        found = self._read(_version(number))
        return found[1] if found else None

    def push(self, text: str, replaces: int, now: datetime) -> int:
        """Make a text the live document and return its version.

        `replaces` is the version that its author saw (0: none yet). Raises Rejected when another
        was pushed meanwhile: nothing is overwritten that nobody has read.
        """
        pushed = replaces + 1
        content: rows.Key = {
            "doc": rows.text(text),
            "version": rows.number(pushed),
            "at": rows.text(rows.iso(now)),
        }
        live: PutTypeDef = {
            "TableName": self.table,
            "Item": rows.key("CONFIG", _LIVE) | content,
            "ConditionExpression": _ABSENT,
        }
        if replaces:
            live["ConditionExpression"] = "#version = :seen"
            live["ExpressionAttributeNames"] = {"#version": "version"}
            live["ExpressionAttributeValues"] = {":seen": rows.number(replaces)}
        kept: PutTypeDef = {
            "TableName": self.table,
            "Item": rows.key("CONFIG", _version(pushed)) | content,
            "ConditionExpression": _ABSENT,
        }
        try:
            with store_errors("pushing the configuration"):
                self.client.transact_write_items(TransactItems=[{"Put": live}, {"Put": kept}])
        except Cancelled as error:
            if CONDITION not in error.reasons:
                raise
            raise Rejected(
                f"the live configuration is not version {replaces} any more:"
                " read it, merge your change, and push again"
            ) from error
        return pushed

    def _read(self, sk: str) -> tuple[int, str] | None:
        with store_errors("reading the configuration"):
            row = self.client.get_item(
                TableName=self.table, Key=rows.key("CONFIG", sk), ConsistentRead=True
            ).get("Item")
        return (int(row["version"]["N"]), row["doc"]["S"]) if row else None


def _version(number: int) -> str:
    return f"V#{number}"
