"""Reads rows by key, many in a request; consistent, and asked again for what was left out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.errors import store_errors
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef

# An answer ends at 16 MB, or where the table is throttled: the rest comes back as unprocessed.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
KEYS_MAX = 100
TRIES = 5


def batch_get(
    client: "DynamoDBClient",
    table: str,
    keys: Iterable[rows.Key],
    pause: Callable[[int], None],
    attributes: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """Yield the rows that exist, in no order; of each only some attributes if any are named.

    Raises Unavailable when the table does not answer, or leaves some keys out again and again.
    """
    wanted = list({(key["pk"]["S"], key["sk"]["S"]): key for key in keys}.values())
    for start in range(0, len(wanted), KEYS_MAX):
        request: KeysAndAttributesTypeDef = {
            "Keys": wanted[start : start + KEYS_MAX],
            "ConsistentRead": True,
        }
        if attributes:
            request["ProjectionExpression"] = ", ".join(f"#{name}" for name in attributes)
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in attributes}
        yield from _batch(client, table, request, pause)


def _batch(
    client: "DynamoDBClient",
    table: str,
    request: "KeysAndAttributesTypeDef",
    pause: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    for attempt in range(TRIES):
        with store_errors("reading rows"):
            answer = client.batch_get_item(RequestItems={table: request})
        yield from answer["Responses"].get(table, ())
        left = answer.get("UnprocessedKeys", {}).get(table)
        if not left:
            return
        request = {**request, "Keys": left["Keys"]}
        pause(attempt)
    raise Unavailable(f"DynamoDB left {len(request['Keys'])} rows out {TRIES} times")
