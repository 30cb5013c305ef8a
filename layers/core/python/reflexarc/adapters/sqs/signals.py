"""Fills gpu.fleet_ports.Signals with the queue that the incident function reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.dead_letters import legal
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.signal import Signal

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsSignals:
    """Sends signal/1 messages one by one: they are rare."""

    client: "SQSClient"
    queue: str

    def send(self, signals: Sequence[Signal]) -> None:
        """Send the signals; raises Unavailable unless all were taken."""
        for signal in signals:
            with queue_errors("sending a signal"):
                self.client.send_message(
                    QueueUrl=self.queue, MessageBody=legal(signal.model_dump_json(by_alias=True))
                )
