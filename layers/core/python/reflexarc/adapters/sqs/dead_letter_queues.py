"""Reads dead-letter queues without emptying them, for operators."""

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.rejected import RejectedMessage
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.kernel.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# A message that somebody looks at is away so long, should the look die before it gives it back.
HELD_S = 60
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
BATCH_MAX = 10
# Asks all of SQS's servers, not some, while there must be more: a look misses nothing.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT_S = 1
_FIFO = ".fifo"
_QUEUE, _DLQ = "QueueUrl", "DlqUrl"
# What these take is bound to who sent it (gpu/kinship.py).
_OF_AGENTS = frozenset({"GpuFaults", "GpuReadings"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """One dead-letter queue and the queue whose messages it keeps."""

    name: str
    url: str
    source: str
    of_agents: bool = False

    @property
    def fifo(self) -> bool:
        """Return whether the source is FIFO."""
        return self.source.endswith(_FIFO)


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue holds, as far as SQS knows."""

    visible: int
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter as it lies there."""

    queue: DeadLetterQueue
    message_id: str
    body: str
    sent_at: datetime
    receipt: str
    sender: str = ""
    group: str = ""
    attributes: Mapping[str, Any]
    rejected: RejectedMessage | None

    @property
    def reason(self) -> str:
        """Return why it is here; empty where SQS moved it after too many receives."""
        return self.rejected.reason if self.rejected else ""

    @property
    def original(self) -> str:
        """Return the message as it was sent at first."""
        return self.rejected.original if self.rejected else self.body


@dataclass(frozen=True, slots=True)
class DeadLetterQueues:
    """The dead-letter queues of a stack. Raises Unavailable where SQS does not answer."""

    client: "SQSClient"
    queues: tuple[DeadLetterQueue, ...]

    def named(self, name: str) -> DeadLetterQueue:
        """Return the queue of this name, its source's name or its full name; raises Rejected."""
        plain = name.removesuffix(_FIFO)
        for queue in self.queues:
            if plain in {queue.name, queue.name.removesuffix("-dlq"), _last(queue.url)}:
                return queue
        known = ", ".join(queue.name for queue in self.queues)
        raise Rejected(f"there is no dead-letter queue {name}; there are {known}")

    def depth(self, queue: DeadLetterQueue) -> Depth:
        """Return how many messages it holds."""
        with queue_errors(f"counting {queue.name}"):
            found = self.client.get_queue_attributes(
                QueueUrl=queue.url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )["Attributes"]
        return Depth(
            int(found["ApproximateNumberOfMessages"]),
            int(found["ApproximateNumberOfMessagesNotVisible"]),
        )

    def letters(self, queue: DeadLetterQueue, limit: int) -> Generator[Letter, None, None]:
        """Yield up to so many letters; what was not deleted meanwhile is back when this ends.

        A FIFO queue shows the first ten of a message group alone: the others wait behind them.
        """
        seen: dict[str, str] = {}
        expected = self.depth(queue).visible
        try:
            while (left := limit - len(seen)) > 0:
                wait = WAIT_S if len(seen) < expected else 0
                received = self._receive(queue, min(BATCH_MAX, left), wait)
                fresh = [letter for letter in received if letter.message_id not in seen]
                if not fresh:
                    return
                seen |= {letter.message_id: letter.receipt for letter in fresh}
                yield from fresh
        finally:
            self._give_back(queue, list(seen.values()))

    def delete(self, letter: Letter) -> None:
        """Remove a letter for good."""
        with queue_errors(f"deleting {letter.message_id} from {letter.queue.name}"):
            self.client.delete_message(QueueUrl=letter.queue.url, ReceiptHandle=letter.receipt)

    def _receive(self, queue: DeadLetterQueue, most: int, wait: int) -> list[Letter]:
        with queue_errors(f"reading {queue.name}"):
            answer = self.client.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=HELD_S,
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=["SenderId", "SentTimestamp", "MessageGroupId"],
                MessageAttributeNames=["All"],
            )
        return [_letter(queue, message) for message in answer.get("Messages", [])]

    def _give_back(self, queue: DeadLetterQueue, receipts: list[str]) -> None:
        """Let others see these at once; what fails here comes back by itself within a minute."""
        for start in range(0, len(receipts), BATCH_MAX):
            with suppress(Unavailable), queue_errors(f"giving back to {queue.name}"):
                self.client.change_message_visibility_batch(
                    QueueUrl=queue.url,
                    Entries=[
                        {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for place, receipt in enumerate(receipts[start : start + BATCH_MAX])
                    ],
                )


def queues_of(outputs: Mapping[str, str], stack: str) -> tuple[DeadLetterQueue, ...]:
    """Return the dead-letter queues among a stack's outputs, in the order of their names."""
    titles = (name.removesuffix(_DLQ) for name in outputs if name.endswith(_DLQ))
    found = (
        DeadLetterQueue(
            name=_last(outputs[title + _DLQ]).removeprefix(f"{stack}-"),
            url=outputs[title + _DLQ],
            source=outputs[title + _QUEUE],
            of_agents=title in _OF_AGENTS,
        )
        for title in titles
        if title + _QUEUE in outputs
    )
    return tuple(sorted(found, key=lambda queue: queue.name))


def _last(url: str) -> str:
    return url.rsplit("/", 1)[-1].removesuffix(_FIFO)


def _letter(queue: DeadLetterQueue, message: Mapping[str, Any]) -> Letter:
    system = message.get("Attributes", {})
    body = message.get("Body", "")
    return Letter(
        queue=queue,
        message_id=message["MessageId"],
        body=body,
        sent_at=from_epoch_ms(int(system.get("SentTimestamp", 0))),
        receipt=message["ReceiptHandle"],
        sender=system.get("SenderId", ""),
        group=system.get("MessageGroupId", ""),
        attributes=message.get("MessageAttributes", {}),
        rejected=_rejected(body),
    )


def _rejected(body: str) -> RejectedMessage | None:
    try:
        return RejectedMessage.model_validate_json(body)
    except ValidationError:
        return None
