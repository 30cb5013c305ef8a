"""Fills actions.ports.Actions with the queue that the incident function reads."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.dead_letters import legal
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.action import Action

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsActions:
    """Sends action/1 messages one by one: a person makes one at a time."""

    client: "SQSClient"
    queue: str

    def send(self, action: Action) -> None:
        """Send one action; raises Unavailable unless it was taken."""
        with queue_errors("handing a person's action on"):
            self.client.send_message(
                QueueUrl=self.queue, MessageBody=legal(action.model_dump_json(by_alias=True))
            )
