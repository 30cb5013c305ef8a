"""Clicks out of a function URL's events, and what Slack is answered."""

from collections.abc import Mapping
from typing import Any

from reflexarc.actions.model import Post, Reply
from reflexarc.runtime.function_url import answered, body_of, headers_of, method_of
from reflexarc.runtime.observability import count, flush, logger


def post_of(event: Mapping[str, Any]) -> Post:
    """Return the request in an event."""
    headers = headers_of(event)
    return Post(
        method=method_of(event),
        body=body_of(event),
        timestamp=headers.get("x-slack-request-timestamp", ""),
        signature=headers.get("x-slack-signature", ""),
    )


def response_of(reply: Reply) -> dict[str, Any]:
    """Return the bare status: Slack takes an empty 200, and a stranger learns nothing."""
    return answered(reply.status, headers={"allow": "POST"} if reply.status == 405 else None)  # noqa: PLR2004


def report(reply: Reply) -> None:
    """Log and count what was taken and what was refused."""
    for action in reply.done:
        logger().info("click taken", action=action.id, act=action.act, who=action.person.id)
    if reply.reason:
        logger().warning("click refused", status=reply.status, reason=reply.reason)
    if reply.done:
        count("Clicks", len(reply.done))
    if reply.status in range(400, 500):
        count("ClicksRefused")
    flush()
