"""ingest.ports.Payloads and Batches: what memory and AWS both promise, and what S3 may answer."""

import hashlib
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from reflexarc.adapters.memory.telemetry import MemoryBatches, MemoryPayloads
from reflexarc.adapters.s3.payload_store import SIZE_MAX, S3PayloadStore
from reflexarc.adapters.sqs.telemetry_queue import SqsBatches
from reflexarc.events.envelope import Source
from reflexarc.events.otlp_batch import OtlpBatch, Pointer
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.aws import REGION, Faults, drain, queue
from tests.support.incidents import NOW, ulid_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

KEY = "inbox/traces/2026/03/01/12/01KJMMA2G00000000000000001.pb.zst"
_numbers = count(1)
Store = MemoryPayloads | S3PayloadStore


@pytest.fixture
def bucket(cloud: "DynamoDBClient") -> tuple["S3Client", str]:  # noqa: ARG001 - keeps moto running
    client, name = boto3.client("s3", region_name=REGION), f"telemetry-{next(_numbers)}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client, name


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryPayloads()
    return S3PayloadStore(*request.getfixturevalue("bucket"))


@pytest.mark.parametrize("payload", [b"", b"payload \xff\0", b"x" * 3_000_000])
def test_what_is_kept_is_found_by_its_pointer(store: Store, payload: bytes) -> None:
    pointer = store.put(KEY, payload)

    assert (pointer.key, pointer.size) == (KEY, len(payload))
    assert pointer.sha256 == hashlib.sha256(payload).hexdigest()
    assert store.get(pointer) == payload


@pytest.mark.parametrize(
    "changes",
    [
        {"bucket": "somebody-elses"},
        {"key": "archive/traces/1.pb.zst"},
        {"key": "inbox"},
        {"key": "../inbox/x"},
        {"key": "inbox/other"},
        {"size": 6},
        {"size": 8},
        {"sha256": "0" * 64},
    ],
)
def test_a_pointer_that_says_anything_else_is_followed_nowhere(
    store: Store, changes: dict[str, object]
) -> None:
    pointer = store.put(KEY, b"payload")

    with pytest.raises(Rejected):
        store.get(pointer.model_copy(update=changes))


def test_another_payload_under_the_same_key_is_not_taken_for_it(store: Store) -> None:
    pointer = store.put(KEY, b"payload")
    store.put(KEY, b"another")

    with pytest.raises(Rejected, match="not what the pointer says"):
        store.get(pointer)


def test_a_size_that_nobody_can_hold_is_not_read(bucket: tuple["S3Client", str]) -> None:
    client, name = bucket
    faults = Faults()
    faults.attach(client)
    huge = Pointer(bucket=name, key=KEY, size=SIZE_MAX + 1, sha256="0" * 64)

    with pytest.raises(Rejected, match="at most"):
        S3PayloadStore(client, name).get(huge)
    assert faults.calls == []


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "AccessDenied", "NoSuchBucket"])
def test_a_bucket_that_does_not_answer_is_unavailable(
    bucket: tuple["S3Client", str], code: str
) -> None:
    client, name = bucket
    faults, store = Faults(), S3PayloadStore(client, name)
    pointer = store.put(KEY, b"payload")
    faults.attach(client)
    faults.refuse(code, times=2)

    with pytest.raises(Unavailable, match="keeping"):
        store.put(KEY, b"payload")
    with pytest.raises(Unavailable, match="reading"):
        store.get(pointer)


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
