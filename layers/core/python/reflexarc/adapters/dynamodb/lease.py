"""The lease rows of the outbox: one conditional write a step, each fenced by its owner.

A lease is held while its row has an `owner` whose `until` has not passed. `acquire` leaves the
row's `suspect` as it is: an owner that is found expired is suspicion enough, `postpone`
and `defer` write down the suspicion that their lease carried, and only `release` ends it.

botocore sends a write again whose answer it missed. The condition then fails on what that very
write left, so each step looks whether the row already is as it wanted it: it would otherwise take
itself for another sender, and nobody would come back.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import DEFER_SLACK, LEASE, Busy, Deferred, Lease

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

ACQUIRE_TRIES = 5
GIVE_BACK_TRIES = 5
_TRUE: "AttributeValueTypeDef" = {"BOOL": True}
_FALSE: "AttributeValueTypeDef" = {"BOOL": False}
_MINE = "#owner = :me"
# Several of these are reserved words.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
_ATTRIBUTES = (
    "owner", "until", "wake", "suspect", "not_before", "rewake_at", "failures", "ttl",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeaseRows:
    """Takes, marks and gives back the lease of a delivery group."""

    client: "DynamoDBClient"
    table: str

    def acquire(self, group: str, owner: str, now: datetime) -> Lease | Busy:
        """Take the lease, or leave word for the live holder: whichever the row allows."""
        for _ in range(ACQUIRE_TRIES):
            until = now + LEASE
            try:
                old = self._update(
                    group,
                    "SET #owner = :me, #until = :until, #wake = :false, #ttl = :ttl",
                    "(attribute_not_exists(#until) OR #until <= :now)"
                    " AND (attribute_not_exists(#not_before) OR #not_before <= :now)",
                    {
                        ":me": rows.text(owner),
                        ":until": rows.instant(until),
                        ":false": _FALSE,
                        ":ttl": rows.ttl(now, rows.LEASE_KEPT),
                        ":now": rows.instant(now),
                    },
                )
            except ConditionFailed as error:
                row = error.row or self._row(group)
                if row.get("owner") == rows.text(owner):
                    return Lease(
                        group=group,
                        owner=owner,
                        until=until,
                        suspect=True,  # nobody knows any more what the row was before
                        failures=_failures(row),
                    )
                busy = self._leave_word(group, row, now)
                if busy is not None:
                    return busy
            else:
                return Lease(
                    group=group,
                    owner=owner,
                    until=until,
                    suspect="owner" in old or _is_set(old, "suspect"),
                    failures=_failures(old),
                )
        raise Unavailable(f"the lease on {group} changed hands {ACQUIRE_TRIES} times meanwhile")

    def suspect(self, lease: Lease) -> None:
        """Note that an answer is missing, unless another sender has taken over."""
        try:
            self._update(
                lease.group,
                "SET #suspect = :true",
                _MINE,
                {":true": _TRUE, ":me": rows.text(lease.owner)},
            )
        except ConditionFailed:
            return

    def release(self, lease: Lease) -> bool:
        """Delete the row, unless word was left: then take note of it, keep the lease, say False.

        A row that knows of a re-wake under way only forgets the lease.
        """
        for _ in range(GIVE_BACK_TRIES):
            row = self._delete(lease)
            if row is None or not _is_mine(row, lease):
                return True
            if _is_set(row, "wake"):
                return not self._hear(lease)
            if self._give_back(lease, "REMOVE #owner, #until, #suspect, #failures, #not_before"):
                return True
        raise Unavailable(f"the lease on {lease.group} changed {GIVE_BACK_TRIES} times meanwhile")

    def defer(self, lease: Lease, until: datetime, now: datetime) -> Deferred:
        """Give the lease back without forbidding looks; say whether that needs a re-wake."""
        values = {":now": rows.instant(now), ":ttl": rows.ttl(now, rows.LEASE_KEPT)}
        given_back = "SET #ttl = :ttl"
        if lease.suspect:
            values[":true"] = _TRUE
            given_back += ", #suspect = :true"
        forgotten = " REMOVE #owner, #until, #failures, #not_before"
        late = values | {":late": rows.instant(until + DEFER_SLACK)}
        planned = "#rewake_at > :now AND #rewake_at <= :late"
        uncovered = "(attribute_not_exists(#rewake_at) OR #rewake_at <= :now OR #rewake_at > :late)"
        for _ in range(GIVE_BACK_TRIES):
            asked = f"{given_back}, #rewake_at = :until{forgotten}"
            if self._give_back(lease, asked, uncovered, late | {":until": rows.instant(until)}):
                return "rewake"
            if self._give_back(lease, f"{given_back}{forgotten}", planned, late):
                return "planned"
            if self._hear(lease):
                return "again"
            row = self._row(lease.group)
            if not _is_mine(row, lease):
                return "rewake" if _is_given_back(row, until) else "planned"
        raise Unavailable(f"the lease on {lease.group} changed {GIVE_BACK_TRIES} times meanwhile")

    def postpone(self, lease: Lease, until: datetime, failures: int, now: datetime) -> bool:
        """Give the lease back until a moment; True when that needs a re-wake to be sent."""
        values: dict[str, AttributeValueTypeDef] = {
            ":until": rows.instant(until),
            ":failures": rows.number(failures),
            ":false": _FALSE,
            ":me": rows.text(lease.owner),
            ":ttl": rows.ttl(now, rows.LEASE_KEPT),
        }
        given_back = (
            "SET #not_before = :until, #failures = :failures, #wake = :false, #ttl = :ttl"
            f"{', #suspect = :true' if lease.suspect else ''}{{}} REMOVE #owner, #until"
        )
        if lease.suspect:
            values[":true"] = _TRUE
        # A pending re-wake covers this wait if it is still to come, and not too early.
        uncovered = (
            "(attribute_not_exists(#rewake_at) OR #rewake_at <= :now OR #rewake_at < :until)"
        )
        try:
            self._update(
                lease.group,
                given_back.format(", #rewake_at = :until"),
                f"{_MINE} AND {uncovered}",
                values | {":now": rows.instant(now)},
            )
        except ConditionFailed as error:
            if _is_given_back(error.row or self._row(lease.group), until):
                return True
            try:
                self._update(lease.group, given_back.format(""), _MINE, values)
            except ConditionFailed:
                return False
            return False
        return True

    def _delete(self, lease: Lease) -> Mapping[str, Any] | None:
        """Delete the row of a lease without word or re-wake; return a row that has either."""
        try:
            with store_errors(f"releasing the lease on {lease.group}"):
                self.client.delete_item(
                    TableName=self.table,
                    Key=rows.lease_key(lease.group),
                    ConditionExpression=(
                        f"{_MINE} AND #wake = :false"
                        " AND (attribute_not_exists(#rewake_at) OR #rewake_at <= :taken)"
                    ),
                    ExpressionAttributeNames=_named("#owner #wake #rewake_at"),
                    ExpressionAttributeValues={
                        ":me": rows.text(lease.owner),
                        ":false": _FALSE,
                        ":taken": rows.instant(lease.until - LEASE),
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ConditionFailed as error:
            return error.row or self._row(lease.group)
        return None

    def _hear(self, lease: Lease) -> bool:
        """Take note of word that may have been left; False when another sender took over."""
        values = {":me": rows.text(lease.owner), ":false": _FALSE}
        try:
            self._update(lease.group, "SET #wake = :false", _MINE, values)
        except ConditionFailed:
            return False
        return True

    def _give_back(
        self,
        lease: Lease,
        update: str,
        condition: str = "",
        values: "Mapping[str, AttributeValueTypeDef] | None" = None,
    ) -> bool:
        """Write unless word was left, another sender took over, or the condition does not hold."""
        mine = f"{_MINE} AND #wake = :false"
        used = {":me": rows.text(lease.owner), ":false": _FALSE} | dict(values or {})
        try:
            self._update(
                lease.group, update, f"{mine} AND {condition}" if condition else mine, used
            )
        except ConditionFailed:
            return False
        return True

    def _leave_word(self, group: str, row: Mapping[str, Any], now: datetime) -> Busy | None:
        """Return who will look instead, after telling a live holder; None: try again."""
        not_before, until = _moment(row, "not_before"), _moment(row, "until")
        if not_before is not None and not_before > now:
            return Busy(until=not_before)
        if until is None or until <= now:
            return None
        try:
            self._update(
                group,
                "SET #wake = :true",
                _MINE,
                {":true": _TRUE, ":me": row["owner"]},
            )
        except ConditionFailed:
            return None
        return Busy(until=until)

    def _row(self, group: str) -> Mapping[str, Any]:
        """Read the row, for a server that does not return it with a failed condition."""
        with store_errors(f"reading the lease on {group}"):
            return self.client.get_item(
                TableName=self.table, Key=rows.lease_key(group), ConsistentRead=True
            ).get("Item", {})

    def _update(
        self,
        group: str,
        update: str,
        condition: str,
        values: "dict[str, AttributeValueTypeDef]",
    ) -> Mapping[str, Any]:
        """Write if the condition holds; return the row as it was."""
        with store_errors(f"writing the lease on {group}"):
            answer = self.client.update_item(
                TableName=self.table,
                Key=rows.lease_key(group),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=_named(f"{update} {condition}"),
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return answer.get("Attributes", {})


def _named(used: str) -> dict[str, str]:
    return {f"#{name}": name for name in _ATTRIBUTES if f"#{name}" in used}


def _is_mine(row: Mapping[str, Any], lease: Lease) -> bool:
    return bool(row.get("owner") == rows.text(lease.owner))


def _is_given_back(row: Mapping[str, Any], until: datetime) -> bool:
    """Return whether a lease was given back just now, with a re-wake at a moment."""
    return "owner" not in row and row.get("rewake_at") == rows.instant(until)


def _failures(row: Mapping[str, Any]) -> int:
    return int(row.get("failures", {}).get("N", "0"))


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    stored = row.get(name)
    return from_epoch_ms(int(stored["N"])) if stored else None


def _is_set(row: Mapping[str, Any], name: str) -> bool:
    return bool(row.get(name, {}).get("BOOL"))
