"""Fills notify.ports.ReWakes with a standard queue, because a FIFO queue refuses delays."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.adapters.sqs.wake_ups import wake_up_body

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
DELAY_MAX_S = 900


@dataclass(frozen=True, slots=True)
class SqsReWakes:
    """Sends delayed wake-ups: never early, and after 15 minutes at the latest."""

    client: "SQSClient"
    queue: str

    def later(self, group: str, at: datetime, now: datetime) -> None:
        """Send one delayed wake-up."""
        delay = math.ceil((at - now).total_seconds())
        with queue_errors(f"planning the next look at {group}"):
            self.client.send_message(
                QueueUrl=self.queue,
                MessageBody=wake_up_body(group),
                DelaySeconds=max(0, min(delay, DELAY_MAX_S)),
            )
