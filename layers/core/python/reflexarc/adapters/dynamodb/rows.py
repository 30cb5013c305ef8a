"""The layout of the incidents table: the keys and attributes of every kind of row.

| pk                             | sk                                  | holds                     |
|--------------------------------|-------------------------------------|---------------------------|
| `INC#<fingerprint>`            | `INC`                               | doc (incident/1), version |
| `EVT#<event>`                  | `EVT`                               | ttl                       |
| `PAGE#<scope>`                 | `A#<generation>`                    | doc (page/1), version     |
| `PAGE#<scope>`                 | `CH#<generation>#<channel>`         | doc (receipt)             |
| `PAGE#<scope>`                 | `LOG#<generation>#<time>#<entropy>` | doc, kind, ttl            |
| `MEM#<scope>#<gen>#<shard>`    | `<digest of node>#<fingerprint>`    | doc (member), ttl         |
| `OUT#<group>`                  | `ROW#<row>`                         | doc (notice/1), stamp    |
| `OUT#<group>`                  | `LEASE`                             | owner, until, wake, ...   |
| `HOLD#<digest of key>`         | `<fingerprint>`                     | ttl                       |
| `SILENCE`                      | `<id>`                              | doc (silence/1), ttl      |
| `CLICK#<digest>`               | `CLICK`                             | ttl                       |
| `NODE#<node>`                  | `BIND`                              | sender, seen_at, ttl      |
| `CONFIG`                       | `LIVE`, `V#<version>`               | doc/packed, version, at   |
| `CONFIG`                       | `TELEMETRY#LIVE`, `TELEMETRY#V#<n>` | the same; LIVE: no doc    |
| `TOKEN#<id>`                   | `TOKEN`                             | digest, source, ...       |

The sparse index `watch` (`watch_pk`, `watch_sk`) holds incidents by recency, notices by age, and
pages by when their next step is due, in shards, so that a storm does not write to one partition.
"""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from reflexarc.events.incident import PageRef
from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Unreadable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

WATCH = "watch"
INCIDENT_SHARDS = 8
NOTICE_SHARDS = 4
DUE_SHARDS = 4
MEMBER_SHARDS = 8
# A queue keeps a message for 14 days, and a redrive starts that anew.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
EVENT_KEPT = timedelta(days=30)
ATTEMPT_KEPT = timedelta(days=90)
MEMBER_KEPT = timedelta(days=90)
# A lift that never came must not keep people in the dark for ever.
HOLD_KEPT = timedelta(days=30)
SILENCE_KEPT = timedelta(days=30)
# Twice the window in which a click's signature is accepted.
CLICK_KEPT = timedelta(minutes=10)
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


def waiting(table: str, shard: str, before: datetime, wanted: str) -> dict[str, Any]:
    """Return the query for `watch_sk` and one attribute of a shard's rows, before a moment."""
    return {
        "TableName": table,
        "IndexName": WATCH,
        "KeyConditionExpression": "watch_pk = :shard AND watch_sk < :before",
        "ProjectionExpression": "watch_sk, #wanted",
        "ExpressionAttributeNames": {"#wanted": wanted},
        "ExpressionAttributeValues": {":shard": text(shard), ":before": text(iso(before))},
    }


def page_key(ref: PageRef) -> Key:
    """Return the key of a page; the generations of a scope sort in their order."""
    return key(f"PAGE#{ref.scope}", f"A#{ref.generation:08d}")


def receipt_key(ref: PageRef, channel: str) -> Key:
    """Return the key of what one channel was told of a page; of all its channels if empty."""
    return key(f"PAGE#{ref.scope}", f"CH#{ref.generation:08d}#{channel}")


def log_key(ref: PageRef, at: datetime | None = None, entropy: str = "") -> Key:
    """Return the key of one line of a page's log, sorted by time; of all lines without a moment."""
    line = f"{iso(at)}#{entropy}" if at else ""
    return key(f"PAGE#{ref.scope}", f"LOG#{ref.generation:08d}#{line}")


def member_key(ref: PageRef, node: str, fingerprint: str) -> Key:
    """Return the key of a member, or of all members of its node if `fingerprint` is empty.

    A node's members share a shard, and its name is hashed: it may be as long as anybody likes.
    """
    pk = members_of(ref, shard(node, MEMBER_SHARDS))
    return key(pk, f"{digest(node)}#{fingerprint}")


def members_of(ref: PageRef, number: int) -> str:
    """Return the partition that holds one shard of a page's members."""
    return f"MEM#{ref.scope}#{ref.generation:08d}#{number}"


def hold_key(held: str, fingerprint: str) -> Key:
    """Return the key of an open incident that inhibits; label values make `held` of any length."""
    return key(f"HOLD#{digest(held)}", fingerprint)


def silence_key(silence_id: str) -> Key:
    """Return the key of a silence."""
    return key("SILENCE", silence_id)


def click_key(click: str) -> Key:
    """Return the key that makes a click count once."""
    return key(f"CLICK#{click}", "CLICK")


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


def digest(value: str) -> str:
    """Return 32 hex digits that stand for a text in a key."""
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:32]


def document(model: BaseModel) -> "AttributeValueTypeDef":
    """Return a model as the JSON that `parsed` reads."""
    return text(model.model_dump_json(by_alias=True))


def parsed(model: type[Model], row: Mapping[str, Any]) -> Model:
    """Return the model in a row's `doc`; raises Unreadable where this version cannot read it."""
    try:
        return model.model_validate_json(row["doc"]["S"])
    except (KeyError, ValidationError) as error:
        raise Unreadable(f"row {row.get('pk')} {row.get('sk')} is unreadable: {error}") from error
