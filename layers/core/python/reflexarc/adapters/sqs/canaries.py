"""Fills notify.ports.Canaries with one message to each queue of the page path."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.adapters.sqs.wake_ups import message_group
from reflexarc.events.notice import Canary

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

FIFO = ".fifo"


@dataclass(frozen=True, slots=True)
class SqsCanaries:
    """Sends canary/1; a FIFO queue gets it in a message group that no incident uses."""

    client: "SQSClient"
    queues: Sequence[str]

    def send(self, now: datetime) -> int:
        """Send one canary to each queue; return how many were sent."""
        body = Canary(sent_at=now).model_dump_json(by_alias=True)
        for queue in self.queues:
            with queue_errors("sending a canary"):
                if queue.endswith(FIFO):
                    self.client.send_message(
                        QueueUrl=queue,
                        MessageBody=body,
                        MessageGroupId=message_group("canary"),
                        MessageDeduplicationId=secrets.token_hex(16),
                    )
                else:
                    self.client.send_message(QueueUrl=queue, MessageBody=body)
        return len(self.queues)
