"""Webhooks and SNS as deployed: their queue, their rights, their secret, their signature."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import wait_until
from reflexarc.events.notice import Channel
from reflexarc.events.page import Page
from reflexarc.incidents.model import Commit, PageWrite
from tests.support.notices import notice, page

pytestmark = pytest.mark.emulator
TOPIC = Channel(name="topic", kind="sns")


@pytest.fixture(scope="module")
def subscriber(lane: Lane) -> str:
    """Return the URL of a queue that subscribes to the stack's topic."""
    sqs, sns = lane.endpoint.client("sqs"), lane.endpoint.client("sns")
    url: str = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=lane.stack.outputs["AlertsTopicArn"],
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    return url


def tell(lane: Lane, about: Page, expected: int) -> None:
    """Store a version of a page with its notices, and wake its senders."""
    now = datetime.now(UTC)
    book = DynamoIncidentBook(
        lane.endpoint.client("dynamodb"), lane.stack.outputs["IncidentsTableName"]
    )
    notices = tuple(
        notice(channel, about, created_at=now, fresh=not expected) for channel in about.channels
    )
    write = PageWrite(page=about, expected=expected)
    book.commit(Commit(at=now, pages=(write,), notices=notices))
    for each in notices:
        lane.endpoint.client("sqs").send_message(
            QueueUrl=lane.stack.outputs["NotifyOthersQueueUrl"],
            MessageBody=json.dumps({"schema": "wakeup/1", "group": each.group}),
            MessageGroupId=each.channel.name,
            MessageDeduplicationId=f"{each.channel.name}-{about.version}",
        )


def received(lane: Lane, url: str) -> list[dict[str, Any]]:
    answer = lane.endpoint.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    )
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_a_page_reaches_a_signed_webhook_and_whoever_subscribes(
    lane: Lane, subscriber: str
) -> None:
    hook = Channel(name="webhook", kind="webhook", destination=lane.standins.webhook_receiver_url)
    about = page(0x40, channels=(hook, TOPIC))

    tell(lane, about, expected=0)
    assert wait_until(lambda: len(lane.standins.webhook()) == 1, 20)
    tell(lane, page(0x40, channels=(hook, TOPIC), state="resolved", version=2), expected=1)
    assert wait_until(lambda: len(lane.standins.webhook()) == 2, 20)

    told = [event for _ in range(5) for event in received(lane, subscriber)]
    assert [event["event"] for event in lane.standins.webhook()] == ["opened", "resolved"]
    assert sorted(event["event"] for event in told) == ["opened", "resolved"]
    assert {event["key"] for event in told} == {about.key}
