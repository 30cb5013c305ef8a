"""ingest.ports.Payloads and Batches: what memory and AWS both promise, and what S3 may answer."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from reflexarc.adapters.memory.telemetry import MemoryBatches, MemoryPayloads
from reflexarc.adapters.s3.payload_store import S3PayloadStore
from reflexarc.adapters.sqs.telemetry_queue import SqsBatches
from reflexarc.events.envelope import Source
from reflexarc.events.otlp_batch import OtlpBatch
from reflexarc.ingest.ports import Payloads
from reflexarc.kernel.errors import Unavailable
from tests.support.aws import REGION, Faults, drain, queue
from tests.support.incidents import NOW, ulid_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

KEY = "inbox/traces/2026/03/01/12/01KJMMA2G00000000000000001.pb.zst"
_numbers = count(1)


@pytest.fixture
def bucket(cloud: "DynamoDBClient") -> tuple["S3Client", str]:  # noqa: ARG001 - keeps moto running
    client, name = boto3.client("s3", region_name=REGION), f"telemetry-{next(_numbers)}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client, name


@dataclass(frozen=True)
class Shelf:
    """A store of payloads, and what lies in it."""

    store: Payloads
    bucket: str
    read: Callable[[str], bytes]


@pytest.fixture(params=["memory", "s3"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    if request.param == "memory":
        memory = MemoryPayloads()
        return Shelf(memory, memory.bucket, memory.kept.__getitem__)
    client, name = request.getfixturevalue("bucket")
    return Shelf(
        S3PayloadStore(client, name),
        name,
        lambda key: client.get_object(Bucket=name, Key=key)["Body"].read(),
    )


@pytest.mark.parametrize("payload", [b"", b"payload \xff\0", b"x" * 3_000_000])
def test_what_is_kept_lies_where_its_pointer_says(shelf: Shelf, payload: bytes) -> None:
    pointer = shelf.store.put(KEY, payload)

    assert (pointer.bucket, pointer.key, pointer.size) == (shelf.bucket, KEY, len(payload))
    assert pointer.sha256 == hashlib.sha256(payload).hexdigest()
    assert shelf.read(pointer.key) == payload


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "AccessDenied", "NoSuchBucket"])
def test_a_bucket_that_does_not_answer_is_unavailable(
    bucket: tuple["S3Client", str], code: str
) -> None:
    client, name = bucket
    faults = Faults()
    faults.attach(client)
    faults.refuse(code)

    with pytest.raises(Unavailable, match="keeping"):
        S3PayloadStore(client, name).put(KEY, b"payload")


def test_a_bucket_out_of_reach_is_unavailable(bucket: tuple["S3Client", str]) -> None:
    client, name = bucket
    faults = Faults(planned=[EndpointConnectionError(endpoint_url="https://s3")])
    faults.attach(client)

    with pytest.raises(Unavailable, match="keeping"):
        S3PayloadStore(client, name).put(KEY, b"payload")


def batch() -> OtlpBatch:
    return OtlpBatch(
        id=ulid_of(1),
        sent_at=NOW,
        source=Source(node="team-a"),
        signal="logs",
        received_at=NOW,
        payload="KLUv/SAAAQAA",
    )


def test_a_batch_arrives_as_it_was_sent_with_who_sent_it(sqs_client: "SQSClient") -> None:
    url = queue(sqs_client, f"telemetry-{next(_numbers)}")
    memory = MemoryBatches()

    SqsBatches(sqs_client, url).send(batch(), "token:team-a")
    memory.send(batch(), "token:team-a")

    (message,) = drain(sqs_client, url)
    sender = message["MessageAttributes"]["sender"]["StringValue"]
    assert [(OtlpBatch.model_validate_json(message["Body"]), sender)] == memory.sent


def test_a_queue_that_does_not_take_a_batch_is_unavailable(sqs_client: "SQSClient") -> None:
    url = queue(sqs_client, f"telemetry-{next(_numbers)}")
    sqs_client.delete_queue(QueueUrl=url)

    with pytest.raises(Unavailable, match="handing telemetry on"):
        SqsBatches(sqs_client, url).send(batch(), "iam:A")
