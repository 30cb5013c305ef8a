"""Fills telemetry.ports.Ledger: a message's numbers and its id, in one transaction."""

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows, telemetry_rows
from reflexarc.adapters.dynamodb.batch_reads import batch_get
from reflexarc.adapters.dynamodb.errors import CONDITION, Cancelled, despite_conflicts, store_errors
from reflexarc.kernel.pause import jittered_pause
from reflexarc.telemetry.accounting import TOTALS, Entry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_RESENT = "to.resent."


def any_shard() -> int:
    """Return a shard at random: environments rarely choose the same."""
    return random.randrange(telemetry_rows.SHARDS)  # noqa: S311 - spreads writers, no secret


@dataclass(slots=True)
class DynamoLedger:
    """Counts each message once; raises Unavailable when the table does not answer."""

    client: "DynamoDBClient"
    table: str
    pause: Callable[[int], None] = jittered_pause
    choose: Callable[[], int] = any_shard
    _shard: int | None = field(default=None)

    def known(self, ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return which of these were accounted for, each with its parts that wait."""
        keys = map(telemetry_rows.done_key, ids)
        return {
            telemetry_rows.done_id(row): frozenset(row.get("waits", {}).get("SS", ()))
            for row in batch_get(self.client, self.table, keys, self.pause, ("pk", "waits"))
        }

    def settle(self, entry: Entry, now: datetime) -> bool:
        """Count an entry and remember its id, both or nothing; False where it was known before.

        Where an answer is lost and the call repeated, the row is ours and says so too: what counts
        is that it was counted.
        """
        try:
            despite_conflicts(lambda: self._write(entry, self._own(), now), self._elsewhere)
        except Cancelled as error:
            if error.reasons and error.reasons[0] == CONDITION:
                return False
            raise
        return True

    def resent(self, entry: Entry) -> None:
        """Count what an entry sent on although somebody else was faster to account for it."""
        totals = entry.rows[TOTALS]
        numbers = {
            _RESENT + name.removeprefix("to.sent."): number
            for name, number in totals.items()
            if name.startswith("to.sent.")
        }
        if not numbers:
            return
        with store_errors("counting what was sent twice"):
            self.client.update_item(
                TableName=self.table, **_addition(entry, self.choose(), TOTALS, numbers)
            )

    def _own(self) -> int:
        """Return the shard that this environment keeps to."""
        if self._shard is None:
            self._shard = self.choose()
        return self._shard

    def _elsewhere(self, attempt: int) -> None:
        """Leave a shard that another writer holds at this moment."""
        self._shard = self.choose()
        self.pause(attempt)

    def _write(self, entry: Entry, shard: int, now: datetime) -> None:
        done: Any = {
            "Put": {
                "TableName": self.table,
                "Item": telemetry_rows.done_key(entry.id)
                | {"ttl": rows.ttl(now, telemetry_rows.DONE_KEPT)}
                | ({"waits": {"SS": sorted(set(entry.waits))}} if entry.waits else {}),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        additions: list[Any] = [
            {"Update": {"TableName": self.table, **_addition(entry, shard, name, numbers)}}
            for name, numbers in entry.rows.items()
            if numbers
        ]
        with store_errors(f"accounting for {entry.id}"):
            self.client.transact_write_items(TransactItems=[done, *additions])


def _addition(entry: Entry, shard: int, name: str, numbers: Mapping[str, int]) -> Any:
    """Return the update that adds numbers to a row of an entry's hour."""
    names = {f"#{place}": telemetry_rows.attribute(each) for place, each in enumerate(numbers)}
    values = {f":{place}": rows.number(each) for place, each in enumerate(numbers.values())}
    adds = ", ".join(f"#{place} :{place}" for place in range(len(numbers)))
    return {
        "Key": telemetry_rows.account_key(entry.hour, shard, entry.signal, entry.version, name),
        "UpdateExpression": f"SET #ttl = :ttl ADD {adds}",
        "ExpressionAttributeNames": {"#ttl": "ttl", **names},
        "ExpressionAttributeValues": {
            ":ttl": rows.ttl(entry.hour, telemetry_rows.ACCOUNTS_KEPT),
            **values,
        },
    }
