"""SQS batches in and out of a handler: envelopes to deliveries, outcomes to a batch response."""

from collections.abc import Callable, Iterable
from typing import Any

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.runtime.observability import logger

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def deliveries(event: dict[str, Any]) -> tuple[Delivery, ...]:
    """Return the messages of an SQS event, with who sent them and when SQS took them."""
    return tuple(
        Delivery(
            message_id=record["messageId"],
            body=record["body"],
            sender=record["attributes"].get("SenderId", ""),
            queued_at=from_epoch_ms(int(record["attributes"]["SentTimestamp"])),
        )
        for record in event["Records"]
    )


def batch_response(retries: Iterable[str]) -> dict[str, Any]:
    """Return the partial batch response that asks for these message ids again.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in retries]}


def retries_of(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the ids of the deliveries that waiting can help."""
    return [outcome.message_id for outcome in outcomes if outcome.status == "retry"]


def never_raises(handler: Handler) -> Handler:
    """Turn an unforeseen error into "retry the whole batch".

    A raised exception would stall a FIFO mapping for every group, not only for the failing one.
    """

    def guarded(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return handler(event, context)
        except Exception:  # noqa: BLE001 - the outermost edge; logged with its trace, retried, alarmed
            logger().exception("batch failed")
            return batch_response(record["messageId"] for record in event["Records"])

    return guarded
