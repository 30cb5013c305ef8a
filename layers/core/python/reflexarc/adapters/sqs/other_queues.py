"""Fills telemetry.ports.Others: hands messages to the queues of other parts, ten at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.dead_letters import legal
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.adapters.sqs.relay import SENDER
from reflexarc.kernel.batching import in_batches
from reflexarc.kernel.errors import Unavailable
from reflexarc.telemetry.ports import Destination

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsOthers:
    """Sends, with who the telemetry is of; its readers believe that of our role alone."""

    client: "SQSClient"
    urls: Mapping[Destination, str]

    def send(self, to: Destination, bodies: Sequence[str], sender: str) -> None:
        """Send messages; raises Unavailable unless all were taken."""
        for batch in in_batches([legal(body) for body in bodies], str):
            with queue_errors(f"handing on to {to}"):
                answer = self.client.send_message_batch(
                    QueueUrl=self.urls[to],
                    Entries=[
                        {
                            "Id": str(place),
                            "MessageBody": body,
                            "MessageAttributes": {
                                SENDER: {"DataType": "String", "StringValue": sender or "nobody"}
                            },
                        }
                        for place, body in enumerate(batch)
                    ],
                )
            if failed := answer.get("Failed"):
                raise Unavailable(f"{to} did not take {len(failed)} messages: {failed[0]['Code']}")
