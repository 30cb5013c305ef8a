"""The layout of the telemetry table: which messages were accounted for, and what hours came to.

| pk                   | sk                                | holds                           |
|----------------------|-----------------------------------|---------------------------------|
| `DONE#<id>`          | `DONE`                            | waits (ids of parts); ttl       |
| `ACC#<date>#<shard>` | `<hour>#<signal>#<version>#<row>` | n.<name>: a number each; ttl    |
| `CARD#<date>`        | `<hour>#<digest of metric>`       | metric, rev, a.<attribute>; ttl |

Numbers are only ever added to, so any row of an hour will do: a writer keeps to a shard of its own
as long as nobody else holds it. Who reads sums them.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.accounting import Row

SHARDS = 16
# A queue keeps a message for 14 days, and a redrive starts that anew.
DONE_KEPT = timedelta(days=30)
ACCOUNTS_KEPT = timedelta(days=400)
SKETCHES_KEPT = timedelta(days=30)
_DONE = "DONE#"
_PREFIX = "n."
_SIGNALS: Mapping[str, OtlpSignal] = {"traces": "traces", "metrics": "metrics", "logs": "logs"}


def done_key(message_id: str) -> rows.Key:
    """Return the key that makes a message count once."""
    return rows.key(f"{_DONE}{message_id}", "DONE")


def done_id(item: Mapping[str, Any]) -> str:
    """Return the id that a row makes known."""
    text: str = item["pk"]["S"]
    return text.removeprefix(_DONE)


def account_key(hour: datetime, shard: int, signal: str, version: int, name: str) -> rows.Key:
    """Return the key of one row of an hour's account."""
    utc = hour.astimezone(UTC)
    return rows.key(day_key(utc.date(), shard), f"{utc:%H}#{signal}#{version:08d}#{name}")


def day_key(day: date, shard: int) -> str:
    """Return the partition of one shard of a day's accounts."""
    return f"ACC#{day}#{shard}"


def sketch_key(hour: datetime, metric: str) -> rows.Key:
    """Return the key of an hour's sketches of one metric."""
    utc = hour.astimezone(UTC)
    return rows.key(f"CARD#{utc:%Y-%m-%d}", f"{utc:%H}#{rows.digest(metric)}")


def attribute(name: str) -> str:
    """Return the attribute that holds a number, apart from the row's own attributes."""
    return f"{_PREFIX}{name}"


def row_of(item: Mapping[str, Any]) -> Row:
    """Return a row of an account as it stands."""
    _, day, _ = item["pk"]["S"].split("#", 2)
    hour, signal, version, name = item["sk"]["S"].split("#", 3)
    return Row(
        hour=datetime.fromisoformat(f"{day}T{hour}:00:00+00:00"),
        signal=_SIGNALS[signal],
        version=int(version),
        name=name,
        numbers={
            key.removeprefix(_PREFIX): int(value["N"])
            for key, value in item.items()
            if key.startswith(_PREFIX)
        },
    )
