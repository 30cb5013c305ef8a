"""Fills WakeUps (incidents, notify) with FIFO queues: one a busy vendor, one for all others."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflexarc.adapters.sqs.errors import queue_errors
from reflexarc.events.notice import ChannelKind, WakeUp, vendor_of
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
BATCH_MAX = 10


@dataclass(frozen=True, slots=True)
class SqsWakeUps:
    """Sends wake-ups, ten a request, to the queue of each group's vendor.

    `queues` belong to one kind of channel each, so that neither delays the other; every other kind
    is woken through `others`, a new one too.
    """

    client: "SQSClient"
    queues: Mapping[ChannelKind, str]
    others: str

    def wake(self, groups: Iterable[str]) -> None:
        """Send one wake-up a group; every queue is tried before Unavailable is raised."""
        by_queue: dict[str, list[str]] = {}
        for group in dict.fromkeys(groups):
            queue = self.queues.get(vendor_of(group), self.others)
            by_queue.setdefault(queue, []).append(group)
        failures: list[str] = []
        for queue, owed in by_queue.items():
            for start in range(0, len(owed), BATCH_MAX):
                try:
                    failures += self._send(queue, owed[start : start + BATCH_MAX])
                except Unavailable as error:
                    failures.append(str(error))
        if failures:
            raise Unavailable(f"{len(failures)} wake-ups or batches not sent: {failures[0]}")

    def _send(self, queue: str, groups: list[str]) -> list[str]:
        with queue_errors("waking senders"):
            answer = self.client.send_message_batch(
                QueueUrl=queue,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": wake_up_body(group),
                        "MessageGroupId": message_group(group),
                        # Random: a reused id is swallowed for five minutes, even after its
                        # message was handled, and with it the news that came since.
                        "MessageDeduplicationId": secrets.token_hex(16),
                    }
                    for number, group in enumerate(groups)
                ],
            )
        return [
            f"{failed['Code']} {failed.get('Message', '')}" for failed in answer.get("Failed", [])
        ]


def wake_up_body(group: str) -> str:
    """Return the wakeup/1 message of a delivery group."""
    return WakeUp(group=group).model_dump_json(by_alias=True)


def message_group(group: str) -> str:
    """Return the FIFO message group of a delivery group, within SQS's alphabet and length."""
    return hashlib.sha256(group.encode()).hexdigest()[:40]
