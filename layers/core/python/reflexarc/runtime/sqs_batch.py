"""SQS batches in and out of a handler: envelopes to deliveries, outcomes to a batch response."""

from collections.abc import Callable, Iterable
from typing import Any

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.runtime.observability import logger

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


# Written by adapters/sqs/relay.py.
_SENDER = "sender"
_IAM = "iam:"


def deliveries(event: dict[str, Any], relay: str = "", witness: str = "") -> tuple[Delivery, ...]:
    """Return the messages of an SQS event, with who sent them and when SQS took them.

    `relay` is the unique id of ingest's role, `witness` that of telemetry_rules: what these roles
    say of a message's sender is believed. Anyone else may write the attribute too, and it changes
    nothing.
    """
    return tuple(
        Delivery(
            message_id=record["messageId"],
            body=record["body"],
            sender=_sender(record, (relay, witness)),
            queued_at=from_epoch_ms(int(record["attributes"]["SentTimestamp"])),
            witness=bool(witness) and _role(record) == witness,
            relayed=bool(relay) and _role(record) == relay,
            receives=int(record["attributes"].get("ApproximateReceiveCount", 1)),
        )
        for record in event["Records"]
    )


def _role(record: dict[str, Any]) -> str:
    """Return who sent a record: AWS writes `role id:session name`, not the caller."""
    sender: str = record["attributes"].get("SenderId", "")
    return sender.partition(":")[0]


def _sender(record: dict[str, Any], believed: tuple[str, ...]) -> str:
    sender: str = record["attributes"].get("SenderId", "")
    if not (role := _role(record)) or role not in believed:
        return sender
    verified: str = record.get("messageAttributes", {}).get(_SENDER, {}).get("stringValue", "")
    # By IAM it is the SenderId that the node would have had at the queue itself.
    return verified.removeprefix(_IAM) or sender


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
