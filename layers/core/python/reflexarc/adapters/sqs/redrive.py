"""Sends a dead letter's original where it came from, once more.

What agents send is bound to who sent it, and SQS names whoever sends now: an operator who sent a
node's faults again would be refused, or would take the node's name over. So these go straight to
the function that reads their queue, with the sender that they had.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from reflexarc.adapters.sqs.dead_letter_queues import Letter
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.adapters.sqs.wake_ups import message_group
from reflexarc.events.notice import WakeUp
from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Redrive:
    """Raises Rejected for a letter that nothing can send again, Unavailable where it failed."""

    sqs: "SQSClient"
    functions: "LambdaClient"

    def send(self, letter: Letter) -> None:
        """Send a letter's original again; its queue still holds the letter."""
        _check(letter)
        if letter.queue.of_agents:
            self._hand_to_function(letter)
        else:
            self._send_to_queue(letter)

    def _send_to_queue(self, letter: Letter) -> None:
        fifo: dict[str, Any] = {}
        if letter.queue.fifo:
            fifo = {
                "MessageGroupId": _group(letter),
                # Random, as for every wake-up: a reused id is swallowed.
                "MessageDeduplicationId": secrets.token_hex(16),
            }
        with queue_errors(f"sending {letter.message_id} to {_name(letter.queue.source)}"):
            self.sqs.send_message(
                QueueUrl=letter.queue.source,
                MessageBody=letter.original,
                MessageAttributes={} if letter.rejected else _sendable(letter.attributes),
                **fifo,
            )

    def _hand_to_function(self, letter: Letter) -> None:
        try:
            arn = self.sqs.get_queue_attributes(
                QueueUrl=letter.queue.source, AttributeNames=["QueueArn"]
            )["Attributes"]["QueueArn"]
            readers = self.functions.list_event_source_mappings(EventSourceArn=arn)
            mappings = readers["EventSourceMappings"]
            if not mappings:
                raise Unavailable(f"no function reads {_name(letter.queue.source)}: deploy again")
            answer = self.functions.invoke(
                FunctionName=mappings[0]["FunctionArn"],
                Payload=json.dumps({"Records": [_record(letter, arn)]}).encode(),
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"{letter.message_id} was not handed on: {error}") from error
        said = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise Unavailable(f"the function failed on {letter.message_id}: {said.decode()[:500]}")
        if json.loads(said).get("batchItemFailures"):
            raise Unavailable(
                f"the function could not take {letter.message_id} now: its log says why"
            )


def _check(letter: Letter) -> None:
    """Raise Rejected, with what to do instead, for what cannot be sent again."""
    rejected = letter.rejected
    if rejected is None:
        return
    if rejected.truncated:
        raise Rejected(
            f"{letter.message_id} keeps only the beginning of a message that was too large: it "
            "cannot be sent again. Send it anew from where it came from, then `reflexarc dlq drop`"
        )
    if letter.queue.of_agents and not rejected.sender:
        raise Rejected(
            f"{letter.message_id} was kept without its sender, by an earlier version: nobody may "
            "speak for its node now. Look at what it names, then `reflexarc dlq drop`"
        )
    if _is_text_for_people(rejected.original):
        raise Rejected(
            f"{letter.message_id} is a text that a vendor refused for good, which would refuse it "
            "again: tell the people yourself, then `reflexarc dlq drop`"
        )


def _is_text_for_people(original: str) -> bool:
    """Return whether adapters/sqs/undeliverable.py kept this."""
    try:
        document = json.loads(original)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "refused" in document


def _group(letter: Letter) -> str:
    if letter.group and letter.rejected is None:
        return letter.group
    try:
        return message_group(WakeUp.model_validate_json(letter.original).group)
    except ValidationError:
        return message_group(letter.queue.name)


def _sendable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("DataType", "StringValue", "BinaryValue")
    return {
        name: {key: value[key] for key in kept if key in value}
        for name, value in attributes.items()
    }


def _record(letter: Letter, arn: str) -> dict[str, Any]:
    """Return the letter's original as Lambda would hand it over.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    rejected = letter.rejected
    said = {} if rejected else letter.attributes
    return {
        "messageId": letter.message_id,
        "receiptHandle": "",
        "body": letter.original,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(epoch_ms(letter.sent_at)),
            "SenderId": rejected.sender if rejected else letter.sender,
            "ApproximateFirstReceiveTimestamp": str(epoch_ms(letter.sent_at)),
        },
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
            for name, value in said.items()
            if "StringValue" in value
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1]
