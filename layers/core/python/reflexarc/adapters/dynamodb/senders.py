"""Fills gpu.ports.Senders with the incidents table, warm without a read.

A node is bound to the SQS SenderId that first spoke for it. A replaced instance speaks under the
same role with another session, so a sender of the same role takes over once the old one has been
silent for ten minutes; one of another role (a fleet that changed its role) after a day. Until
then it is refused: the name of a live node cannot be taken by its neighbour. Readings count as
speaking; they leave their trace in the fleet table, which only a contested node is asked for.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors
from reflexarc.adapters.dynamodb.fleet_heard import Heard
from reflexarc.gpu.kinship import patience
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRUSTED_FOR = timedelta(seconds=60)
SEEN_EVERY = timedelta(minutes=2)
CACHED_NODES = 40_000
TRIES = 3


@dataclass(frozen=True, slots=True)
class _Binding:
    sender: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class DynamoSenders:
    """Which sender speaks for which node; raises Unavailable when the table does not answer."""

    client: "DynamoDBClient"
    table: str
    heard: Heard | None = None
    _trusted: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def speaks_for(self, node: str, sender: str, now: datetime) -> bool:
        """Bind the node to the sender on first use; False when another live sender holds it."""
        cached = self._trusted.get(node)
        if cached is not None and cached[0] == sender and now - cached[1] < TRUSTED_FOR:
            return True
        if not self._bound(node, sender, now):
            self._trusted.pop(node, None)
            return False
        if len(self._trusted) >= CACHED_NODES:
            self._trusted.clear()
        self._trusted[node] = sender, now
        return True

    def holder(self, node: str) -> str:
        """Return the sender that a node is bound to; empty where it is bound to none."""
        binding = self._read(node)
        return binding.sender if binding else ""

    def _bound(self, node: str, sender: str, now: datetime) -> bool:
        for _ in range(TRIES):
            binding = self._read(node)
            if binding is not None:
                silent = now - binding.seen_at
                if binding.sender == sender and silent < SEEN_EVERY:
                    return True
                if binding.sender != sender and self._is_live(node, sender, binding, now):
                    return False
            if self._bind(node, sender, binding, now):
                return True
        raise Unavailable(f"the binding of node {node} changed {TRIES} times meanwhile")

    def _is_live(self, node: str, sender: str, binding: _Binding, now: datetime) -> bool:
        """Return whether the holder spoke too lately for another sender to take the node over."""
        wait = patience(binding.sender, sender)
        if now - binding.seen_at < wait:
            return True
        last = self.heard.last(node, binding.sender) if self.heard else None
        return last is not None and now - last < wait

    def _read(self, node: str) -> _Binding | None:
        with store_errors(f"reading who speaks for {node}"):
            row = self.client.get_item(
                TableName=self.table, Key=_key(node), ConsistentRead=True
            ).get("Item")
        if row is None:
            return None
        return _Binding(row["sender"]["S"], from_epoch_ms(int(row["seen_at"]["N"])))

    def _bind(self, node: str, sender: str, known: _Binding | None, now: datetime) -> bool:
        """Write the binding if it still is what was read; False when somebody was faster."""
        item = _key(node) | {
            "sender": rows.text(sender),
            "seen_at": rows.instant(now),
            "ttl": rows.ttl(now, rows.BINDING_KEPT),
        }
        try:
            with store_errors(f"binding {node} to its sender"):
                if known is None:
                    self.client.put_item(
                        TableName=self.table,
                        Item=item,
                        ConditionExpression="attribute_not_exists(pk)",
                    )
                else:
                    self.client.put_item(
                        TableName=self.table,
                        Item=item,
                        ConditionExpression="sender = :known AND seen_at = :seen",
                        ExpressionAttributeValues={
                            ":known": rows.text(known.sender),
                            ":seen": rows.instant(known.seen_at),
                        },
                    )
        except ConditionFailed:
            return False
        return True


def _key(node: str) -> rows.Key:
    return rows.key(f"NODE#{node}", "BIND")
