"""Fills incidents.ports.IncidentBook with the incidents table: one transaction a change."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import member_rows, notice_rows, rows
from reflexarc.adapters.dynamodb.batch_reads import KEYS_MAX, batch_get
from reflexarc.adapters.dynamodb.errors import (
    CONDITION,
    Cancelled,
    ConditionFailed,
    Conflicted,
    despite_conflicts,
    store_errors,
)
from reflexarc.adapters.dynamodb.page_rows import Writes, events_of
from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.notice import Channel, Notice, group_of, row_of
from reflexarc.events.page import Member, Page
from reflexarc.incidents.model import Commit
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, Stale
from reflexarc.kernel.pause import jittered_pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class DynamoIncidentBook:
    """Incidents, pages, their ledger of events and what channels are behind on, in one table."""

    client: "DynamoDBClient"
    table: str
    pause: Callable[[int], None] = jittered_pause

    def load(self, fingerprints: Collection[str]) -> Mapping[str, Incident]:
        """Return the latest committed versions of those that exist."""
        keys = (rows.incident_key(fingerprint) for fingerprint in fingerprints)
        found = batch_get(self.client, self.table, keys, self.pause)
        incidents = (rows.parsed(Incident, row) for row in found)
        return {incident.fingerprint: incident for incident in incidents}

    def latest(self, scope: str) -> Page | None:
        """Return the page of a scope that was opened last."""
        with store_errors(f"reading the pages of {scope}"):
            answer = self.client.query(
                TableName=self.table,
                ConsistentRead=True,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                ExpressionAttributeValues={
                    ":pk": rows.text(f"PAGE#{scope}"),
                    ":sk": rows.text("A#"),
                },
                ScanIndexForward=False,
                Limit=1,
            )
        return next((rows.parsed(Page, row) for row in answer["Items"]), None)

    def page(self, ref: PageRef) -> Page | None:
        """Return one page as it is now."""
        with store_errors(f"reading page {ref.scope}"):
            row = self.client.get_item(
                TableName=self.table, Key=rows.page_key(ref), ConsistentRead=True
            ).get("Item")
        return rows.parsed(Page, row) if row else None

    def members(self, ref: PageRef, node: str | None = None) -> tuple[Member, ...]:
        """Return who joined a page beside its lead, in that order; only one node's if named."""
        return member_rows.read(self.client, self.table, ref, node)

    def held_by(self, key: str) -> frozenset[str]:
        """Return the open incidents that keep quiet what an inhibition's key names, or some.

        A hold outlives its incident where the inhibition, or a label that its key is made of,
        changed before the repair: so each is asked, until two are found.
        """
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": rows.hold_key(key, "-")["pk"]},
            ProjectionExpression="sk",
        )
        with store_errors("reading what inhibits"):
            holders = [row["sk"]["S"] for page in pages for row in page["Items"]]
        still: set[str] = set()
        for start in range(0, len(holders), KEYS_MAX):
            keys = map(rows.incident_key, holders[start : start + KEYS_MAX])
            found = batch_get(self.client, self.table, keys, self.pause, ("pk", "state"))
            opened = (row["pk"]["S"] for row in found if row.get("state") == rows.text("open"))
            still |= {pk.removeprefix("INC#") for pk in opened}
            if len(still) > 1:
                break
        return frozenset(still)

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing."""
        try:
            with store_errors("storing a change"):
                self.client.transact_write_items(TransactItems=list(self._writes(commit)))
        except Conflicted as error:
            raise Conflict(str(error)) from error
        except Cancelled as error:
            raise _meaning(commit, error) from error

    def mark(self, page: Page, at: datetime) -> frozenset[str]:
        """Note that members of a page changed; return the delivery groups that are news to.

        A row that says so and that nobody took is only read: whoever takes it reads the members
        later than that. In a storm one row would otherwise be written a thousand times a second,
        which is all that one row can bear, and a write that its condition stops counts as well.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
        """
        notices = [
            Notice(channel=channel, page=page.ref, severity=page.severity, created_at=at)
            for channel in page.channels
        ]
        known = self._rows_at(map(notice_rows.key_of, notices), "state", "shared")
        news = [notice for notice in notices if not notice_rows.says_so(known.get(notice.row, {}))]
        return frozenset(
            notice.group
            for notice in news
            if despite_conflicts(partial(self._mark, notice), self.pause)
        )

    def owed(self, ref: PageRef, channels: Iterable[Channel]) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this page."""
        groups = {row_of(channel, ref): group_of(channel, ref) for channel in channels}
        keys = [rows.notice_key(group, row) for row, group in groups.items()]
        return frozenset(groups[row] for row in self._rows_at(keys))

    def _rows_at(self, keys: Iterable[rows.Key], *attributes: str) -> dict[str, dict[str, Any]]:
        """Return those of the outbox's rows that exist, by their own names."""
        found = batch_get(self.client, self.table, keys, self.pause, ("sk", *attributes))
        return {row["sk"]["S"].removeprefix("ROW#"): row for row in found}

    def _mark(self, notice: Notice) -> bool:
        update = notice_rows.marked(notice)
        try:
            with store_errors(f"noting that {notice.channel.name} is behind"):
                self.client.update_item(
                    TableName=self.table,
                    Key=notice_rows.key_of(notice),
                    UpdateExpression=update.expression,
                    ConditionExpression=update.condition,
                    ExpressionAttributeNames=update.names,
                    ExpressionAttributeValues=update.values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ConditionFailed as error:
            # botocore sends a write again whose answer it missed: then it is our own stamp.
            return error.row.get("stamp") == update.values[":stamp"]
        return True

    def _writes(self, commit: Commit) -> "Iterator[TransactWriteItemTypeDef]":
        """Yield the ledger first: `_meaning` reads the reasons in this order."""
        writes = Writes(self.table)
        yield from writes.ledger(commit)
        yield from map(writes.incident, commit.incidents)
        for write in commit.pages:
            yield writes.page(write)
            for entry in write.said:
                yield writes.said(write.page, entry, commit.at)
        for ref, member in commit.left:
            yield writes.left(ref, member)
        for ref, member in commit.joined:
            yield writes.joined(ref, member, commit.at)
        for notice in commit.notices:
            yield notice_rows.transacted(self.table, notice, notice_rows.written(notice))
        for hold in commit.holds:
            yield writes.held(hold, commit.at)
        yield from map(writes.lifted, commit.lifts)


def _meaning(commit: Commit, error: Cancelled) -> Exception:
    """Return what a cancelled commit means to its caller."""
    reasons = zip(events_of(commit), error.reasons, strict=False)
    if known := {event for event, reason in reasons if reason == CONDITION}:
        return AlreadyRecorded(known)
    if CONDITION in error.reasons:
        return Stale("an incident or a page changed since it was read")
    if error.conflict:
        return Conflict(str(error))
    return error
