"""What a backend's answer to an export request means. Pure.

What may be tried again is what OTLP says (429, 502, 503, 504) and what an operator can put right
meanwhile: a key that is refused, an endpoint that is wrong. Everything else will never succeed.
https://opentelemetry.io/docs/specs/otlp/#failures
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from reflexarc.adapters.http.pool import Answer
from reflexarc.engines.otlp.wire import Malformed, occurrences
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import RateLimited, ReflexError, Rejected, Unavailable
from reflexarc.telemetry.errors import TooLarge

PROTOBUF = "application/x-protobuf"
ANSWER_MAX = 64 * 1024
_SAID_MAX = 300
_LATER = frozenset({429, 502, 503, 504, 408, 425})
_KEY_REFUSED = frozenset({401, 403})
_NOT_THERE = frozenset({404, 405, 410})
_LONGEST = timedelta(days=1)
_RESPONSES: Mapping[OtlpSignal, tuple[Any, str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}


class KeyRefused(Unavailable):
    """The backend does not know us, or there is no key to show."""


def taken(answer: Answer, signal: OtlpSignal) -> tuple[int, str]:
    """Return how many items a backend rejected of what it took, and its words."""
    response, name = _RESPONSES[signal]
    if _kind(answer) != PROTOBUF:
        return 0, ""
    try:
        partial = response.FromString(answer.body).partial_success
    except DecodeError:
        # It took the request: what it says beside that is not worth a second one.
        return 0, "its answer cannot be read"
    return max(0, getattr(partial, name)), partial.error_message[:_SAID_MAX]


def error_of(answer: Answer, now: datetime) -> ReflexError | None:
    """Return what an answer has against a request, None where it was taken."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    said = f"HTTP {status}: {_words(answer)}".rstrip(": ")
    if status in _LATER:
        wait = _asked(answer, now)
        return RateLimited(said, wait) if wait else Unavailable(said)
    if status in _KEY_REFUSED:
        return KeyRefused(said)
    if status in _NOT_THERE or status < HTTPStatus.BAD_REQUEST:
        return Unavailable(f"{said} (is its endpoint right?)")
    return TooLarge(said) if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else Rejected(said)


def _asked(answer: Answer, now: datetime) -> timedelta | None:
    """Return for how long a backend wants to be left alone: seconds, or until a moment."""
    value = _header(answer, "retry-after")
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:6])), _LONGEST)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta()), _LONGEST)


def _words(answer: Answer) -> str:
    """Return what an answer says: a google.rpc.Status, or the text as it is."""
    if _kind(answer) == PROTOBUF:
        try:
            messages = occurrences(answer.body, 2)
        except Malformed:
            return ""
        return messages[-1].decode("utf-8", "replace")[:_SAID_MAX] if messages else ""
    return answer.text()


def _kind(answer: Answer) -> str:
    return _header(answer, "content-type").partition(";")[0].strip().lower()


def _header(answer: Answer, name: str) -> str:
    found = (value for key, value in answer.headers.items() if key.lower() == name)
    return next(found, "").strip()
