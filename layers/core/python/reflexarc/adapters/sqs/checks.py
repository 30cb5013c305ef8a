"""Fills gpu.fleet_ports.Checks with the signals queue: a look at a node, some seconds from now."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.dead_letters import legal
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.fleet import Unheard

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsChecks:
    """Sends unheard/1 messages one by one: they are rare."""

    client: "SQSClient"
    queue: str

    def later(self, unheard: Unheard, delay_s: int) -> None:
        """Send one delayed message; raises Unavailable when it could not be sent."""
        with queue_errors(f"planning a look at {unheard.node}"):
            self.client.send_message(
                QueueUrl=self.queue,
                MessageBody=legal(unheard.model_dump_json(by_alias=True)),
                DelaySeconds=delay_s,
            )
