"""Reads the fleet table for people: every node's last state, and the hours of a day."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import fleet_heard, fleet_rows, rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.gpu.readings import NodeState, RunningHour
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_HOUR = "g."


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNode:
    """A node's last state, how many of its readings were lost, and the hours that closed."""

    state: NodeState
    lost: int
    hours: tuple[RunningHour, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The nodes of a fleet, and of which this version cannot read the state, with the reason."""

    nodes: tuple[KnownNode, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetList:
    """The fleet table, listed by queries: sixteen for the nodes, sixteen for a day."""

    client: "DynamoDBClient"
    table: str

    def nodes(self, day: date, node: str | None = None) -> Listing:
        """Return the nodes by name, or the one that is named, with their hours of a day."""
        shards = (
            range(fleet_heard.SHARDS) if node is None else [rows.shard(node, fleet_heard.SHARDS)]
        )
        hours = self._hours(day, shards)
        found: list[KnownNode] = []
        unreadable: list[str] = []
        for row in (row for shard in shards for row in self._query(fleet_heard.shard_key(shard))):
            if node is not None and row["sk"]["S"] != node:
                continue
            try:
                found.append(self._known(row, hours))
            except Unavailable as error:
                unreadable.append(str(error))
        return Listing(
            nodes=tuple(sorted(found, key=lambda known: known.state.node)),
            unreadable=tuple(unreadable),
        )

    def _hours(self, day: date, shards: Iterable[int]) -> Mapping[str, list[RunningHour]]:
        hours: dict[str, list[RunningHour]] = {}
        for shard in shards:
            for row in self._query(fleet_rows.day_key(f"{day:%Y-%m-%d}", shard)):
                told = hours.setdefault(row["sk"]["S"].rsplit("#", 2)[0], [])
                told += (
                    fleet_rows.unpack_hour(value["B"])
                    for name, value in row.items()
                    if name.startswith(_HOUR)
                )
        return hours

    def _known(self, row: Mapping[str, Any], hours: Mapping[str, list[RunningHour]]) -> KnownNode:
        state = fleet_rows.unpack(row)
        closed = (*hours.get(state.node, ()), *state.hours)
        return KnownNode(state=state, lost=int(row["lost"]["N"]), hours=closed)

    def _query(self, pk: str) -> Iterator[Mapping[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )
        with store_errors("listing the fleet"):
            for page in pages:
                yield from page["Items"]
