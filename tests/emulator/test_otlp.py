"""OTLP comes in by the function URL: from the SDK's own exporters, and by way of Rotel."""

import base64
import gzip
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rotel  # type: ignore[import-untyped]
import urllib3
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from reflexarc.adapters.s3.telemetry_objects import S3TelemetryObjects
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import Processes, free_port, wait_until
from reflexarc.events.otlp_batch import OtlpBatch, OtlpSignal
from reflexarc.ingest.otlp_body import unpacked
from reflexarc.telemetry.arriving import INBOX, place_of
from tests.emulator.test_ingest import let_in_by, token_for
from tests.support.otel_sdk import exported
from tests.support.random_otlp import REQUESTS, SIGNALS, otlp_json, random_request
from tests.unit.ingest.test_otlp_service import noisy, traces

pytestmark = pytest.mark.emulator
PROTOBUF, JSON = "application/x-protobuf", "application/json"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "otlp.md"
ROTEL = Path(rotel.__file__).parent / "rotel-agent"


@dataclass(frozen=True)
class Arrivals:
    """What lies on the queue of the rules, while they do not read it."""

    lane: Lane
    authorization: str

    def posted(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        """Post as whoever holds the token."""
        answer = urllib3.request(
            "POST",
            f"{self.lane.ingest.url}{path}",
            body=body,
            headers={"Authorization": self.authorization, **headers},
            retries=False,
        )
        return answer.status, answer.data

    def batches(self, number: int, timeout_s: float = 20) -> list[tuple[OtlpBatch, str]]:
        """Take so many messages off the queue, or those that came in time."""
        found: list[tuple[OtlpBatch, str]] = []
        end = time.monotonic() + timeout_s
        while len(found) < number and time.monotonic() < end:
            found += self._taken()
        return found + self._taken()

    def requests(self, number: int) -> list[tuple[OtlpSignal, bytes]]:
        """Return what the next messages carry, unpacked."""
        return [(batch.signal, self.payload(batch)) for batch, _ in self.batches(number)]

    def payload(self, batch: OtlpBatch) -> bytes:
        raw = batch.model_dump_json(by_alias=True)
        assert len(raw) <= 448 * 1024
        bucket = self.lane.stack.outputs["TelemetryBucketName"]
        place = place_of(batch, bucket, (INBOX,))
        if place is None:
            return unpacked(base64.b64decode(batch.payload or ""), batch.encoding)
        objects = S3TelemetryObjects(self.lane.endpoint.client("s3"), bucket)
        return unpacked(objects.read(place), batch.encoding)

    def _taken(self) -> list[tuple[OtlpBatch, str]]:
        sqs, url = self.lane.endpoint.client("sqs"), self.lane.stack.outputs["TelemetryQueueUrl"]
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
        )
        taken = []
        for each in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            sender = each["MessageAttributes"]["sender"]["StringValue"]
            taken.append((OtlpBatch.model_validate_json(each["Body"]), sender))
        return taken


@contextmanager
def rules_paused(lane: Lane) -> Iterator[None]:
    """Let nobody read the queue of the rules for a while."""
    functions = lane.endpoint.client("lambda")
    mappings = functions.list_event_source_mappings(
        FunctionName=lane.stack.function("telemetry_rules")
    )["EventSourceMappings"]
    (uuid,) = [each["UUID"] for each in mappings if each["EventSourceArn"].endswith("-telemetry")]
    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=uuid, Enabled=True)


@pytest.fixture(scope="module")
def arrivals(lane: Lane) -> Iterator[Arrivals]:
    """Return what arrives of whoever holds a token."""
    _, text = token_for(lane, "team-otlp", per_minute=10_000)
    with rules_paused(lane), let_in_by(lane, "TOKEN"):
        found = Arrivals(lane, f"Bearer {text}")
        found.batches(1, timeout_s=1)
        yield found


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_what_the_sdk_exports_arrives_as_it_encoded_it(
    arrivals: Arrivals, signal: OtlpSignal, compression: str
) -> None:
    outcome, sent = exported(signal, arrivals.lane.ingest.url, arrivals.authorization, compression)

    assert outcome == "SUCCESS"
    ((batch, sender),) = arrivals.batches(1)
    assert (batch.signal, sender, batch.source.node) == (signal, "token:team-otlp", "team-otlp")
    assert arrivals.payload(batch) == sent


@pytest.mark.parametrize("signal", SIGNALS)
def test_json_arrives_as_the_protobuf_that_it_means(arrivals: Arrivals, signal: OtlpSignal) -> None:
    request = random_request(signal, 3)

    status, _ = arrivals.posted(f"v1/{signal}", otlp_json(request), **{"Content-Type": JSON})

    assert status == 200
    assert arrivals.requests(1) == [(signal, request.SerializeToString(deterministic=True))]


def test_a_batch_too_large_for_a_message_arrives_by_way_of_the_bucket(arrivals: Arrivals) -> None:
    body = noisy(3_000_000)

    status, said = arrivals.posted("v1/traces", body, **{"Content-Type": PROTOBUF})

    assert (status, said) == (200, b"")
    assert arrivals.requests(1) == [("traces", body)]


def test_a_part_that_is_wrong_is_named_and_the_rest_arrives(arrivals: Arrivals) -> None:
    status, said = arrivals.posted("v1/traces", traces(16, 5, 16), **{"Content-Type": PROTOBUF})

    partial = ExportTraceServiceResponse.FromString(said).partial_success
    assert (status, partial.rejected_spans) == (200, 1)
    assert arrivals.requests(1) == [("traces", traces(16, 16))]


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"\xff\xff", "identity", 400),
        (gzip.compress(bytes(60_000_000)), "gzip", 413),
        (traces(16), "deflate", 415),
        (b"\x0a\x00" * 2_000_000, "identity", 413),
    ],
)
def test_what_is_hostile_is_answered_with_a_status_and_does_not_arrive(
    arrivals: Arrivals, body: bytes, encoding: str, status: int
) -> None:
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": encoding}

    found, said = arrivals.posted("v1/traces", body, **headers)

    assert found == status
    assert Status.FromString(said).message
    assert arrivals.batches(1, timeout_s=1) == []


def test_the_guides_program_sends_a_span_by_its_environment_alone(
    arrivals: Arrivals, processes: Processes
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (program,) = [block for block in blocks if "BatchSpanProcessor" in block]
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": arrivals.lane.ingest.url.rstrip("/"),
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization={arrivals.authorization.replace(' ', '%20')}",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }

    processes.start(
        "guide", [sys.executable, "-c", program], cwd=processes.folder("guide"), env=environment
    )

    ((signal, payload),) = arrivals.requests(1)
    (span,) = ExportTraceServiceRequest.FromString(payload).resource_spans[0].scope_spans[0].spans
    assert (signal, span.name) == ("traces", "chat")


def test_the_sdk_gives_up_where_its_token_is_not_known(arrivals: Arrivals) -> None:
    outcome, _ = exported("traces", arrivals.lane.ingest.url, f"{arrivals.authorization}0")

    assert outcome == "FAILURE"
    assert arrivals.batches(1, timeout_s=1) == []


def items_of(signal: OtlpSignal, payloads: Sequence[bytes]) -> Counter[bytes]:
    """Return every item with its resource and its scope, however they were batched."""
    found: Counter[bytes] = Counter()
    for payload in payloads:
        request = REQUESTS[signal].FromString(payload)
        for resource in _only_list(request):
            for scope in _only_list(resource):
                for item in _only_list(scope):
                    around = (resource.resource, resource.schema_url, scope.scope, scope.schema_url)
                    found[repr((*around, item)).encode()] += 1
    return found


def _only_list(message: Any) -> Sequence[Any]:
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            held: Sequence[Any] = getattr(message, field.name)
            return held
    raise AssertionError(message.DESCRIPTOR.name)


@contextmanager
def forwarding(processes: Processes, arrivals: Arrivals, *options: str) -> Iterator[str]:
    """Run the real Rotel in front of the function URL; return where it listens."""
    http, grpc = free_port(), free_port()
    child = processes.start(
        "rotel",
        [
            ROTEL,
            "start",
            f"--otlp-http-endpoint=127.0.0.1:{http}",
            f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
            "--exporter=otlp",
            "--otlp-exporter-protocol=http",
            f"--otlp-exporter-endpoint={arrivals.lane.ingest.url.rstrip('/')}",
            f"--otlp-exporter-custom-headers=Authorization={arrivals.authorization}",
            *options,
        ],
        cwd=processes.folder("rotel"),
    )
    url = f"http://127.0.0.1:{http}"
    assert wait_until(lambda: _listens(url), 10), child.tail()
    yield url
    processes.stop(child)


def _listens(url: str) -> bool:
    try:
        urllib3.request("GET", url, retries=False, timeout=1)
    except urllib3.exceptions.HTTPError:
        return False
    return True


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_all_that_rotel_forwards_arrives(
    arrivals: Arrivals, processes: Processes, compression: str
) -> None:
    sent: dict[OtlpSignal, list[bytes]] = {signal: [] for signal in SIGNALS}
    with forwarding(processes, arrivals, f"--otlp-exporter-compression={compression}") as url:
        for signal in SIGNALS:
            for _ in range(3):
                outcome, request = exported(signal, url)
                assert outcome == "SUCCESS"
                sent[signal].append(request)
        wanted = {signal: items_of(signal, sent[signal]) for signal in SIGNALS}
        found: dict[OtlpSignal, Counter[bytes]] = {signal: Counter() for signal in SIGNALS}
        end = time.monotonic() + 20
        while found != wanted and time.monotonic() < end:
            for signal, payload in arrivals.requests(1):
                found[signal] += items_of(signal, [payload])

    assert found == wanted
