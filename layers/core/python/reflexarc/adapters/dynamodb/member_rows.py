"""Reads the members of a page: rows of their own, in shards by node, so that none is hot."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.events.incident import PageRef
from reflexarc.events.page import Member

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def read(
    client: "DynamoDBClient", table: str, ref: PageRef, node: str | None
) -> tuple[Member, ...]:
    """Return a page's members in the order in which they joined; only one node's if named."""
    if node is None:
        partitions = [(rows.members_of(ref, shard), "") for shard in range(rows.MEMBER_SHARDS)]
    else:
        first = rows.member_key(ref, node, "")
        partitions = [(first["pk"]["S"], first["sk"]["S"])]
    found = (row for pk, begin in partitions for row in _query(client, table, pk, begin))
    members = [rows.parsed(Member, row) for row in found]
    return tuple(sorted(members, key=lambda m: (m.joined_at, m.entity.node, m.fingerprint)))


def _query(client: "DynamoDBClient", table: str, pk: str, begin: str) -> Iterator[dict[str, Any]]:
    values = {":pk": rows.text(pk)}
    condition = "pk = :pk"
    if begin:
        values[":sk"] = rows.text(begin)
        condition += " AND begins_with(sk, :sk)"
    pages = client.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
    )
    with store_errors("reading the members of a page"):
        for page in pages:
            yield from page["Items"]
