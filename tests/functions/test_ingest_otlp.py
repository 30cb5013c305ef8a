"""OTLP at the handler of ingest, over real adapters on an AWS in memory."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import zstandard
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from functions.ingest.handler import handler as ingest
from reflexarc.adapters.s3.telemetry_objects import S3TelemetryObjects
from reflexarc.events.otlp_batch import OtlpBatch
from reflexarc.runtime import ingest_otlp
from reflexarc.telemetry.arriving import INBOX, place_of
from tests.functions.test_ingest import Cloud, cloud, event
from tests.support.aws import REGION, queue
from tests.support.random_otlp import otlp_json, random_request
from tests.unit.ingest.fakes import made
from tests.unit.ingest.test_otlp_service import noisy, traces

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["cloud"]
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Line:
    """A cloud with a queue and a bucket for telemetry."""

    cloud: Cloud
    s3: "S3Client"

    def batches(self) -> list[tuple[OtlpBatch, str]]:
        return [
            (
                OtlpBatch.model_validate_json(each["Body"]),
                each["MessageAttributes"]["sender"]["StringValue"],
            )
            for each in self.cloud.waiting("telemetry")
        ]


@pytest.fixture
def line(cloud: Cloud) -> Iterator[Line]:
    cloud.urls["telemetry"] = queue(cloud.sqs, "reflexarc-telemetry")
    cloud.patch.setenv("TELEMETRY_QUEUE_URL", cloud.urls["telemetry"])
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(
        Bucket="telemetry", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    yield Line(cloud, s3)
    ingest_otlp.otlp_service.cache_clear()


def posted(
    path: str, body: bytes, content_type: str = PROTOBUF, *, method: str = "POST", **headers: str
) -> dict[str, Any]:
    given = event(body, signed=True, content_type=content_type, **headers)
    given["rawPath"] = path
    given["requestContext"]["http"]["method"] = method
    return ingest(given, None)


def body_of(answer: dict[str, Any]) -> bytes:
    assert answer["isBase64Encoded"]
    return base64.b64decode(answer["body"])


def test_spans_arrive_on_the_queue_of_the_rules(line: Line) -> None:
    answer = posted("/v1/traces", gzip.compress(traces(16, 16)), content_encoding="gzip")

    assert (answer["statusCode"], body_of(answer)) == (200, b"")
    assert answer["headers"]["content-type"] == PROTOBUF
    ((batch, sender),) = line.batches()
    assert zstandard.decompress(base64.b64decode(batch.payload or "")) == traces(16, 16)
    assert sender == "iam:AROAFLEETEXAMPLE00001:i-0123456789abcdef0"
    assert batch.source.node == sender.removeprefix("iam:")


def test_json_comes_as_the_text_that_aws_makes_of_it(line: Line) -> None:
    request = random_request("logs", 3)
    given = event(b"", content_type="application/json; charset=utf-8") | {"rawPath": "/v1/logs"}
    given |= {"body": otlp_json(request).decode(), "isBase64Encoded": False}

    answer = ingest(given, None)

    assert (answer["statusCode"], body_of(answer)) == (200, b"{}")
    ((batch, _),) = line.batches()
    assert batch.signal == "logs"
    sent = zstandard.decompress(base64.b64decode(batch.payload or ""))
    assert sent == request.SerializeToString(deterministic=True)


def test_packed_json_which_aws_spoils_is_told_so(line: Line) -> None:
    given = event(b"", content_type="application/json", content_encoding="gzip")
    spoiled = gzip.compress(b"{}").decode("utf-8", "replace")
    given |= {"rawPath": "/v1/logs", "body": spoiled, "isBase64Encoded": False}

    answer = ingest(given, None)

    assert answer["statusCode"] == 400
    assert "JSON must come unpacked" in json.loads(body_of(answer))["message"]
    assert line.batches() == []


def test_a_large_batch_lies_in_the_bucket_and_the_message_points_at_it(line: Line) -> None:
    posted("/v1/traces", noisy(700_000))

    ((batch, _),) = line.batches()
    place = place_of(batch, "telemetry", (INBOX,))
    assert place is not None
    kept = S3TelemetryObjects(line.s3, "telemetry").read(place)
    assert zstandard.decompress(kept) == noisy(700_000)


def test_a_part_that_is_refused_is_named_to_the_client(line: Line) -> None:
    answer = posted("/v1/traces", traces(16, 5))

    said = ExportTraceServiceResponse.FromString(body_of(answer)).partial_success
    assert (answer["statusCode"], said.rejected_spans) == (200, 1)
    assert "trace_id has 5 bytes" in said.error_message
    assert len(line.batches()) == 1


def test_a_token_sends_telemetry_and_its_rate_counts_for_all_that_it_sends(line: Line) -> None:
    line.cloud.asks_for_tokens()
    token = f"Bearer {line.cloud.token('team-a', per_minute=2)}"

    agents = posted("/v1/gpu", b"", "application/octet-stream", authorization=token)
    first = posted("/v1/traces", traces(16), authorization=token)
    second = posted("/v1/logs", b"", authorization=token)

    assert [each["statusCode"] for each in (agents, first, second)] == [400, 200, 429]
    assert int(second["headers"]["retry-after"]) > 0
    assert [sender for _, sender in line.batches()] == ["token:team-a"]


@pytest.mark.parametrize(
    ("given", "status", "header"),
    [
        ({"path": "/v1/traces", "body": b"\xff"}, 400, None),
        ({"path": "/v1/traces", "body": b"", "method": "GET"}, 405, ("allow", "POST")),
        ({"path": "/v1/profiles", "body": b""}, 404, None),
        (
            {"path": "/v1/logs", "body": b"", "content_encoding": "br"},
            415,
            ("accept-encoding", "gzip, zstd"),
        ),
        (
            {
                "path": "/v1/logs",
                "body": gzip.compress(bytes(60_000_000)),
                "content_encoding": "gzip",
            },
            413,
            None,
        ),
    ],
)
def test_a_failure_is_a_status_and_nothing_goes_on(
    line: Line, given: dict[str, Any], status: int, header: tuple[str, str] | None
) -> None:
    answer = posted(**given)

    assert answer["statusCode"] == status
    assert Status.FromString(body_of(answer)).message
    if header:
        assert answer["headers"][header[0]] == header[1]
    assert line.batches() == []


def test_a_stranger_is_refused_with_a_status(line: Line) -> None:
    line.cloud.asks_for_tokens()

    answer = posted("/v1/traces", traces(16), authorization=f"Bearer {made()[1]}")

    assert answer["statusCode"] == 401
    assert answer["headers"]["www-authenticate"] == "Bearer"
    assert "not known" in Status.FromString(body_of(answer)).message


@pytest.mark.parametrize("size", [10, 700_000])
def test_a_missing_queue_is_told_to_come_again(line: Line, size: int) -> None:
    line.cloud.sqs.delete_queue(QueueUrl=line.cloud.urls["telemetry"])

    answer = posted("/v1/traces", noisy(size))

    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "5")


def test_a_missing_bucket_is_told_to_come_again_and_no_pointer_is_sent(line: Line) -> None:
    line.s3.delete_bucket(Bucket="telemetry")

    assert posted("/v1/traces", noisy(700_000))["statusCode"] == 503
    assert line.batches() == []


def test_what_nobody_foresaw_is_told_to_come_again_too(line: Line) -> None:
    # OTLP has a client give up after a 500.
    line.cloud.patch.delenv("INGEST_AUTH")

    answer = posted("/v1/traces", traces(16))

    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "5")
    assert Status.FromString(body_of(answer)).code == 14
