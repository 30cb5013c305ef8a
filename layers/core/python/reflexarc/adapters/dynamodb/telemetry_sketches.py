"""Fills telemetry.ports.Sketches: an hour's sketches of a metric in one row, joined by its reader.

Joining again changes nothing, so a write that may have happened is simply repeated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows, telemetry_rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRIES = 5
# 64 sketches of 1 KB; a metric with more attributes is told of by some of them.
ATTRIBUTES_MAX = 64
_SKETCH = "a."


@dataclass(frozen=True, slots=True)
class DynamoSketches:
    """Joins by `join` (telemetry.cardinality.joined); raises Unavailable after some lost races."""

    client: "DynamoDBClient"
    table: str
    join: Callable[[bytes, bytes], bytes]
    pause: Callable[[int], None] = jittered_pause

    def merge(self, hour: datetime, metric: str, sketches: Mapping[str, bytes]) -> None:
        """Join sketches into the hour's, by attribute."""
        key = telemetry_rows.sketch_key(hour, metric)
        for attempt in range(TRIES):
            with store_errors(f"reading the sketches of {metric}"):
                row = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get(
                    "Item", {}
                )
            try:
                self._write(key, hour, metric, row, sketches)
            except ConditionFailed:
                self.pause(attempt)
                continue
            return
        raise Unavailable(f"the sketches of {metric} changed {TRIES} times meanwhile")

    def _write(
        self,
        key: rows.Key,
        hour: datetime,
        metric: str,
        row: Mapping[str, Any],
        sketches: Mapping[str, bytes],
    ) -> None:
        known = {name: value["B"] for name, value in row.items() if name.startswith(_SKETCH)}
        for name, sketch in sketches.items():
            held = known.get(_SKETCH + name)
            if held is not None:
                known[_SKETCH + name] = self.join(held, sketch)
            elif len(known) < ATTRIBUTES_MAX:
                known[_SKETCH + name] = sketch
        revision = int(row.get("rev", {}).get("N", 0))
        with store_errors(f"keeping the sketches of {metric}"):
            self.client.put_item(
                TableName=self.table,
                Item={
                    **key,
                    "metric": rows.text(metric),
                    "rev": rows.number(revision + 1),
                    "ttl": rows.ttl(hour, telemetry_rows.SKETCHES_KEPT),
                    **{name: {"B": sketch} for name, sketch in known.items()},
                },
                ConditionExpression="attribute_not_exists(pk) OR rev = :rev",
                ExpressionAttributeValues={":rev": rows.number(revision)},
            )
