import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from reflexarc.adapters.sns.sender import SnsSender
from reflexarc.events.notice import Channel
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.notify.model import Task
from samples.standins.sns import SnsStandIn
from tests.support.aws import aws, drain, queue, sqs
from tests.support.notices import SNS, at, story

OWN = Channel(name="topic", kind="sns")


class Troubled:
    """SNS that raises whatever a test says."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def publish(self, **_: Any) -> dict[str, Any]:
        raise self.error


def opening() -> Task:
    task = SnsSender(client=lambda: SnsStandIn(""), topic="").next(story(), OWN, None, at(0.1))
    assert task is not None
    return task


@pytest.fixture
def cloud() -> Iterator[None]:
    with aws():
        yield


@pytest.mark.usefixtures("cloud")
def test_whoever_subscribes_gets_the_page_and_can_filter_it() -> None:
    client = boto3.client("sns")
    topic = client.create_topic(Name="alerts")["TopicArn"]
    url = queue(sqs(), "subscriber")
    arn = sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    client.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps({"event": ["opened", "resolved"]}),
        },
    )
    sender = SnsSender(client=lambda: client, topic=topic)
    receipt = None

    for told in (story(), story(state="acked"), story(state="resolved")):
        while task := sender.next(told, OWN, receipt, at(1)):
            receipt = sender.send(task, OWN, receipt)

    got = [json.loads(message["Body"])["event"] for message in drain(sqs(), url)]
    assert got == ["opened", "resolved"]
    assert receipt is not None
    assert (receipt.via, receipt.state) == ("sns", "resolved")


def test_a_channel_s_own_topic_goes_before_the_stack_s() -> None:
    theirs = SnsStandIn(SNS.destination)
    sender = SnsSender(client=lambda: theirs, topic="arn:aws:sns:eu-west-1:000000000000:alerts")

    sender.send(opening(), SNS, None)

    assert len(theirs.messages) == 1


def test_a_plain_message_is_taken_and_nothing_needs_to_be_found() -> None:
    topic = SnsStandIn("arn:alerts")
    sender = SnsSender(client=lambda: topic, topic="arn:alerts")

    sender.send(sender.plain(opening(), story()), OWN, None)

    assert json.loads(topic.messages[0]["message"])["truncated"] is True
    assert sender.find(opening(), story(), OWN, None) is None


def test_no_client_is_made_before_the_first_message() -> None:
    def never() -> SnsStandIn:
        raise AssertionError

    sender = SnsSender(client=never, topic="arn:alerts")

    assert sender.next(story(), OWN, None, at(1)) is not None


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Publish")


def test_a_message_that_sns_refuses_is_never_tried_again() -> None:
    error = refused("InvalidParameter", "Invalid parameter: Message too long")
    sender = SnsSender(client=lambda: Troubled(error), topic="arn:alerts")

    with pytest.raises(Rejected, match=r"SNS refuses the event: .*too long"):
        sender.send(opening(), OWN, None)


@pytest.mark.parametrize(
    "error",
    [
        refused("NotFound", "Topic does not exist"),
        refused("AuthorizationError", "not authorized to perform: SNS:Publish"),
        refused("InvalidParameter", "Invalid parameter: TopicArn Reason: no such ARN"),
        refused("Throttling", "Rate exceeded"),
        refused("KMSDisabled", "the key is disabled"),
        EndpointConnectionError(endpoint_url="https://sns"),
    ],
)
def test_whatever_else_sns_says_the_page_waits(error: Exception) -> None:
    sender = SnsSender(client=lambda: Troubled(error), topic="arn:alerts")

    with pytest.raises(Unavailable, match="SNS"):
        sender.send(opening(), OWN, None)
