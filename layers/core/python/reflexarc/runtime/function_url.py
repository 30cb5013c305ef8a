"""HTTP in and out of a handler: events of a Lambda function URL (payload 2.0) and their answers.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from reflexarc.runtime.observability import logger

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
JSON: Mapping[str, str] = {"content-type": "application/json"}
_FAILED = json.dumps({"error": "something unforeseen happened; send it again"})


def method_of(event: Mapping[str, Any]) -> str:
    """Return the method of a request."""
    method: str = event["requestContext"]["http"]["method"]
    return method


def headers_of(event: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the headers: names in lower case, values of one sent twice joined by commas."""
    return event.get("headers") or {}


def body_of(event: Mapping[str, Any]) -> bytes:
    """Return the bytes that were posted."""
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return b""  # Lambda writes none such; an empty body is refused with words


def answered(
    status: int, body: str | bytes = "", headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the answer in the form that a function URL sends on; bytes go as they are."""
    is_binary = isinstance(body, bytes)
    return {
        "statusCode": status,
        "headers": {"cache-control": "no-store", **(headers or {})},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": is_binary,
    }


def always_answers(handler: Handler) -> Handler:
    """Turn an unforeseen error into a 500 with words; Lambda's own would be a bare 502."""

    def guarded(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return handler(event, context)
        except Exception:  # noqa: BLE001 - the outermost edge; logged with its trace, alarmed
            logger().exception("request failed")
            return answered(500, _FAILED, JSON)

    return guarded
