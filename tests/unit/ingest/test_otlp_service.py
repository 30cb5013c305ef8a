"""Requests of OTLP clients: what they are answered, and what travels on."""

import base64
import gzip
import json
import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import zstandard
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from reflexarc.adapters.memory.telemetry import MemoryBatches, MemoryPayloads
from reflexarc.engines.otlp.wire import field_of
from reflexarc.events.otlp_batch import OtlpBatch, OtlpSignal
from reflexarc.events.packed import Pointer
from reflexarc.ingest.gate import IamGate, TokenGate
from reflexarc.ingest.model import Identity, Request
from reflexarc.ingest.otlp_reply import REASON_MAX, OtlpReply, taken
from reflexarc.ingest.otlp_service import MESSAGE_MAX, OtlpService
from reflexarc.ingest.ports import Batches, Gate, Payloads
from reflexarc.kernel.errors import Unavailable
from tests.support.incidents import NOW, ulid_of
from tests.support.random_otlp import SIGNALS, otlp_json, random_request
from tests.unit.ingest.fakes import Counted, Open, made

PROTOBUF, JSON = "application/x-protobuf", "application/json"
RESPONSES: dict[OtlpSignal, type[Message]] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
REJECTED = {
    "traces": "rejected_spans",
    "metrics": "rejected_data_points",
    "logs": "rejected_log_records",
}


def service(gate: Gate, payloads: Payloads, batches: Batches) -> OtlpService:
    return OtlpService(
        gate=gate,
        payloads=payloads,
        batches=batches,
        clock=lambda: NOW,
        new_id=lambda _: ulid_of(1),
    )


@dataclass
class Line:
    """A service in memory, and what came through it."""

    gate: Gate = field(default_factory=Open)
    payloads: MemoryPayloads = field(default_factory=MemoryPayloads)
    batches: MemoryBatches = field(default_factory=MemoryBatches)

    def answer(self, request: Request) -> OtlpReply:
        return service(self.gate, self.payloads, self.batches).answer(request)

    @property
    def batch(self) -> OtlpBatch:
        ((batch, _),) = self.batches.sent
        return batch

    def travelled(self) -> bytes:
        """Return the request that the one batch carries."""
        return zstandard.decompress(self.packed())

    def packed(self) -> bytes:
        if self.batch.pointer:
            return self.payloads.kept[self.batch.pointer.key]
        return base64.b64decode(self.batch.payload or "")


def post(signal: str, body: bytes, form: str = PROTOBUF, **changes: Any) -> Request:
    request = Request(
        method="POST", path=f"/v1/{signal}", body=body, content_type=form, user_id="AROAFLEET:i-1"
    )
    return replace(request, **changes)


def data(signal: OtlpSignal, seed: int = 3) -> bytes:
    return random_request(signal, seed).SerializeToString()


def traces(*lengths: int) -> bytes:
    """Return a request of spans whose trace ids have these lengths."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for length in lengths:
        spans.add(trace_id=b"t" * length, span_id=b"s" * 8, name="a")
    return request.SerializeToString()


def status_of(reply: OtlpReply) -> Status:
    if reply.content_type == JSON:
        return json_format.Parse(reply.body, Status())
    return Status.FromString(reply.body)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("form", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_what_is_sent_travels_on_whole_and_the_answer_is_empty(
    signal: OtlpSignal, form: str, encoding: str
) -> None:
    line, request = Line(), random_request(signal, 3)
    body = request.SerializeToString() if form == PROTOBUF else otlp_json(request)
    packed = {"": body, "gzip": gzip.compress(body), "zstd": zstandard.compress(body)}[encoding]

    reply = line.answer(post(signal, packed, form, encoding=encoding))

    assert (reply.status, reply.content_type, reply.reason) == (200, form, "")
    assert reply.body == (b"" if form == PROTOBUF else b"{}")
    assert line.travelled() == request.SerializeToString(deterministic=True)


def test_a_batch_says_what_it_is_who_sent_it_and_when() -> None:
    line = Line()

    reply = line.answer(post("logs", data("logs")))

    batch = line.batch
    assert (batch.id, batch.signal, batch.encoding) == (ulid_of(1), "logs", "zstd")
    assert (batch.received_at, batch.sent_at) == (NOW, NOW)
    assert batch.source.node == "AROAFLEET:i-1"
    assert line.batches.sent[0][1] == reply.who == "iam:AROAFLEET:i-1"


def test_of_a_token_its_source_names_who_sends() -> None:
    tokens = Counted()
    token, text = made("team-*")
    tokens.kept.add(token)
    line = Line(TokenGate(tokens))

    reply = line.answer(post("traces", traces(16), authorization=f"Bearer {text}", user_id=""))

    assert (reply.status, reply.who) == (200, "token:team-*")
    assert line.batch.source.node == "team-*"
    assert line.batches.sent[0][1] == "token:team-*"


def test_what_came_as_zstd_travels_on_as_the_bytes_that_came() -> None:
    body = zstandard.ZstdCompressor(level=19).compress(data("traces"))
    line = Line()

    line.answer(post("traces", body, encoding="ZSTD"))

    assert line.packed() == body


def test_what_came_as_zstd_and_lost_a_span_is_packed_anew() -> None:
    line = Line()

    line.answer(post("traces", zstandard.compress(traces(16, 3)), encoding="zstd"))

    assert line.travelled() == traces(16)


@pytest.mark.parametrize("charset", ["; charset=utf-8", ";charset=UTF-8", " ; x=y"])
def test_parameters_of_a_content_type_change_nothing(charset: str) -> None:
    reply = Line().answer(post("logs", b"{}", JSON.upper() + charset))

    assert (reply.status, reply.content_type) == (200, JSON)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", PROTOBUF),
        (b"\x0a\x00", PROTOBUF),
        (b"\x0a\x02\x12\x00", PROTOBUF),
        (b"{}", JSON),
        (b'{"resourceSpans":[],"resourceLogs":[],"resourceMetrics":[]}', JSON),
    ],
)
def test_an_empty_request_is_a_success_and_nothing_travels(
    signal: OtlpSignal, body: bytes, form: str
) -> None:
    line = Line()

    reply = line.answer(post(signal, body, form))

    assert (reply.status, reply.body) == (200, b"" if form == PROTOBUF else b"{}")
    assert line.batches.sent == []


def test_original_field_names_are_passed_over_and_the_sender_is_warned() -> None:
    reply = Line().answer(post("traces", b'{"resource_spans": [{}]}', JSON))

    said = json.loads(reply.body)["partialSuccess"]
    assert (reply.status, list(said)) == (200, ["errorMessage"])
    assert "resourceSpans" in said["errorMessage"]


@pytest.mark.parametrize("form", [PROTOBUF, JSON])
def test_a_request_that_is_partly_wrong_succeeds_in_part(form: str) -> None:
    line = Line()
    body = traces(16, 3, 16)
    if form == JSON:
        body = otlp_json(ExportTraceServiceRequest.FromString(body))

    reply = line.answer(post("traces", body, form))

    assert (reply.status, reply.items, reply.rejected) == (200, 2, 1)
    said = ExportTraceServiceResponse()
    if form == PROTOBUF:
        said.ParseFromString(reply.body)
    else:
        json_format.Parse(reply.body, said)
    assert said.partial_success.rejected_spans == 1
    assert said.partial_success.error_message == reply.reason
    assert (
        "trace_id has 3 bytes, not 16 (resource_spans[0].scope_spans[0].spans[1])" in reply.reason
    )
    assert line.travelled() == traces(16, 16)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("form", [PROTOBUF, JSON])
def test_each_signal_names_what_it_rejected_in_its_own_field(signal: OtlpSignal, form: str) -> None:
    reply = taken(signal, form, who="", items=1, rejected=7, said="why")

    said: Any = RESPONSES[signal]()
    if form == PROTOBUF:
        said.ParseFromString(reply.body)
    else:
        json_format.Parse(reply.body, said)
    assert getattr(said.partial_success, REJECTED[signal]) == 7
    assert said.partial_success.error_message == "why"


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_bad_resource_at_the_end_of_good_ones_is_told(signal: OtlpSignal) -> None:
    line = Line()

    reply = line.answer(post(signal, data(signal) + b"".join(field_of(1, b"\xff\xff"))))

    assert (reply.status, reply.rejected) == (200, 1)
    assert line.travelled() == data(signal)


def test_a_warning_rejects_nothing() -> None:
    line = Line()
    record = b"".join(field_of(2, *field_of(9, b"short"), *field_of(3, b"INFO")))
    body = b"".join(field_of(1, *field_of(2, record)))

    reply = line.answer(post("logs", body))

    said = ExportLogsServiceResponse.FromString(reply.body).partial_success
    assert (said.rejected_log_records, reply.rejected, reply.items) == (0, 0, 1)
    assert "taken out" in said.error_message


def test_a_request_of_which_nothing_is_valid_is_bad() -> None:
    line = Line()

    reply = line.answer(post("traces", traces(3, 4)))

    assert reply.status == 400
    assert "nothing of the request is valid: trace_id has 3 bytes" in status_of(reply).message
    assert line.batches.sent == []


@pytest.mark.parametrize("form", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"path": "/v1/profiles", "method": "POST"}, 404, 5),
        ({"method": "GET"}, 405, 12),
        ({"method": "PUT"}, 405, 12),
        ({"body": b"\x0a"}, 400, 3),
        ({"encoding": "deflate"}, 415, 3),
        ({"body": b"x" * 7_000_000}, 413, 3),
        ({"body": gzip.compress(bytes(60_000_000)), "encoding": "gzip"}, 413, 3),
    ],
)
def test_a_failure_is_a_status_in_the_form_of_the_request(
    changes: dict[str, Any], status: int, code: int, form: str
) -> None:
    line = Line()

    reply = line.answer(replace(post("traces", b"", form), **changes))

    assert (reply.status, reply.content_type) == (status, form)
    assert status_of(reply).code == code
    assert status_of(reply).message == reply.reason
    assert line.batches.sent == []


def test_too_many_parts_are_too_much() -> None:
    reply = Line().answer(post("metrics", b"\x0a\x00" * 300_000))

    assert (reply.status, status_of(reply).code) == (413, 3)


@pytest.mark.parametrize("form", ["", "text/plain", "application/protobuf", "x" * 500])
def test_another_content_type_is_refused_and_the_known_ones_named(form: str) -> None:
    reply = Line().answer(post("traces", traces(16), form))

    assert (reply.status, reply.content_type) == (415, JSON)
    assert PROTOBUF in status_of(reply).message


def violations(reply: OtlpReply) -> list[tuple[str, str]]:
    (detail,) = status_of(reply).details
    bad = BadRequest()
    assert detail.Unpack(bad)
    return [(each.field, each.description) for each in bad.field_violations]


def test_bad_json_is_answered_with_the_path_of_the_field() -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"x"}]}]}]}'

    reply = Line().answer(post("traces", body, JSON))

    assert reply.status == 400
    ((path, says),) = violations(reply)
    assert path == "resourceSpans[0].scopeSpans[0].spans[0].kind"
    assert says.startswith(f"{path}: a whole number")


def test_bad_protobuf_is_described_too() -> None:
    reply = Line().answer(post("traces", b"\xff\xff"))

    assert violations(reply) == [("", "the protobuf is cut off or garbled")]


def test_a_path_as_deep_as_json_may_be_makes_no_long_answer() -> None:
    held: Any = {"intValue": "x"}
    for _ in range(40):
        held = {"kvlistValue": {"values": [{"key": "k", "value": held}]}}
    document = {"resourceLogs": [{"resource": {"attributes": [{"key": "k", "value": held}]}}]}

    reply = Line().answer(post("logs", json.dumps(document).encode(), JSON))

    assert reply.status == 400
    assert len(reply.reason) <= REASON_MAX
    assert len(reply.body) < 4 * REASON_MAX


def test_who_is_not_known_is_refused_before_the_body_is_touched() -> None:
    reply = Line(IamGate()).answer(post("traces", b"\xff", user_id="", encoding="br"))

    assert (reply.status, status_of(reply).code) == (401, 16)


def test_a_spent_rate_says_when_to_come_back() -> None:
    tokens = Counted()
    token, text = made(per_minute=1)
    tokens.kept.add(token)
    line = Line(TokenGate(tokens))
    request = post("logs", data("logs"), authorization=f"Bearer {text}", user_id="")
    assert line.answer(request).status == 200

    reply = line.answer(request)

    assert (reply.status, reply.retry_after) == (429, timedelta(seconds=60))
    assert status_of(reply).code == 8
    assert reply.who == f"token {token.id}"


def test_tokens_out_of_reach_are_no_refusal() -> None:
    line = Line(TokenGate(Counted(down=True)))

    reply = line.answer(post("logs", b"", authorization=f"Bearer {made()[1]}"))

    assert (reply.status, reply.retry_after) == (503, timedelta(seconds=5))


@dataclass(frozen=True)
class Down:
    """Fills Payloads and Batches: nothing is taken."""

    def put(self, key: str, payload: bytes) -> Pointer:
        raise Unavailable(f"no bucket for {key} of {len(payload)}")

    def send(self, batch: OtlpBatch, sender: str) -> None:
        raise Unavailable(f"no queue for {batch.id} of {sender}")


def noisy(size: int) -> bytes:
    """Return a request that packs badly."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = b"t" * 16, b"s" * 8
    span.attributes.add(key="k").value.bytes_value = random.Random(7).randbytes(size)
    return request.SerializeToString()


def test_a_queue_that_is_down_is_told_to_come_again() -> None:
    broken = service(Open(), MemoryPayloads(), Down())

    for body in (traces(16), noisy(600_000)):
        reply = broken.answer(post("traces", body))

        assert (reply.status, reply.retry_after) == (503, timedelta(seconds=5))
        assert status_of(reply).code == 14
        assert "nothing was accepted: no queue" in reply.reason


def test_a_bucket_that_is_down_sends_no_pointer() -> None:
    batches = MemoryBatches()
    broken = service(Open(), Down(), batches)

    reply = broken.answer(post("traces", noisy(600_000)))

    assert reply.status == 503
    assert batches.sent == []
    assert broken.answer(post("traces", traces(16))).status == 200


def test_what_is_too_large_for_a_message_goes_by_way_of_the_bucket() -> None:
    line, body = Line(), noisy(600_000)

    reply = line.answer(post("traces", body))

    assert reply.status == 200
    assert line.batch.payload is None
    assert line.batch.pointer is not None
    assert line.batch.pointer.key == f"inbox/traces/{NOW:%Y/%m/%d/%H}/{ulid_of(1)}.pb.zst"
    assert line.travelled() == body


@pytest.mark.parametrize("size", range(340_000, 346_000, 500))
def test_no_message_is_larger_than_it_may_be(size: int) -> None:
    line = Line(Open(Identity(sender="token:x", source="*" * 253)))

    line.answer(post("traces", noisy(size)))

    message = line.batch.model_dump_json(by_alias=True, exclude_none=True)
    assert len(message) <= MESSAGE_MAX
    assert (line.batch.pointer is None) == (len(line.packed()) * 4 / 3 + 2_048 <= MESSAGE_MAX)


@pytest.mark.parametrize(
    ("path", "form", "is_otlp"),
    [
        ("/v1/traces", JSON, True),
        ("/v1/logs/", "", True),
        ("/v1/profiles", PROTOBUF, True),
        ("/v1/gpu", "application/octet-stream", False),
        ("/v1/gpu", JSON, False),
        ("/", "", False),
    ],
)
def test_an_otlp_client_is_known_by_its_path_or_by_its_content_type(
    path: str, form: str, *, is_otlp: bool
) -> None:
    assert post("", b"", form, path=path).is_otlp is is_otlp
