"""Files of export requests, as the Collector and people write them."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reflexarc.adapters.files.otlp_files import OtlpFiles
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry import recorded
from reflexarc.telemetry.recorded import Batch


def request(name: str) -> bytes:
    made = ExportTraceServiceRequest()
    made.resource_spans.add().scope_spans.add().spans.add(
        trace_id=b"t" * 16, span_id=b"s" * 8, name=name
    )
    return made.SerializeToString()


def document(name: str) -> dict[str, object]:
    span = {"traceId": "74" * 16, "spanId": "73" * 8, "name": name}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def read(*files: Path) -> list[Batch]:
    return list(OtlpFiles(list(files)).batches())


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_protobuf_is_read_as_it_is(tmp_path: Path, packing: str) -> None:
    file = tmp_path / "batch.pb"
    file.write_bytes(PACKINGS[packing](request("a")))

    assert read(file) == [Batch(signal="traces", payload=request("a"), where=str(file))]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_document_becomes_protobuf(tmp_path: Path, packing: str, indent: int | None) -> None:
    file = tmp_path / "batch.json"
    file.write_bytes(PACKINGS[packing](json.dumps(document("a"), indent=indent).encode()))

    assert [batch.payload for batch in read(file)] == [request("a")]


@pytest.mark.parametrize("packing", PACKINGS)
def test_documents_on_lines_are_requests_each(tmp_path: Path, packing: str) -> None:
    file = tmp_path / "exported.jsonl"
    lines = "\n".join(["", json.dumps(document("a")), "", json.dumps(document("b"))])
    file.write_bytes(PACKINGS[packing](lines.encode()))

    batches = read(file)

    assert [batch.payload for batch in batches] == [request("a"), request("b")]
    assert [batch.where for batch in batches] == [f"{file}:2", f"{file}:4"]


def test_frames_of_zstd_one_behind_the_other_are_one_file(tmp_path: Path) -> None:
    file = tmp_path / "exported.jsonl.zst"
    lines = [json.dumps(document(name)).encode() + b"\n" for name in "ab"]
    file.write_bytes(b"".join(map(zstandard.compress, lines)))

    assert [batch.payload for batch in read(file)] == [request("a"), request("b")]


def test_protobuf_behind_its_length_is_cut_there(tmp_path: Path) -> None:
    file = tmp_path / "exported.binpb"
    requests = [request("a"), request("b")]
    file.write_bytes(b"".join(len(each).to_bytes(4, "big") + each for each in requests))

    assert [batch.payload for batch in read(file)] == requests


def test_a_signal_that_nothing_tells_is_taken_from_who_asks(tmp_path: Path) -> None:
    file = tmp_path / "batch.pb"
    empty = ExportLogsServiceRequest()
    empty.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO")
    file.write_bytes(empty.SerializeToString())

    with pytest.raises(Rejected, match="nothing tells whether these are traces, metrics or logs"):
        read(file)
    assert [each.signal for each in OtlpFiles([file], "logs").batches()] == ["logs"]


def test_one_signal_alone_is_read_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityText": "INFO"}]}]}]}
    file.write_text("\n".join(map(json.dumps, (document("a"), logs))))

    assert [each.signal for each in OtlpFiles([file], "logs").batches()] == ["logs"]


@pytest.mark.parametrize(
    "content",
    [gzip.compress(request("a"))[:-5], zstandard.compress(request("a"))[:-3]],
    ids=["gzip", "zstd"],
)
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "spans.pb"
    file.write_bytes(content)

    with pytest.raises(Rejected, match=f"^{file}: "):
        read(file)


def test_too_much_protobuf_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "spans.pb"
    file.write_bytes(request("a"))
    monkeypatch.setattr(recorded, "PROTOBUF_MAX", 10)

    with pytest.raises(Rejected, match="more than 10 bytes in one request: split it"):
        read(file)


def test_progress_goes_on_within_a_file_of_protobuf(tmp_path: Path) -> None:
    file = tmp_path / "spans.binpb"
    one = request("a" * 40_000)
    file.write_bytes((len(one).to_bytes(4, "big") + one) * 4)
    told: list[int] = []

    list(OtlpFiles([file]).batches(told.append))

    assert len(set(told)) == 4


def test_progress_ends_where_the_files_end(tmp_path: Path) -> None:
    files = [tmp_path / "one.pb", tmp_path / "other.json"]
    files[0].write_bytes(request("a"))
    files[1].write_text(json.dumps(document("b")))
    told: list[int] = []
    reading = OtlpFiles(files)

    list(reading.batches(told.append))

    assert told == sorted(told)
    assert told[-1] == reading.size
