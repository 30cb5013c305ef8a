"""Fills incidents.ports.IncidentBook with the incidents table: one transaction a change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import CONDITION, Cancelled, Conflicted, store_errors
from reflexarc.events.incident import Incident
from reflexarc.events.notice import Notice
from reflexarc.incidents.model import Change
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, Stale

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class DynamoIncidentBook:
    """Incidents, their ledger of events and their unsent notices in one table."""

    client: "DynamoDBClient"
    table: str

    def load(self, fingerprint: str) -> Incident | None:
        """Return the latest committed version."""
        with store_errors(f"reading incident {fingerprint}"):
            row = self.client.get_item(
                TableName=self.table, Key=rows.incident_key(fingerprint), ConsistentRead=True
            ).get("Item")
        return rows.parsed(Incident, row) if row else None

    def commit(self, change: Change) -> None:
        """Store the change whole or not at all."""
        fingerprint = change.incident.fingerprint
        try:
            with store_errors(f"storing incident {fingerprint}"):
                self.client.transact_write_items(TransactItems=list(self._writes(change)))
        except Conflicted as error:
            raise Conflict(str(error)) from error
        except Cancelled as error:
            reasons = dict(zip(change.events, error.reasons, strict=False))
            if known := {event for event, reason in reasons.items() if reason == CONDITION}:
                raise AlreadyRecorded(known) from error
            if CONDITION in error.reasons:
                raise Stale(f"incident {fingerprint} changed since it was read") from error
            if error.conflict:
                raise Conflict(str(error)) from error
            raise

    def owed(self, fingerprint: str) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this incident."""
        with store_errors(f"reading what incident {fingerprint} owes"):
            row = self.client.get_item(
                TableName=self.table,
                Key=rows.incident_key(fingerprint),
                ConsistentRead=True,
                ProjectionExpression="#groups",
                ExpressionAttributeNames={"#groups": "groups"},
            ).get("Item", {})
            told: set[str] = set(row.get("groups", {}).get("SS", ()))
            return frozenset(group for group in sorted(told) if self._owes(group, fingerprint))

    def _owes(self, group: str, fingerprint: str) -> bool:
        first = rows.notice_key(group, f"{fingerprint}#")
        answer = self.client.query(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": first["pk"], ":sk": first["sk"]},
            Select="COUNT",
            Limit=1,
        )
        return answer["Count"] > 0

    def _writes(self, change: Change) -> "Iterator[TransactWriteItemTypeDef]":
        """Yield the ledger first: `commit` reads the reasons in this order."""
        for event in change.events:
            kept = {"ttl": rows.ttl(change.decided_at, rows.EVENT_KEPT)}
            yield {
                "Put": {
                    "TableName": self.table,
                    "Item": rows.event_key(event) | kept,
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
        yield self._incident(change)
        for notice in change.notices:
            yield {"Put": {"TableName": self.table, "Item": _notice_row(notice)}}

    def _incident(self, change: Change) -> "TransactWriteItemTypeDef":
        """Return an update, not a put: `groups` gathers every group that was ever told."""
        incident, expected = change.incident, change.expected_version
        values = {
            ":doc": rows.document(incident),
            ":version": rows.number(incident.version),
            ":state": rows.text(incident.state),
            ":watch_pk": rows.text(watch_shard(incident.fingerprint)),
            ":watch_sk": rows.text(f"{rows.iso(incident.last_at)}#{incident.fingerprint}"),
        }
        names = {f"#{name[1:]}": name[1:] for name in values}
        expression = f"SET {', '.join(f'#{name} = :{name}' for name in names.values())}"
        if change.notices:
            groups = sorted({notice.group for notice in change.notices})
            values[":groups"] = {"SS": groups}
            names["#groups"] = "groups"
            expression += " ADD #groups :groups"
        if expected:
            values[":expected"] = rows.number(expected)
        return {
            "Update": {
                "TableName": self.table,
                "Key": rows.incident_key(incident.fingerprint),
                "UpdateExpression": expression,
                "ConditionExpression": (
                    "#version = :expected" if expected else "attribute_not_exists(pk)"
                ),
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }


def watch_shard(fingerprint: str) -> str:
    """Return the index partition in which an incident is listed."""
    return f"INC#{rows.shard(fingerprint, rows.INCIDENT_SHARDS)}"


def _notice_row(notice: Notice) -> rows.Key:
    return rows.notice_key(notice.group, notice.row) | {
        "doc": rows.document(notice),
        "group": rows.text(notice.group),
        "watch_pk": rows.text(f"OUT#{rows.shard(notice.row, rows.NOTICE_SHARDS)}"),
        "watch_sk": rows.text(rows.iso(notice.created_at)),
    }
