"""Messages in their order, as many at a time as SQS takes in one request."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

# SQS takes ten messages and 1 MiB, of which some is left for attributes and framing.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
BATCH_COUNT = 10
BATCH_BYTES = 1_000_000
Message = TypeVar("Message")


def in_batches(
    messages: Iterable[Message], body: Callable[[Message], str]
) -> Iterator[list[Message]]:
    """Yield messages, together no larger than a request; one that is larger goes alone."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        text = body(message)
        length = len(text) if text.isascii() else len(text.encode())
        if batch and (len(batch) == BATCH_COUNT or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch
