"""Fills telemetry.ports.ForwardQueue and Refusals: what a backend did not take, or never will."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.dead_letters import SqsDeadLetters, legal, send_rejected
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.forward import Forward

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class SqsForwardQueue:
    """Sends forward/1 messages that SQS holds back for a while."""

    client: "SQSClient"
    queue: str

    def put(self, forward: Forward, delay: timedelta) -> None:
        """Send a delayed message; raises Unavailable."""
        with queue_errors(f"putting back what {forward.backend} did not take"):
            self.client.send_message(
                QueueUrl=self.queue,
                MessageBody=_text(forward),
                DelaySeconds=round(delay.total_seconds()),
            )


@dataclass(frozen=True, slots=True)
class SqsRefusals:
    """Keeps forward/1 messages as rejected/1, with the backend and its words."""

    letters: SqsDeadLetters

    def keep(self, forward: Forward, reason: str) -> None:
        """Store the message with its reason; raises Unavailable."""
        where = f", {forward.pointer.key}" if forward.pointer else ""
        said = f"backend {forward.backend}: {reason} ({forward.items:,} {forward.signal}{where})"
        send_rejected(self.letters, forward.id, _text(forward), said, forward.source.node)


def _text(forward: Forward) -> str:
    return legal(forward.model_dump_json(by_alias=True, exclude_none=True))
