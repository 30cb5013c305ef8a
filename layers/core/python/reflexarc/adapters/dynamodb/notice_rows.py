"""Rows of the outbox: one a page and channel, whoever writes it how often.

`stamp` is new at every write. `state` is `dirty`, or `taken` while a sender reads members; `shared`
and `fresh` stand beside the document, because later writes change them and nothing else.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.events.notice import Notice
from reflexarc.kernel.errors import Unreadable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

DIRTY: "AttributeValueTypeDef" = {"S": "dirty"}
TAKEN: "AttributeValueTypeDef" = {"S": "taken"}
_ATTRIBUTES = ("doc", "stamp", "state", "shared", "fresh", "group", "watch_pk", "watch_sk")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowUpdate:
    """The parameters of one update, without table and key."""

    expression: str
    values: "dict[str, AttributeValueTypeDef]"
    condition: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Return the attributes that it speaks of; several are reserved words."""
        used = f"{self.expression} {self.condition}"
        return {f"#{name}": name for name in _ATTRIBUTES if f"#{name}" in used}


def key_of(notice: Notice) -> rows.Key:
    """Return the key of a notice's row."""
    return rows.notice_key(notice.group, notice.row)


def written(notice: Notice) -> RowUpdate:
    """Return what a change of the page writes.

    A row that told of members still does, and its age is that of the first news that waits.
    """
    shared = ":shared" if notice.shared else "if_not_exists(#shared, :shared)"
    return RowUpdate(
        expression=(
            f"SET #doc = :doc, #stamp = :stamp, #state = :dirty, #shared = {shared},"
            " #fresh = :fresh, #group = :group, #watch_pk = :watch_pk,"
            " #watch_sk = if_not_exists(#watch_sk, :watch_sk)"
        ),
        values=_place(notice)
        | {":shared": {"BOOL": notice.shared}, ":fresh": {"BOOL": notice.fresh}},
    )


def marked(notice: Notice) -> RowUpdate:
    """Return what a change of members alone writes, unless the row says so and nobody took it.

    What a row says of its page stands: it was written with the page, this was not.
    """
    return RowUpdate(
        expression=(
            "SET #doc = if_not_exists(#doc, :doc), #stamp = :stamp, #state = :dirty,"
            " #shared = :true, #fresh = :false, #group = :group, #watch_pk = :watch_pk,"
            " #watch_sk = if_not_exists(#watch_sk, :watch_sk)"
        ),
        condition="attribute_not_exists(pk) OR #state = :taken OR #shared = :false",
        values=_place(notice)
        | {":true": {"BOOL": True}, ":false": {"BOOL": False}, ":taken": TAKEN},
    )


def says_so(row: Mapping[str, Any]) -> bool:
    """Return whether a row tells of members already, to senders that are yet to read them."""
    return bool(row.get("shared", {}).get("BOOL")) and row.get("state") == DIRTY


def taken() -> RowUpdate:
    """Return what a sender writes before it reads members."""
    return RowUpdate(
        expression="SET #stamp = :stamp, #state = :taken, #fresh = :false",
        condition="attribute_exists(pk)",
        values={":stamp": _stamp(), ":taken": TAKEN, ":false": {"BOOL": False}},
    )


def told() -> RowUpdate:
    """Return what a first receipt writes: the next sender must read it."""
    return RowUpdate(
        expression="SET #fresh = :false",
        condition="attribute_exists(pk)",
        values={":false": {"BOOL": False}},
    )


def transacted(table: str, notice: Notice, update: RowUpdate) -> "TransactWriteItemTypeDef":
    """Return an update of a notice's row as an item of a transaction."""
    item: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": table,
            "Key": key_of(notice),
            "UpdateExpression": update.expression,
            "ExpressionAttributeNames": update.names,
            "ExpressionAttributeValues": update.values,
        }
    }
    if update.condition:
        item["Update"]["ConditionExpression"] = update.condition
    return item


def removed(table: str, notice: Notice) -> "TransactWriteItemTypeDef":
    """Return the removal of a row that nobody wrote since it was read, or that is gone."""
    return {
        "Delete": {
            "TableName": table,
            "Key": key_of(notice),
            "ConditionExpression": "attribute_not_exists(pk) OR #stamp = :stamp",
            "ExpressionAttributeNames": {"#stamp": "stamp"},
            "ExpressionAttributeValues": {":stamp": rows.text(notice.stamp)},
        }
    }


def parsed(row: Mapping[str, Any]) -> Notice:
    """Return the notice of a row; raises Unreadable where this version cannot read it."""
    notice = rows.parsed(Notice, row)
    try:
        return notice.model_copy(
            update={
                "stamp": row["stamp"]["S"],
                "shared": bool(row["shared"]["BOOL"]),
                "fresh": bool(row["fresh"]["BOOL"]),
                "created_at": datetime.fromisoformat(row["watch_sk"]["S"]),
            }
        )
    except (KeyError, ValueError) as error:
        raise Unreadable(f"row {row.get('pk')} {row.get('sk')} is unreadable: {error!r}") from error


def _place(notice: Notice) -> "dict[str, AttributeValueTypeDef]":
    """Return what every write of a row says."""
    return {
        ":doc": rows.document(notice),
        ":stamp": _stamp(),
        ":dirty": DIRTY,
        ":group": rows.text(notice.group),
        ":watch_pk": rows.text(f"OUT#{rows.shard(notice.row, rows.NOTICE_SHARDS)}"),
        ":watch_sk": rows.text(rows.iso(notice.created_at)),
    }


def _stamp() -> "AttributeValueTypeDef":
    return rows.text(secrets.token_hex(8))
