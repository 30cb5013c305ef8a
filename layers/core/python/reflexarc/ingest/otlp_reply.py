"""What an OTLP client is answered, in protobuf or in JSON as it asked. Pure.

A success is the signal's ExportServiceResponse, a failure a google.rpc.Status. Both are small and
their schema is frozen, so that they are written here without it.
https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reflexarc.engines.otlp.wire import VARINT, field_of, tag, varint
from reflexarc.events.otlp_batch import OtlpSignal

JSON = "application/json"
REASON_MAX = 2_000
_REJECTED = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}
# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto; what is retried is
# told by the HTTP status alone.
_CODES = {401: 16, 403: 7, 404: 5, 405: 12, 429: 8, 503: 14}
_INVALID_ARGUMENT = 3
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_UNREADABLE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpReply:
    """What is answered. `who`, `reason` and the counts are for the log."""

    status: int
    content_type: str
    body: bytes
    reason: str = ""
    retry_after: timedelta | None = None
    who: str = ""
    items: int = 0
    rejected: int = 0


def taken(
    signal: OtlpSignal,
    content_type: str,
    *,
    who: str,
    items: int,
    rejected: int = 0,
    said: str = "",
) -> OtlpReply:
    """Answer a success; `said` says what was rejected, or is a warning where nothing was."""
    said = said[:REASON_MAX]
    return OtlpReply(
        status=200,
        content_type=content_type,
        body=_response(signal, content_type, rejected, said),
        reason=said,
        who=who,
        items=items,
        rejected=rejected,
    )


def failed(
    status: int,
    reason: str,
    content_type: str,
    *,
    field: str = "",
    who: str = "",
    retry_after: timedelta | None = None,
) -> OtlpReply:
    """Answer a failure; `field` is the path of the one that is wrong, where there is one."""
    reason = reason[:REASON_MAX]
    return OtlpReply(
        status=status,
        content_type=content_type,
        body=_status(status, reason, field[:REASON_MAX], content_type),
        reason=reason,
        retry_after=retry_after,
        who=who,
    )


def _response(signal: OtlpSignal, content_type: str, rejected: int, said: str) -> bytes:
    if content_type == JSON:
        partial: dict[str, Any] = {"errorMessage": said}
        if rejected:  # 64-bit numbers are strings in protobuf's JSON
            partial = {_REJECTED[signal]: str(rejected), **partial}
        return _json({"partialSuccess": partial} if said else {})
    number = tag(1, VARINT) + varint(rejected) if rejected else b""
    return b"".join(field_of(1, number, *field_of(2, said.encode()))) if said else b""


def _status(status: int, reason: str, field: str, content_type: str) -> bytes:
    code = _CODES.get(status, _INVALID_ARGUMENT)
    if content_type == JSON:
        document: dict[str, Any] = {"code": code, "message": reason}
        if status == _UNREADABLE:
            violation = {"field": field, "description": reason}
            document["details"] = [{"@type": _BAD_REQUEST, "fieldViolations": [violation]}]
        return _json(document)
    said = field_of(2, reason.encode())
    parts = [tag(1, VARINT), varint(code), *said]
    if status == _UNREADABLE:
        named = field_of(1, field.encode()) if field else ()
        bad = field_of(2, *field_of(1, *named, *said))
        parts += field_of(3, *field_of(1, _BAD_REQUEST.encode()), *bad)
    return b"".join(parts)


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()
