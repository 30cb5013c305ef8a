"""The layout of the incidents table: the keys and attributes of every kind of row.

| pk                  | sk                          | holds                                        |
|---------------------|-----------------------------|----------------------------------------------|
| `INC#<fingerprint>` | `INC`                       | doc (incident/1), version, state, groups     |
| `INC#<fingerprint>` | `CH#<generation>#<channel>` | doc (receipt)                                |
| `INC#<fingerprint>` | `LOG#<time>#<random>`       | doc (attempt), ttl                           |
| `EVT#<event>`       | `EVT`                       | ttl                                          |
| `OUT#<group>`       | `ROW#<row>`                 | doc (notice/1), group                        |
| `OUT#<group>`       | `LEASE`                     | owner, until, wake, suspect, not_before, ... |
| `NODE#<node>`       | `BIND`                      | sender, seen_at, ttl                         |
| `CONFIG`            | `LIVE`, `V#<version>`       | doc, version, at                             |
| `TOKEN#<id>`        | `TOKEN`                     | digest, source, created, expires, revoked    |

The sparse index `watch` (`watch_pk`, `watch_sk`) holds incidents by recency and notices by age, in
shards, so that a storm does not write to one partition.
"""

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

WATCH = "watch"
INCIDENT_SHARDS = 8
NOTICE_SHARDS = 4
# A queue keeps a message for 14 days, and a redrive starts that anew.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
EVENT_KEPT = timedelta(days=30)
ATTEMPT_KEPT = timedelta(days=90)
# Longer than any wait; an abandoned lease's row only says that its sender died.
LEASE_KEPT = timedelta(days=7)
BINDING_KEPT = timedelta(days=30)

Key = dict[str, "AttributeValueTypeDef"]
Model = TypeVar("Model", bound=BaseModel)


def key(pk: str, sk: str) -> Key:
    """Return a primary key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def incident_key(fingerprint: str) -> Key:
    """Return the key of an incident."""
    return key(f"INC#{fingerprint}", "INC")


def receipt_key(fingerprint: str, generation: int, channel: str) -> Key:
    """Return the key of what a vendor calls its message of one generation."""
    return key(f"INC#{fingerprint}", f"CH#{generation:08d}#{channel}")


def attempt_key(fingerprint: str, at: datetime, entropy: str) -> Key:
    """Return the key of a delivery attempt; attempts of an incident sort by time."""
    return key(f"INC#{fingerprint}", f"LOG#{iso(at)}#{entropy}")


def event_key(event: str) -> Key:
    """Return the key of a ledger entry."""
    return key(f"EVT#{event}", "EVT")


def notice_key(group: str, row: str) -> Key:
    """Return the key of an unsent notice."""
    return key(f"OUT#{group}", f"ROW#{row}")


def lease_key(group: str) -> Key:
    """Return the key of a group's lease."""
    return key(f"OUT#{group}", "LEASE")


def text(value: str) -> "AttributeValueTypeDef":
    """Return a string attribute."""
    return {"S": value}


def number(value: int) -> "AttributeValueTypeDef":
    """Return a number attribute."""
    return {"N": str(value)}


def instant(value: datetime) -> "AttributeValueTypeDef":
    """Return a moment as epoch milliseconds: what conditions compare."""
    return number(epoch_ms(value))


def ttl(now: datetime, kept: timedelta) -> "AttributeValueTypeDef":
    """Return when DynamoDB may delete the row, in epoch seconds as it demands."""
    return number(round((now + kept).timestamp()))


def iso(value: datetime) -> str:
    """Return a moment in UTC at fixed width, so that text sorts as time does."""
    try:
        value = value.astimezone(UTC)
    except OverflowError:  # the first or last day of the calendar in another zone: a broken clock
        value = value.replace(tzinfo=UTC)
    return f"{value.year:04d}-{value:%m-%dT%H:%M:%S.%f}Z"


def shard(name: str, shards: int) -> int:
    """Return the shard of a name, the same in every process."""
    return zlib.crc32(name.encode()) % shards


def document(model: BaseModel) -> "AttributeValueTypeDef":
    """Return a model as the JSON that `parsed` reads."""
    return text(model.model_dump_json(by_alias=True))


def parsed(model: type[Model], row: Mapping[str, Any]) -> Model:
    """Return the model in a row's `doc`; raises Unavailable where this version cannot read it."""
    try:
        return model.model_validate_json(row["doc"]["S"])
    except (KeyError, ValidationError) as error:
        raise Unavailable(f"row {row.get('pk')} {row.get('sk')} is unreadable: {error}") from error
