import json
import zlib
from typing import Any

import pytest
import zstandard
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from reflexarc.adapters.http.pool import Answer
from tests.standins.conftest import Client
from tests.support.otlp import gauge, logs, metrics, record, span, traces


def post(
    client: Client, body: bytes, signal: str = "traces", backend: str = "a", **headers: str
) -> Answer:
    given = {"Content-Type": "application/x-protobuf"}
    given |= {name.replace("_", "-"): text for name, text in headers.items()}
    url = f"{client.standins.url}/otlp/{backend}/v1/{signal}"
    return client.http.post_body(url, body, given)


def told(client: Client, backend: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = client.control("/_otlp")["backends"][backend]
    return found


def configure(client: Client, **settings: Any) -> Answer:
    return client.http.post(f"{client.standins.url}/_otlp", {"backend": "a", **settings})


def test_spans_are_remembered_with_how_often_they_came(client: Client) -> None:
    for payload in (traces(span(1), span(2)), traces(span(2))):
        assert post(client, payload).status == 200

    counts = {"requests": 2, "leaks": 0, "spans": 2, "repeats": 1, "points": 0, "records": 0}
    assert told(client) == counts
    lines = client.http.get(f"{client.standins.url}/_otlp_spans", {"backend": "a"}).text()
    assert f"{2:032x}{2:016x} 2" in lines


def test_points_and_records_are_counted(client: Client) -> None:
    post(client, metrics(gauge("m", (1.0, {}), (2.0, {}))), "metrics")
    post(client, logs(record("a"), record("b"), record("c")), "logs")

    assert (told(client)["points"], told(client)["records"]) == (2, 3)


def test_a_text_that_must_not_come_is_noticed_in_whatever_it_stands(client: Client) -> None:
    assert configure(client, forbidden=["ada@example.com", "hunter2"]).status == 200

    for name in ("GET /", "by ada@example.com", "[redacted:email]"):
        assert post(client, traces(span(1, name))).status == 200
    post(client, zstandard.compress(logs(record("hunter2"))), "logs", Content_Encoding="zstd")

    assert (told(client)["requests"], told(client)["leaks"]) == (4, 2)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", lambda body: zlib.compress(body, wbits=31)), ("zstd", zstandard.compress)],
)
def test_packed_requests_are_taken(client: Client, encoding: str, pack: Any) -> None:
    answer = post(client, pack(traces(span(1))), Content_Encoding=encoding)

    assert answer.status == 200
    assert told(client)["spans"] == 1


def test_items_that_are_too_large_are_rejected_and_the_others_taken(client: Client) -> None:
    answer = post(client, traces(span(1), span(2, blob="x" * 200_001)))

    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans) == (200, 1)
    assert told(client)["spans"] == 1
    large = metrics(gauge("m", (1.0, {"blob": "x" * 200_001})))
    said = ExportMetricsServiceResponse.FromString(post(client, large, "metrics").body)
    assert said.partial_success.rejected_data_points == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (traces(span(1)), {"Content_Type": "application/json"}, 415),
        (traces(span(1)), {"Content_Encoding": "br"}, 415),
        (traces(span(1)), {"Content_Encoding": "gzip"}, 400),
        (b"\xff\xff", {}, 400),
        (b"\x0a\x00" * 2_600_000, {}, 413),
        (traces(*(span(number) for number in range(1, 10_002))), {}, 400),
    ],
    ids=["json", "brotli", "not gzip", "garbage", "too large", "too many"],
)
def test_what_is_not_taken_is_refused_with_a_status(
    client: Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = post(client, body, **{k.replace("_", "-"): v for k, v in headers.items()})

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    assert told(client)["requests"] == 0


def test_a_backend_takes_what_it_is_told_to(client: Client) -> None:
    assert configure(client, encodings=["gzip"], key="secret", max_items=1).status == 200

    assert post(client, traces(span(1))).status == 401
    assert post(client, traces(span(1)), x_api_key="secret").status == 415
    packed = zlib.compress(traces(span(1), span(2)), wbits=31)
    assert post(client, packed, x_api_key="secret", Content_Encoding="gzip").status == 400
    assert configure(client, colour="blue").status == 400


def test_trouble_comes_as_ordered(client: Client) -> None:
    order = {"vendor": "otlp", "method": "a", "do": "status", "status": 429, "retry_after": 7}
    client.http.post_body(f"{client.standins.url}/_faults", json.dumps([order]).encode())

    answer = post(client, traces(span(1)))

    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert post(client, traces(span(1))).status == 200


def test_other_paths_are_unknown_and_a_reset_forgets_everything(client: Client) -> None:
    assert post(client, b"", "profiles").status == 404
    post(client, traces(span(1)))

    client.http.post(f"{client.standins.url}/_reset", {})

    assert client.control("/_otlp") == {"backends": {}}
