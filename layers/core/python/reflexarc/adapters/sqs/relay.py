"""Fills ingest.ports.Relay: hands messages to the agents' queues, with who sent them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import REFUSED, queue_errors
from reflexarc.ingest.model import Entry, Lane
from reflexarc.kernel.errors import ReflexError, Rejected, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Read by runtime/sqs_batch.py, which believes it of ingest's own role alone.
SENDER = "sender"


@dataclass(frozen=True, slots=True)
class SqsRelay:
    """Sends each lane to its queue, in one request a batch."""

    client: "SQSClient"
    urls: Mapping[Lane, str]

    def send(self, lane: Lane, entries: Sequence[Entry], sender: str) -> Mapping[int, ReflexError]:
        """Hand over one batch."""
        with queue_errors(f"handing {lane} on"):
            answer = self.client.send_message_batch(
                QueueUrl=self.urls[lane],
                Entries=[
                    {
                        # The place, not the message's id: the same message may be there twice.
                        "Id": str(entry.index),
                        "MessageBody": entry.body,
                        "MessageAttributes": {
                            SENDER: {"DataType": "String", "StringValue": sender}
                        },
                    }
                    for entry in entries
                ],
            )
        return {
            int(failed["Id"]): _refusal(failed["Code"], failed.get("Message", ""))
            for failed in answer.get("Failed", [])
        }


def _refusal(code: str, message: str) -> ReflexError:
    said = f"the queue did not take this message ({code}): {message}"
    return Rejected(said) if code in REFUSED else Unavailable(said)
