"""Fills notify.ports.Outbox with the incidents table."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import notice_rows, rows
from reflexarc.adapters.dynamodb.attempts import attempt_row
from reflexarc.adapters.dynamodb.errors import (
    CONDITION,
    Cancelled,
    ConditionFailed,
    despite_conflicts,
    store_errors,
)
from reflexarc.adapters.dynamodb.lease import LeaseRows
from reflexarc.events.notice import Notice
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause
from reflexarc.notify.model import Attempt, Busy, Deferred, Lease, Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class DynamoOutbox:
    """What channels are behind on, by delivery group, with leases and receipts."""

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

    def defer(self, lease: Lease, until: datetime, now: datetime) -> Deferred:
        """Give the lease back, what is left waits for its pace; a new page may come before."""
        return despite_conflicts(lambda: self._leases.defer(lease, until, now), self.pause)

    def pending(self, group: str) -> tuple[Notice, ...]:
        """Return the group's notices in row order.

        A row that this version cannot read waits for one that can; the others must go on.
        """
        return tuple(self._pending(group))

    def take(self, lease: Lease, notice: Notice) -> Notice | None:  # noqa: ARG002 - the port's
        """Say that members are about to be read; None when the notice is gone.

        Not fenced: a late sender that takes makes its heir look once more, and no more.
        """
        return despite_conflicts(lambda: self._take(notice), self.pause)

    def receipt(self, notice: Notice) -> Receipt | None:
        """Return what this notice's channel was told of its page."""
        with store_errors(f"reading a receipt of {notice.channel.name}"):
            row = self.client.get_item(
                TableName=self.table, Key=_receipt_key(notice), ConsistentRead=True
            ).get("Item")
        return rows.parsed(Receipt, row) if row else None

    def settle(
        self,
        lease: Lease,
        notice: Notice,
        receipt: Receipt | None,
        attempt: Attempt | None,
        *,
        done: bool,
    ) -> bool:
        """Keep the receipt and the attempt, if the lease still holds; when `done`, remove the row.

        Once a receipt is kept, the row no longer is of a channel that was never told.
        """
        writes = [self._fence(lease), *self._kept(notice, receipt, attempt)]
        if done:
            row = notice_rows.removed(self.table, notice)
        elif notice.fresh and receipt is not None:
            row = notice_rows.transacted(self.table, notice, notice_rows.told())
        else:
            return self._settle(lease, writes)
        if self._settle(lease, [*writes, row]):
            return True
        self._settle(lease, writes)
        return not done

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
                    yield notice_rows.parsed(row)
                except Unavailable:
                    continue

    def _stale(self, shard: int, before: datetime) -> Iterator[str]:
        pages = self.client.get_paginator("query").paginate(
            **rows.waiting(self.table, f"OUT#{shard}", before, "group")
        )
        with store_errors("looking for notices that wait"):
            for row in (row for page in pages for row in page["Items"]):
                yield row["group"]["S"]

    def _take(self, notice: Notice) -> Notice | None:
        update = notice_rows.taken()
        try:
            with store_errors(f"taking a notice of {notice.group}"):
                row = self.client.update_item(
                    TableName=self.table,
                    Key=notice_rows.key_of(notice),
                    UpdateExpression=update.expression,
                    ConditionExpression=update.condition,
                    ExpressionAttributeNames=update.names,
                    ExpressionAttributeValues=update.values,
                    ReturnValues="ALL_NEW",
                )["Attributes"]
        except ConditionFailed:
            return None
        return notice_rows.parsed(row)

    def _settle(self, lease: Lease, writes: "list[TransactWriteItemTypeDef]") -> bool:
        """Write it all; False when nothing was written because the notice's row was."""
        return despite_conflicts(partial(self._transact, lease, writes), self.pause)

    def _transact(self, lease: Lease, writes: "list[TransactWriteItemTypeDef]") -> bool:
        try:
            with store_errors(f"settling a notice of {lease.group}"):
                self.client.transact_write_items(TransactItems=writes)
        except Cancelled as error:
            if error.reasons[:1] == (CONDITION,):
                raise Unavailable(f"the lease on {lease.group} was taken over") from error
            if CONDITION in error.reasons:
                return False
            raise
        return True

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

    def _kept(
        self, notice: Notice, receipt: Receipt | None, attempt: Attempt | None
    ) -> "Iterator[TransactWriteItemTypeDef]":
        if receipt is not None:
            item = _receipt_key(notice) | {"doc": rows.document(receipt)}
            yield {"Put": {"TableName": self.table, "Item": item}}
        if attempt is not None:
            item = attempt_row(notice.page, attempt)
            yield {"Put": {"TableName": self.table, "Item": item}}


def _receipt_key(notice: Notice) -> rows.Key:
    return rows.receipt_key(notice.page, notice.channel.name)
