"""OTLP/HTTP backends: any number of them by name, with the limits that CloudWatch publishes.

Each remembers every (trace id, span id) that it took and how often, so that a test can tell what is
missing, and what came twice.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html
"""

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import zstandard
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from samples.standins.reply import Reply

PROTOBUF = "application/x-protobuf"
KEY_HEADER = "x-api-key"
# Of one request unpacked, whatever its backend's own limit: a stand-in is no reason to run out.
_UNPACKED_MAX = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Backend:
    """What one backend takes, and what it took."""

    max_bytes: int = 5_000_000
    max_items: int = 10_000
    max_item_bytes: int = 200_000
    encodings: tuple[str, ...] = ("identity", "gzip", "zstd")
    key: str = ""
    # Texts that must not come, whatever they stand in; `leaks` are requests that had one.
    forbidden: tuple[str, ...] = ()
    requests: int = 0
    leaks: int = 0
    spans: Counter[bytes] = field(default_factory=Counter)
    points: int = 0
    records: int = 0

    def told(self) -> dict[str, Any]:
        """Return its counts; `repeats` are spans that came more than once, each time but one."""
        return {
            "requests": self.requests,
            "leaks": self.leaks,
            "spans": len(self.spans),
            "repeats": self.spans.total() - len(self.spans),
            "points": self.points,
            "records": self.records,
        }


class OtlpStandIn:
    """Backends by name; one that nobody configured takes what CloudWatch does, and zstd."""

    def __init__(self) -> None:
        self.backends: dict[str, Backend] = {}
        self._lock = threading.Lock()

    def configure(self, name: str, **settings: Any) -> None:
        """Change what a backend takes; raises ValueError for what is no setting."""
        known = {each.name for each in fields(Backend)}
        if unknown := settings.keys() - known:
            raise ValueError(f"a backend has no {', '.join(sorted(unknown))}")
        with self._lock:
            backend = self.backends.setdefault(name, Backend())
            for setting, value in settings.items():
                setattr(backend, setting, value)

    def receive(self, name: str, signal: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer one export request."""
        with self._lock:
            backend = self.backends.setdefault(name, Backend())
        facts = {"backend": name, "signal": signal}
        try:
            plain = _unpacked(backend, body, headers)
            rejected, items = _take(backend, signal, plain, self._lock)
        except _Refused as refusal:
            return _refused(refusal, facts)
        said = f"{rejected} items are larger than {backend.max_item_bytes} bytes"
        answer = _RESPONSES[signal](rejected, said if rejected else "")
        return Reply(
            body=answer.SerializeToString(),
            headers={"Content-Type": PROTOBUF},
            facts={**facts, "items": items, "rejected": rejected},
        )

    def spans(self, name: str) -> str:
        """Return a backend's spans, a line each: both ids in hex, and how often they came."""
        with self._lock:
            found = dict(self.backends.get(name, Backend()).spans)
        return "\n".join(f"{ids.hex()} {number}" for ids, number in found.items())

    def reset(self) -> None:
        """Forget every backend."""
        with self._lock:
            self.backends.clear()


class _Refused(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def _refused(refusal: _Refused, facts: dict[str, Any]) -> Reply:
    """Return a google.rpc.Status: its field 2 is the message."""
    said = str(refusal).encode()[:120]
    return Reply(
        status=refusal.status,
        body=b"\x12" + bytes([len(said)]) + said,
        headers={"Content-Type": PROTOBUF},
        facts={**facts, "error": str(refusal)},
    )


def _unpacked(backend: Backend, body: bytes, headers: Mapping[str, str]) -> bytes:
    if backend.key and headers.get(KEY_HEADER, "") != backend.key:
        raise _Refused(401, "this key is not known")
    if headers.get("Content-Type", "") != PROTOBUF:
        raise _Refused(415, "only protobuf is taken")
    encoding = headers.get("Content-Encoding", "identity")
    if encoding not in backend.encodings:
        raise _Refused(415, f"encoding {encoding} is not taken")
    try:
        plain = _UNPACKERS[encoding](body)
    except (zlib.error, zstandard.ZstdError) as error:
        raise _Refused(400, f"not {encoding}: {error}") from error
    if len(plain) > backend.max_bytes:
        raise _Refused(413, f"more than {backend.max_bytes} bytes")
    return plain


def _take(backend: Backend, signal: str, plain: bytes, lock: threading.Lock) -> tuple[int, int]:
    """Return how many items were rejected, and how many came."""
    try:
        request = _REQUESTS[signal].FromString(plain)
    except DecodeError as error:
        raise _Refused(400, "not an export request") from error
    items = list(_ITEMS[signal](request))
    number = sum(len(_points(item)) for item in items) if signal == "metrics" else len(items)
    if number > backend.max_items:
        raise _Refused(400, f"more than {backend.max_items} items")
    small = [item for item in items if item.ByteSize() <= backend.max_item_bytes]
    with lock:
        backend.requests += 1
        backend.leaks += any(text.encode() in plain for text in backend.forbidden)
        if signal == "traces":
            backend.spans.update(span.trace_id + span.span_id for span in small)
        elif signal == "metrics":
            backend.points += sum(len(_points(item)) for item in small)
        else:
            backend.records += len(small)
    return len(items) - len(small), number


def _points(metric: Any) -> Any:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


_UNPACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "identity": lambda body: body,
    "gzip": lambda body: zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, _UNPACKED_MAX),
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body, _UNPACKED_MAX),
}
_REQUESTS: Mapping[str, type[Message]] = {
    "traces": traces.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}
_ITEMS: Mapping[str, Callable[[Any], Any]] = {
    "traces": lambda request: (
        span
        for part in request.resource_spans
        for scope in part.scope_spans
        for span in scope.spans
    ),
    "metrics": lambda request: (
        metric
        for part in request.resource_metrics
        for scope in part.scope_metrics
        for metric in scope.metrics
    ),
    "logs": lambda request: (
        record
        for part in request.resource_logs
        for scope in part.scope_logs
        for record in scope.log_records
    ),
}
_RESPONSES: Mapping[str, Callable[[int, str], Message]] = {
    "traces": lambda rejected, said: traces.ExportTraceServiceResponse(
        partial_success=traces.ExportTracePartialSuccess(
            rejected_spans=rejected, error_message=said
        )
    ),
    "metrics": lambda rejected, said: metrics.ExportMetricsServiceResponse(
        partial_success=metrics.ExportMetricsPartialSuccess(
            rejected_data_points=rejected, error_message=said
        )
    ),
    "logs": lambda rejected, said: logs.ExportLogsServiceResponse(
        partial_success=logs.ExportLogsPartialSuccess(
            rejected_log_records=rejected, error_message=said
        )
    ),
}
SIGNALS = frozenset(_REQUESTS)
