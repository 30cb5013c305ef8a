"""Fills incidents.ports.Timers with delayed messages to the queue that the incident function reads.

SQS delays a message for 15 minutes at most. A later step needs no message: the watchdog finds it
in the index once it is due.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.adapters.sqs.re_wakes import DELAY_MAX_S
from reflexarc.events.action import Timer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsTimers:
    """Sends timer/1 messages: never early."""

    client: "SQSClient"
    queue: str

    def plan(self, timer: Timer, now: datetime) -> None:
        """Send one delayed message, unless the watchdog will; raises Unavailable on failure."""
        delay = math.ceil((timer.due_at - now).total_seconds())
        if delay > DELAY_MAX_S:
            return
        with queue_errors(f"planning the next step of page {timer.page.scope}"):
            self.client.send_message(
                QueueUrl=self.queue,
                MessageBody=timer.model_dump_json(by_alias=True),
                DelaySeconds=max(0, delay),
            )
