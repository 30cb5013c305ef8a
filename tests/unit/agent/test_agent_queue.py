import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.stub import Stubber
from moto import mock_aws

from reflexarc.adapters.sqs.agent_queue import AgentQueue, connect
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.agent.fakes import message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/reflexarc-gpu-faults"
ONE = [(message(1).id, "body 1")]
TWO = [*ONE, (message(2).id, "body 2")]


@pytest.fixture(autouse=True)
def no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@pytest.fixture
def real() -> Iterator[tuple[AgentQueue, "SQSClient"]]:
    with mock_aws():
        client = connect(URL, region=None, endpoint_url=None)
        url = client.create_queue(QueueName="reflexarc-gpu-faults")["QueueUrl"]
        yield AgentQueue(client, url), client


def received(client: "SQSClient", queue: AgentQueue) -> list[str]:
    answer = client.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)
    return sorted(each["Body"] for each in answer.get("Messages", []))


@pytest.mark.parametrize("entries", [ONE, TWO])
def test_messages_arrive(
    real: tuple[AgentQueue, "SQSClient"], entries: list[tuple[str, str]]
) -> None:
    queue, client = real

    assert queue.send(entries) == {}
    assert received(client, queue) == [body for _, body in entries]


def test_missing_queue_says_what_to_compare(real: tuple[AgentQueue, "SQSClient"]) -> None:
    queue, client = real
    client.delete_queue(QueueUrl=queue.url)

    with pytest.raises(Unavailable, match="does not exist: compare the URL and its region"):
        queue.send(ONE)
    with pytest.raises(Unavailable, match="does not exist: compare the URL and its region"):
        queue.send(TWO)


def stubbed() -> tuple[AgentQueue, Stubber]:
    client = connect(URL, region=None, endpoint_url=None)
    stubber = Stubber(client)
    stubber.activate()
    return AgentQueue(client, URL), stubber


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDenied", "grant sqs:SendMessage to this node's role"),
        ("AWS.SimpleQueueService.NonExistentQueue", "compare the URL"),
        ("RequestThrottled", "SQS throttles"),
        ("SignatureDoesNotMatch", "set this node's clock"),
        ("ExpiredToken", "expired or were revoked"),
        ("InternalError", "SQS answered with an error"),
    ],
)
def test_each_error_says_what_to_do(code: str, advice: str) -> None:
    queue, stubber = stubbed()
    for method in ("send_message", "send_message_batch"):
        stubber.add_client_error(method, code)

    for entries in (ONE, TWO):
        with pytest.raises(Unavailable, match=advice):
            queue.send(entries)


def test_wrong_clock_is_told_with_how_wrong_it_is() -> None:
    queue, stubber = stubbed()
    theirs = format_datetime(datetime.now(UTC) - timedelta(hours=2))
    stubber.add_client_error(
        "send_message", "RequestExpired", response_meta={"HTTPHeaders": {"date": theirs}}
    )

    with pytest.raises(Unavailable, match=r"this node's clock is \+7[12]\d\d s off"):
        queue.send(ONE)


def test_unreadable_date_of_an_answer_is_left_out() -> None:
    queue, stubber = stubbed()
    stubber.add_client_error(
        "send_message", "RequestExpired", response_meta={"HTTPHeaders": {"date": "?"}}
    )

    with pytest.raises(Unavailable, match="refuses the signature: set"):
        queue.send(ONE)


def test_message_that_never_can_be_taken_is_told_apart() -> None:
    queue, stubber = stubbed()
    stubber.add_client_error("send_message", "InvalidMessageContents")
    stubber.add_response(
        "send_message_batch",
        {
            "Successful": [],
            "Failed": [
                {"Id": TWO[0][0], "SenderFault": True, "Code": "InvalidMessageContents"},
                {"Id": TWO[1][0], "SenderFault": False, "Code": "InternalError"},
            ],
        },
    )

    assert isinstance(queue.send(ONE)[ONE[0][0]], Rejected)
    problems = queue.send(TWO)
    assert isinstance(problems[TWO[0][0]], Rejected)
    assert isinstance(problems[TWO[1][0]], Unavailable)


def test_batch_too_long_for_an_old_queue_goes_one_by_one() -> None:
    queue, stubber = stubbed()
    stubber.add_client_error("send_message_batch", "AWS.SimpleQueueService.BatchRequestTooLong")
    stubber.add_response("send_message", {"MessageId": "1"})
    stubber.add_client_error("send_message", "InvalidParameterValue")

    assert list(queue.send(TWO)) == [TWO[1][0]]


class Raising:
    """An SQS client whose every call fails in one way before any answer."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send_message(self, **_: Any) -> None:
        raise self._error

    send_message_batch = send_message


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NoCredentialsError(), "no AWS credentials: give this node an instance profile"),
        (CredentialRetrievalError(provider="x", error_msg="y"), "no AWS credentials"),
        (ConnectTimeoutError(endpoint_url="https://sqs"), "check the route, the proxy or the VPC"),
        (ParamValidationError(report="odd"), "cannot call SQS"),
        (
            ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRoleWithWebIdentity"),
            "check the role's trust policy",
        ),
    ],
)
def test_failure_before_the_queue_says_what_to_do(error: Exception, advice: str) -> None:
    client: Any = Raising(error)

    for entries in (ONE, TWO):
        with pytest.raises(Unavailable, match=advice):
            AgentQueue(client, URL).send(entries)


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = connect(
            URL, region=None, endpoint_url=f"http://127.0.0.1:{taken.getsockname()[1]}"
        )

        with pytest.raises(Unavailable, match="no answer from SQS"):
            AgentQueue(client, URL).send(ONE)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, "eu-west-1"),
        ("https://sqs.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"),
        ("https://eu-west-1.queue.amazonaws.com/1/q", "eu-west-1"),
        ("https://vpce-1-x.sqs.ap-southeast-2.vpce.amazonaws.com/1/q", "ap-southeast-2"),
        ("http://sqs.us-east-1.localhost.localstack.cloud:4566/0/q", "us-east-1"),
    ],
)
def test_region_is_the_one_that_the_url_names(url: str, region: str) -> None:
    assert connect(url, region=None, endpoint_url=None).meta.region_name == region
    assert connect(url, region="eu-north-1", endpoint_url=None).meta.region_name == "eu-north-1"


def test_url_without_a_region_says_what_to_set() -> None:
    with pytest.raises(Rejected, match="set --region or AWS_DEFAULT_REGION"):
        connect("http://localhost:4566/0/q", region=None, endpoint_url=None)


def test_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(Rejected, match="no client for"):
        connect(URL, region=None, endpoint_url="localhost")


def test_body_is_sent_as_it_is(real: tuple[AgentQueue, "SQSClient"]) -> None:
    queue, client = real
    body = json.dumps({"line": "NVRM: <\u00e4&\"'\x01>"})

    queue.send([(message(1).id, body)])

    assert received(client, queue) == [body]
