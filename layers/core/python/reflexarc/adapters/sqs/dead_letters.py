"""Fills DeadLetters (gpu, incidents, notify) with a function's own dead-letter queue."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.delivery import Delivery
from reflexarc.events.rejected import ORIGINAL_MAX, RejectedMessage
from reflexarc.kernel.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# An attribute takes far more, but a console's column does not.
REASON_MAX = 1_000
# What SQS takes in a message and its attributes; anything else would fail the whole request.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_ILLEGAL = {code: "\ufffd" for code in (*range(32), 0xFFFE, 0xFFFF) if code not in {9, 10, 13}}


@dataclass(frozen=True, slots=True)
class SqsDeadLetters:
    """Keeps what can never succeed as rejected/1, its reason in the body and as an attribute."""

    client: "SQSClient"
    queue: str
    clock: Clock

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Store the message; raises Unavailable when it could not be stored."""
        send_rejected(self, delivery.message_id, delivery.body, reason, delivery.sender)


def send_rejected(
    to: SqsDeadLetters, message_id: str, original: str, reason: str, sender: str = ""
) -> None:
    """Send one rejected/1 with the original, cut on a character where it is too large."""
    reason = legal(reason)[:REASON_MAX] or "no reason was given"
    kept, truncated = cut(original)
    message = RejectedMessage(
        message_id=message_id,
        queue=to.queue.rsplit("/", 1)[-1],
        reason=reason,
        rejected_at=to.clock(),
        original=kept,
        truncated=truncated,
        sender=sender,
    )
    with queue_errors("keeping a rejected message"):
        to.client.send_message(
            QueueUrl=to.queue,
            MessageBody=legal(message.model_dump_json(by_alias=True)),
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
        )


def legal(text: str) -> str:
    """Return the text with what SQS refuses replaced."""
    return text.encode(errors="replace").decode().translate(_ILLEGAL)


def cut(original: str) -> tuple[str, bool]:
    """Return as much of a body as a dead letter holds, and whether that is not all."""
    encoded = original.encode(errors="replace")
    if len(encoded) <= ORIGINAL_MAX:
        return encoded.decode(), False
    return encoded[:ORIGINAL_MAX].decode(errors="ignore"), True
