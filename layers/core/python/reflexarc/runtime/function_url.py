"""HTTP in and out of a handler: events of a Lambda function URL (payload 2.0) and their answers.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from reflexarc.ingest.model import Reply, Request
from reflexarc.runtime.observability import count, flush, logger

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
_FAILED = Reply(status=500, reason="something unforeseen happened; send it again")


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request in an event. Who signed it is what AWS says, never what a header says."""
    context = event["requestContext"]
    # Names come in lower case; values of a header that was sent twice come joined by commas.
    headers = event.get("headers") or {}
    signer = (context.get("authorizer") or {}).get("iam") or {}
    return Request(
        method=context["http"]["method"],
        path=event["rawPath"],
        body=_body(event),
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
    return {
        "statusCode": reply.status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"}
        | _headers(reply),
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }


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


def always_answers(handler: Handler) -> Handler:
    """Turn an unforeseen error into a 500 with words; Lambda's own would be a bare 502."""

    def guarded(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return handler(event, context)
        except Exception:  # noqa: BLE001 - the outermost edge; logged with its trace, alarmed
            logger().exception("request failed")
            return response_of(_FAILED)

    return guarded


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return b""  # Lambda writes none such; an empty body is refused with words


def _headers(reply: Reply) -> dict[str, str]:
    headers = {}
    if reply.status == 401:  # noqa: PLR2004 - HTTP's own numbers
        headers["www-authenticate"] = "Bearer"
    if reply.status == 405:  # noqa: PLR2004
        headers["allow"] = "POST"
    if reply.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(reply.retry_after.total_seconds())))
    return headers
