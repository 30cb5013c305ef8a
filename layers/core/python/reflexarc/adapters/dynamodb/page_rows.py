"""Rows of pages, their members and their logs, as transactions write them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.events.incident import PageRef
from reflexarc.events.page import Entry, Member, Page
from reflexarc.incidents.model import Commit, Hold, IncidentWrite, PageWrite

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_ABSENT = "attribute_not_exists(pk)"


@dataclass(frozen=True, slots=True)
class Writes:
    """What one commit writes, for one table."""

    table: str

    def ledger(self, commit: Commit) -> "Iterator[TransactWriteItemTypeDef]":
        """Yield a row an event; one that is there already fails the transaction."""
        kept = {"ttl": rows.ttl(commit.at, rows.EVENT_KEPT)}
        for event in events_of(commit):
            yield {
                "Put": {
                    "TableName": self.table,
                    "Item": rows.event_key(event) | kept,
                    "ConditionExpression": _ABSENT,
                }
            }

    def incident(self, write: IncidentWrite) -> "TransactWriteItemTypeDef":
        """Return an incident's next version, listed by when it was last seen."""
        incident = write.incident
        item = rows.incident_key(incident.fingerprint) | {
            "doc": rows.document(incident),
            "version": rows.number(incident.version),
            "state": rows.text(incident.state),
            "watch_pk": rows.text(watch_shard(incident.fingerprint)),
            "watch_sk": rows.text(f"{rows.iso(incident.last_at)}#{incident.fingerprint}"),
        }
        return self._versioned(item, write.expected)

    def page(self, write: PageWrite) -> "TransactWriteItemTypeDef":
        """Return a page's next version, listed by when its next step is due, if one is."""
        page = write.page
        item = rows.page_key(page.ref) | {
            "doc": rows.document(page),
            "version": rows.number(page.version),
            "state": rows.text(page.state),
        }
        if page.due_at is not None:
            number = rows.shard(page.scope, rows.DUE_SHARDS)
            item |= {
                "timer": rows.number(page.timer),
                "watch_pk": rows.text(f"DUE#{number}"),
                "watch_sk": rows.text(f"{rows.iso(page.due_at)}#{page.scope}#{page.generation}"),
            }
        return self._versioned(item, write.expected)

    def said(self, page: Page, entry: Entry, at: datetime) -> "TransactWriteItemTypeDef":
        """Return a line of a page's history for its log; lines of one moment keep their order."""
        row = rows.log_key(page.ref, entry.at, f"e{entry.number:08d}") | {
            "doc": rows.document(entry),
            "kind": rows.text("entry"),
            "ttl": rows.ttl(at, rows.ATTEMPT_KEPT),
        }
        return {"Put": {"TableName": self.table, "Item": row}}

    def joined(self, ref: PageRef, member: Member, at: datetime) -> "TransactWriteItemTypeDef":
        """Return a member as it is now; the incident's own version keeps an older one out."""
        row = rows.member_key(ref, member.entity.node, member.fingerprint) | {
            "doc": rows.document(member),
            "ttl": rows.ttl(at, rows.MEMBER_KEPT),
        }
        return {"Put": {"TableName": self.table, "Item": row}}

    def left(self, ref: PageRef, member: Member) -> "TransactWriteItemTypeDef":
        """Return the end of a membership."""
        key = rows.member_key(ref, member.entity.node, member.fingerprint)
        return {"Delete": {"TableName": self.table, "Key": key}}

    def held(self, hold: Hold, at: datetime) -> "TransactWriteItemTypeDef":
        """Return an open incident that keeps others quiet."""
        row = rows.hold_key(hold.key, hold.fingerprint) | {"ttl": rows.ttl(at, rows.HOLD_KEPT)}
        return {"Put": {"TableName": self.table, "Item": row}}

    def lifted(self, hold: Hold) -> "TransactWriteItemTypeDef":
        """Return the end of what kept others quiet."""
        key = rows.hold_key(hold.key, hold.fingerprint)
        return {"Delete": {"TableName": self.table, "Key": key}}

    def _versioned(self, item: rows.Key, expected: int) -> "TransactWriteItemTypeDef":
        """Return a put that fails unless the row still is what was read."""
        if not expected:
            return {"Put": {"TableName": self.table, "Item": item, "ConditionExpression": _ABSENT}}
        return {
            "Put": {
                "TableName": self.table,
                "Item": item,
                "ConditionExpression": "#version = :expected",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":expected": rows.number(expected)},
            }
        }


def events_of(commit: Commit) -> tuple[str, ...]:
    """Return the ledger ids of a commit, in the order in which its transaction has them."""
    return tuple(event for write in commit.incidents for event in write.events)


def watch_shard(fingerprint: str) -> str:
    """Return the index partition in which an incident is listed."""
    return f"INC#{rows.shard(fingerprint, rows.INCIDENT_SHARDS)}"
