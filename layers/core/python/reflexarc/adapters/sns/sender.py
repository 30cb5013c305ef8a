"""Fills notify.ports.Sender with SNS.

Subscribers may get a message twice anyway, and every event carries an id that is the same whenever
the same state is told: a missing answer is no danger, and nothing needs to be found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from reflexarc.events.notice import Channel
from reflexarc.events.page import Story
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.notify import page_feed, sns_message
from reflexarc.notify.model import Receipt, Task

VIA = "sns"
# Complaints about the message itself: the same one will be refused again.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
_REFUSED = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})


class Publisher(Protocol):
    """SNS, as far as an alert needs it."""

    def publish(
        self,
        *,
        TopicArn: str,  # noqa: N803 - AWS's names
        Message: str,  # noqa: N803
        Subject: str,  # noqa: N803
        MessageAttributes: Mapping[str, Any],  # noqa: N803
    ) -> Mapping[str, Any]:
        """Publish one message."""


@dataclass(frozen=True, kw_only=True)
class SnsSender:
    """Publishes page_event/1 to the stack's own topic; another only where a role may use it.

    `client` is asked for at the first message: making one costs a cold start its time.
    """

    client: Callable[[], Publisher]
    topic: str

    def next(
        self, story: Story, channel: Channel, receipt: Receipt | None, now: datetime
    ) -> Task | None:
        """Return the next event; every channel is told the same."""
        del channel
        return page_feed.next_task(story, receipt, now, VIA)

    def plain(self, task: Task, story: Story) -> Task:
        """Return the event with its essentials."""
        del story
        return page_feed.plain(task)

    def send(self, task: Task, channel: Channel, receipt: Receipt | None) -> Receipt:
        """Publish one event."""
        del receipt
        topic = channel.destination or self.topic
        try:
            self.client().publish(TopicArn=topic, **sns_message.render(task.body))
        except ClientError as error:
            raise _meaning(error, topic) from error
        except BotoCoreError as error:
            raise Unavailable(f"SNS did not answer: {error}") from error
        return task.becomes

    def find(
        self, task: Task, story: Story, channel: Channel, receipt: Receipt | None
    ) -> Receipt | None:
        """Return None: a repeat is harmless, so there is nothing to look for."""
        del task, story, channel, receipt
        return None


def _meaning(error: ClientError, topic: str) -> Rejected | Unavailable:
    problem = error.response.get("Error", {})
    said = f"{problem.get('Code')} {problem.get('Message', '')}"[:500]
    # A topic's name that makes no sense is called an invalid parameter too: not the page's fault.
    if problem.get("Code") in _REFUSED and "TopicArn" not in said:
        return Rejected(f"SNS refuses the event: {said}")
    return Unavailable(f"SNS takes nothing for {topic}: {said}")
