"""AWS in memory: clients on moto, the incidents table, queues, and answers that fail on purpose."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

REGION = "eu-west-1"


@contextmanager
def aws() -> Iterator[None]:
    """Keep every AWS call of this process inside moto, with credentials that are nobody's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "nobody")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.delenv("AWS_PROFILE", raising=False)
        with mock_aws():
            yield


def dynamodb() -> "DynamoDBClient":
    """Return a client of its own: faults that are planned on it stay with it."""
    return boto3.client("dynamodb", region_name=REGION)


def sqs() -> "SQSClient":
    """Return a client of its own."""
    return boto3.client("sqs", region_name=REGION)


def secrets_manager() -> "SecretsManagerClient":
    """Return a client of its own."""
    return boto3.client("secretsmanager", region_name=REGION)


def make_table(client: "DynamoDBClient", name: str) -> None:
    """Make an incidents table, shaped as the template deploys it."""
    names = ("pk", "sk", "watch_pk", "watch_sk")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "watch",
                "KeySchema": [
                    {"AttributeName": "watch_pk", "KeyType": "HASH"},
                    {"AttributeName": "watch_sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def queue(client: "SQSClient", name: str) -> str:
    """Make a queue, FIFO by its name, and return its URL."""
    if name.endswith(".fifo"):
        return client.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    return client.create_queue(QueueName=name)["QueueUrl"]


def drain(client: "SQSClient", url: str) -> list[dict[str, Any]]:
    """Take every visible message off a queue, with its attributes."""
    messages: list[dict[str, Any]] = []
    while True:
        answer = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        found = answer.get("Messages", [])
        if not found:
            return messages
        for message in found:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            messages.append(dict(message))


@dataclass
class Faults:
    """What is to go wrong with a client's next calls; without a plan they go through."""

    planned: list[dict[str, Any] | Exception] = field(default_factory=list)
    lost: list[Exception] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    before: list[Callable[[], None]] = field(default_factory=list)

    def refuse(self, code: str, times: int = 1, **more: Any) -> None:
        """Plan refusals with an error code: the call has no effect."""
        error = {"Code": code, "Message": "refused on purpose"}
        self.planned += [{"Error": error, "ResponseMetadata": {}, **more}] * times

    def cancel(self, *reasons: str, times: int = 1) -> None:
        """Plan cancelled transactions with one reason an item."""
        codes = [{"Code": reason} for reason in reasons]
        self.refuse("TransactionCanceledException", times, CancellationReasons=codes)

    def attach(self, client: Any) -> None:
        """Let this client fail as planned."""
        client.meta.events.register_first("before-call.*.*", self._before)
        client.meta.events.register_last("after-call.*.*", self._after)

    def _before(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        self.calls.append(model.name)
        if self.before:
            self.before.pop(0)()
        if not self.planned:
            return None
        fault = self.planned.pop(0)
        if isinstance(fault, Exception):
            raise fault
        return AWSResponse("", 400, HTTPHeaders(), None), fault

    def _after(self, **_: Any) -> None:
        if self.lost:
            raise self.lost.pop(0)
