"""Requests out of a function URL's events, and what ingest answers to agents."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reflexarc.ingest.model import Reply, Request
from reflexarc.runtime.function_url import JSON, answered, body_of, headers_of, method_of
from reflexarc.runtime.ingest_wiring import ingest_service
from reflexarc.runtime.observability import count, flush, logger


def answer(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request, of an agent or of an OTLP client."""
    request = request_of(event)
    if request.is_otlp:
        # What reads OTLP takes as long to load as all else: no agent's fault waits for it.
        from reflexarc.runtime import ingest_otlp  # noqa: PLC0415

        return ingest_otlp.answer(request)
    reply = ingest_service().answer(request)
    report(reply)
    return response_of(reply)


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request in an event. Who signed it is what AWS says, never what a header says."""
    headers = headers_of(event)
    signer = (event["requestContext"].get("authorizer") or {}).get("iam") or {}
    return Request(
        method=method_of(event),
        path=event["rawPath"],
        body=body_of(event),
        encoding=headers.get("content-encoding", ""),
        content_type=headers.get("content-type", ""),
        authorization=headers.get("authorization", ""),
        user_id=signer.get("userId") or "",
    )


def response_of(reply: Reply) -> dict[str, Any]:
    """Return the answer in the form that a function URL sends on."""
    document: dict[str, Any] = {}
    if reply.reason:
        document["error"] = reply.reason
    if reply.results:
        document["results"] = [
            {"id": result.id, "status": result.status}
            | ({"reason": result.reason} if result.reason else {})
            for result in reply.results
        ]
    headers = {**JSON, **headers_told(reply.status, reply.retry_after)}
    return answered(reply.status, json.dumps(document), headers)


def report(reply: Reply) -> None:
    """Log what was refused and count what became of the messages."""
    if reply.reason:
        logger().warning("request refused", status=reply.status, reason=reply.reason, who=reply.who)
    for result in reply.results:
        if result.status == "rejected":
            logger().warning(
                "message rejected", message_id=result.id, reason=result.reason, who=reply.who
            )
    count("IngestAccepted", reply.number("accepted"))
    count("IngestRejected", reply.number("rejected"))
    count("IngestRetried", reply.number("retry"))
    flush()


def headers_told(status: int, retry_after: timedelta | None) -> dict[str, str]:
    """Return the headers that a refusal goes with."""
    headers = {}
    if status == 401:  # noqa: PLR2004 - HTTP's own numbers
        headers["www-authenticate"] = "Bearer"
    if status == 405:  # noqa: PLR2004
        headers["allow"] = "POST"
    if retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(retry_after.total_seconds())))
    return headers
