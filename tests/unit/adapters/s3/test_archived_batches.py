"""The archive read back from S3."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
import zstandard

from reflexarc.adapters.s3.archived_batches import ArchivedBatches
from reflexarc.kernel.errors import Rejected, Unavailable
from tests.support.aws import Faults, aws

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "telemetry"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(s3: "S3Client", signal: str, at: datetime, name: str, body: bytes | None = None) -> str:
    key = f"archive/{signal}/dt={at:%Y-%m-%d}/hour={at:%H}/{name}.pb.zst"
    content = zstandard.compress(name.encode()) if body is None else body
    s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    return key


def archive(s3: "S3Client", since: datetime, until: datetime) -> ArchivedBatches:
    return ArchivedBatches(s3, BUCKET, since, until)


def test_batches_come_as_they_were_archived(s3: "S3Client") -> None:
    key = put(s3, "traces", NOON, "a")

    (batch,) = archive(s3, NOON, NOON + timedelta(hours=1)).batches()

    assert (batch.signal, batch.payload, batch.at) == ("traces", b"a", NOON)
    assert batch.where == f"s3://{BUCKET}/{key}"


def test_every_hour_that_the_time_touches_is_read_over_midnight(s3: "S3Client") -> None:
    for hours in range(-14, 15):
        put(s3, "logs", NOON + timedelta(hours=hours), f"{hours:+}")

    found = archive(s3, NOON - timedelta(hours=13, minutes=30), NOON + timedelta(hours=13))

    assert [int(batch.payload) for batch in found.batches()] == list(range(-14, 13))


def test_all_signals_are_read(s3: "S3Client") -> None:
    for signal in ("logs", "metrics", "traces"):
        put(s3, signal, NOON, signal)

    found = list(archive(s3, NOON, NOON + timedelta(minutes=1)).batches())

    assert [(batch.signal, batch.payload) for batch in found] == [
        ("traces", b"traces"), ("metrics", b"metrics"), ("logs", b"logs"),
    ]  # fmt: skip


def test_more_than_are_read_at_once_come_in_order_with_progress(s3: "S3Client") -> None:
    names = [f"{number:03}" for number in range(60)]
    for name in names:
        put(s3, "traces", NOON, name)
    told: list[int] = []
    found = archive(s3, NOON, NOON + timedelta(minutes=1))

    batches = list(found.batches(told.append))

    assert [batch.payload.decode() for batch in batches] == names
    assert found.number == len(names)
    assert told[-1] == found.size > 0


def test_what_is_no_batch_in_the_archive_is_passed_over(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=f"archive/traces/dt={NOON:%Y-%m-%d}/README", Body=b"?")

    assert list(archive(s3, NOON, NOON + timedelta(hours=1)).batches()) == []


def test_a_broken_batch_is_named(s3: "S3Client") -> None:
    key = put(s3, "traces", NOON, "a", zstandard.compress(b"a" * 100)[:-4])

    with pytest.raises(Rejected, match=f"^{key}: "):
        list(archive(s3, NOON, NOON + timedelta(hours=1)).batches())


def test_an_archive_that_cannot_be_listed_is_unavailable(s3: "S3Client") -> None:
    faults = Faults()
    faults.attach(s3)
    faults.refuse("AccessDenied")

    with pytest.raises(Unavailable, match="listing the archive"):
        list(archive(s3, NOON, NOON + timedelta(hours=1)).batches())
