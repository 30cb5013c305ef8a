"""Fills gpu.fleet_ports.Pulses and Silent with the fleet table.

A listing reads what tells silence and not the states; DynamoDB charges for both alike, but a
function need not take them apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import fleet_heard, fleet_rows, rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors
from reflexarc.gpu.fleet_silence import Pulse, Quiet, quiet_of
from reflexarc.gpu.readings import NodeState
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PULSE = "sk, #at, snd, rack, gone, quiet"
_AT = {"#at": "at"}


@dataclass(frozen=True, slots=True)
class FleetPulses:
    """When each node was last heard, in sixteen queries."""

    client: "DynamoDBClient"
    table: str

    def listed(self) -> Sequence[Pulse]:
        """Return every node, as it was a moment ago (eventually consistent)."""
        return [
            pulse_of(row)
            for shard in range(fleet_heard.SHARDS)
            for row in self._shard(fleet_heard.shard_key(shard))
        ]

    def lift(self, node: str, quiet: Quiet) -> None:
        """Forget what was told of a silence, unless something else was told since."""
        try:
            with store_errors(f"forgetting the silence of {node}"):
                self.client.update_item(
                    TableName=self.table,
                    Key=fleet_heard.state_key(node),
                    UpdateExpression="REMOVE quiet",
                    ConditionExpression="quiet = :quiet",
                    ExpressionAttributeValues={":quiet": rows.text(quiet.text)},
                )
        except ConditionFailed:
            return

    def _shard(self, pk: str) -> Iterator[Mapping[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ProjectionExpression=_PULSE,
            ExpressionAttributeNames=_AT,
            ExpressionAttributeValues={":pk": rows.text(pk)},
        )
        with store_errors("listing the fleet"):
            for page in pages:
                yield from page["Items"]


@dataclass(frozen=True, slots=True)
class NodeSilence:
    """One node's silence: read and marked while nothing is heard."""

    client: "DynamoDBClient"
    table: str

    def pulse(self, node: str) -> Pulse | None:
        """Return when a node was last heard (a consistent read), None for an unknown node."""
        row = self._read(node, _PULSE, _AT)
        return pulse_of(row) if row else None

    def state(self, node: str) -> NodeState | None:
        """Return what a node last said, None where this version cannot read it."""
        try:
            return fleet_rows.unpack(self._read(node, "sk, d, #at", _AT))
        except Unavailable:
            return None

    def mark(self, node: str, quiet: Quiet) -> bool:
        """Remember what is told of a silence, the first time.

        False when the node was heard since it began, or something was told of it already.
        """
        try:
            with store_errors(f"noting the silence of {node}"):
                self.client.update_item(
                    TableName=self.table,
                    Key=fleet_heard.state_key(node),
                    UpdateExpression="SET quiet = :quiet",
                    ConditionExpression=(
                        "#at = :at AND (attribute_not_exists(quiet)"
                        " OR NOT begins_with(quiet, :this))"
                    ),
                    ExpressionAttributeNames=_AT,
                    ExpressionAttributeValues={
                        ":quiet": rows.text(quiet.text),
                        ":at": rows.number(quiet.heard_ms),
                        ":this": rows.text(quiet.of_this_silence),
                    },
                )
        except ConditionFailed:
            return False
        return True

    def _read(self, node: str, wanted: str, names: Mapping[str, str]) -> Mapping[str, Any]:
        with store_errors(f"reading when {node} was heard"):
            return self.client.get_item(
                TableName=self.table,
                Key=fleet_heard.state_key(node),
                ConsistentRead=True,
                ProjectionExpression=wanted,
                ExpressionAttributeNames=dict(names),
            ).get("Item", {})


def pulse_of(row: Mapping[str, Any]) -> Pulse:
    """Return when a row's node was heard; rows of older versions say less."""
    return Pulse(
        node=row["sk"]["S"],
        heard_ms=int(row["at"]["N"]),
        sender=row.get("snd", {}).get("S", ""),
        rack=row.get("rack", {}).get("S", ""),
        gone=bool(row.get("gone", {}).get("BOOL", False)),
        quiet=quiet_of(row.get("quiet", {}).get("S", "")),
    )
