"""Fills notify.ports.Outbox with the incidents table."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.attempts import attempt_document
from reflexarc.adapters.dynamodb.errors import (
    CONDITION,
    Cancelled,
    despite_conflicts,
    store_errors,
)
from reflexarc.adapters.dynamodb.lease import LeaseRows
from reflexarc.events.notice import Notice
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause
from reflexarc.notify.model import Attempt, Busy, Lease, Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# 100 items a transaction: beside the deletes go the fence, the receipt and the attempt.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
SETTLED_AT_ONCE = 97


@dataclass(frozen=True, slots=True)
class DynamoOutbox:
    """Unsent notices by delivery group, their leases and receipts."""

    client: "DynamoDBClient"
    table: str
    pause: Callable[[int], None] = jittered_pause
    _leases: LeaseRows = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_leases", LeaseRows(self.client, self.table))

    def acquire(self, group: str, owner: str, now: datetime) -> Lease | Busy:
        """Take the group's lease, or leave word for its live holder."""
        return despite_conflicts(lambda: self._leases.acquire(group, owner, now), self.pause)

    def suspect(self, lease: Lease) -> None:
        """Remember that an answer is missing."""
        despite_conflicts(lambda: self._leases.suspect(lease), self.pause)

    def release(self, lease: Lease) -> bool:
        """Give the lease back; False when a wake-up came meanwhile."""
        return despite_conflicts(lambda: self._leases.release(lease), self.pause)

    def postpone(self, lease: Lease, until: datetime, failures: int, now: datetime) -> bool:
        """Give the lease back and forbid looks before `until`; True asks for a re-wake."""
        return despite_conflicts(
            lambda: self._leases.postpone(lease, until, failures, now), self.pause
        )

    def pending(self, group: str) -> tuple[Notice, ...]:
        """Return the group's unsent notices in row order.

        A row that this version cannot read waits for one that can; the others must go on.
        """
        return tuple(self._pending(group))

    def receipt(self, notice: Notice) -> Receipt | None:
        """Return the receipt of this notice's incident generation and channel."""
        with store_errors(f"reading a receipt of {notice.channel.name}"):
            row = self.client.get_item(
                TableName=self.table, Key=_receipt_key(notice), ConsistentRead=True
            ).get("Item")
        return rows.parsed(Receipt, row) if row else None

    def settle(
        self, lease: Lease, notices: tuple[Notice, ...], receipt: Receipt | None, attempt: Attempt
    ) -> None:
        """Remove sent notices, keep the receipt and the attempt, if the lease still holds."""
        kept = list(self._kept(notices[0], receipt, attempt))
        for start in range(0, len(notices), SETTLED_AT_ONCE):
            sent = notices[start : start + SETTLED_AT_ONCE]
            writes = [self._fence(lease), *(self._delete(notice) for notice in sent), *kept]
            despite_conflicts(partial(self._transact, lease, writes), self.pause)
            kept = []

    def stale(self, before: datetime) -> Iterable[str]:
        """Return the groups that hold notices created before a moment."""
        seen: set[str] = set()
        for shard in range(rows.NOTICE_SHARDS):
            for group in self._stale(shard, before):
                if group not in seen:
                    seen.add(group)
                    yield group

    def _pending(self, group: str) -> Iterator[Notice]:
        first = rows.notice_key(group, "")
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": first["pk"], ":sk": first["sk"]},
        )
        with store_errors(f"reading what {group} owes"):
            for row in (row for page in pages for row in page["Items"]):
                try:
                    yield rows.parsed(Notice, row)
                except Unavailable:
                    continue

    def _stale(self, shard: int, before: datetime) -> Iterator[str]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=rows.WATCH,
            KeyConditionExpression="watch_pk = :shard AND watch_sk < :before",
            ProjectionExpression="#group",
            ExpressionAttributeNames={"#group": "group"},
            ExpressionAttributeValues={
                ":shard": rows.text(f"OUT#{shard}"),
                ":before": rows.text(rows.iso(before)),
            },
        )
        with store_errors("looking for notices that wait"):
            for row in (row for page in pages for row in page["Items"]):
                yield row["group"]["S"]

    def _transact(self, lease: Lease, writes: "list[TransactWriteItemTypeDef]") -> None:
        try:
            with store_errors(f"settling a notice of {lease.group}"):
                self.client.transact_write_items(TransactItems=writes)
        except Cancelled as error:
            if CONDITION in error.reasons:
                raise Unavailable(f"the lease on {lease.group} was taken over") from error
            raise

    def _fence(self, lease: Lease) -> "TransactWriteItemTypeDef":
        return {
            "ConditionCheck": {
                "TableName": self.table,
                "Key": rows.lease_key(lease.group),
                "ConditionExpression": "#owner = :me",
                "ExpressionAttributeNames": {"#owner": "owner"},
                "ExpressionAttributeValues": {":me": rows.text(lease.owner)},
            }
        }

    def _delete(self, notice: Notice) -> "TransactWriteItemTypeDef":
        return {
            "Delete": {"TableName": self.table, "Key": rows.notice_key(notice.group, notice.row)}
        }

    def _kept(
        self, notice: Notice, receipt: Receipt | None, attempt: Attempt
    ) -> "Iterator[TransactWriteItemTypeDef]":
        if receipt is not None:
            item = _receipt_key(notice) | {"doc": rows.document(receipt)}
            yield {"Put": {"TableName": self.table, "Item": item}}
        fingerprint = notice.incident.fingerprint
        item = rows.attempt_key(fingerprint, attempt.at, secrets.token_hex(4)) | {
            "doc": rows.text(attempt_document(attempt)),
            "ttl": rows.ttl(attempt.at, rows.ATTEMPT_KEPT),
        }
        yield {"Put": {"TableName": self.table, "Item": item}}


def _receipt_key(notice: Notice) -> rows.Key:
    incident = notice.incident
    return rows.receipt_key(incident.fingerprint, incident.generation, notice.channel.name)
