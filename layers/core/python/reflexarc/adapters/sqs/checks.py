"""Fills gpu.fleet_ports.Checks with the signals queue: looks at nodes, some seconds from now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.dead_letters import legal
from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.fleet import Unheard
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
BATCH_MAX = 10


@dataclass(frozen=True, slots=True)
class SqsChecks:
    """Sends unheard/1 messages, ten a request: a zone may fall silent at once."""

    client: "SQSClient"
    queue: str

    def later(self, looks: Sequence[tuple[Unheard, int]]) -> None:
        """Send delayed messages; raises Unavailable unless all were taken."""
        for start in range(0, len(looks), BATCH_MAX):
            some = looks[start : start + BATCH_MAX]
            with queue_errors(f"planning looks at {some[0][0].node} and others"):
                answer = self.client.send_message_batch(
                    QueueUrl=self.queue,
                    Entries=[
                        {
                            "Id": str(number),
                            "MessageBody": legal(unheard.model_dump_json(by_alias=True)),
                            "DelaySeconds": delay_s,
                        }
                        for number, (unheard, delay_s) in enumerate(some)
                    ],
                )
            if failed := answer.get("Failed"):
                raise Unavailable(f"{len(failed)} looks not planned: {failed[0]['Code']}")
