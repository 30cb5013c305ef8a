"""Requests of agents out of a function URL's events, and what ingest answers."""

import json
import math
from collections.abc import Mapping
from typing import Any

from reflexarc.ingest.model import Reply, Request
from reflexarc.runtime.function_url import JSON, answered, body_of, headers_of, method_of
from reflexarc.runtime.observability import count, flush, logger


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request in an event. Who signed it is what AWS says, never what a header says."""
    headers = headers_of(event)
    signer = (event["requestContext"].get("authorizer") or {}).get("iam") or {}
    return Request(
        method=method_of(event),
        path=event["rawPath"],
        body=body_of(event),
        encoding=headers.get("content-encoding", ""),
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
    return answered(reply.status, json.dumps(document), {**JSON, **_headers(reply)})


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


def _headers(reply: Reply) -> dict[str, str]:
    headers = {}
    if reply.status == 401:  # noqa: PLR2004 - HTTP's own numbers
        headers["www-authenticate"] = "Bearer"
    if reply.status == 405:  # noqa: PLR2004
        headers["allow"] = "POST"
    if reply.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(reply.retry_after.total_seconds())))
    return headers
