"""Fills ingest.ports.Batches: hands OTLP batches to the queue of the rules, with who sent them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.adapters.sqs.relay import SENDER
from reflexarc.events.otlp_batch import OtlpBatch

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsBatches:
    """Sends each batch by itself: it was one request, and is as large as ten messages may be."""

    client: "SQSClient"
    queue: str

    def send(self, batch: OtlpBatch, sender: str) -> None:
        """Send one batch."""
        with queue_errors("handing telemetry on"):
            self.client.send_message(
                QueueUrl=self.queue,
                MessageBody=batch.model_dump_json(by_alias=True, exclude_none=True),
                MessageAttributes={SENDER: {"DataType": "String", "StringValue": sender}},
            )
