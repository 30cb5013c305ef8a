"""A person's click on a button of a message, as Slack would post and sign it.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload,
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

VERSION = "v0"
PATIENCE_S = 3


def signed_click(
    message: dict[str, Any],
    action_id: str,
    user: str,
    secret: str,
    timestamp: int,
    *,
    channel: str = "C0PAGES",
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request for a click; LookupError where no button is that."""
    button = next(
        (found for found in _buttons(message) if found.get("action_id") == action_id), None
    )
    if button is None:
        raise LookupError(f"the message has no button {action_id}")
    body = urlencode({"payload": json.dumps(_payload(message, button, user, timestamp, channel))})
    return signed(body.encode(), secret, timestamp), body.encode()


def signed(body: bytes, secret: str, timestamp: int) -> dict[str, str]:
    """Return the headers that prove that Slack sent a body."""
    base = f"{VERSION}:{timestamp}:".encode() + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": str(timestamp),
        "X-Slack-Signature": f"{VERSION}={digest}",
    }


def post(url: str, headers: dict[str, str], body: bytes) -> None:
    """Post a click; OSError where it is not answered with 200 within Slack's three seconds.

    https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
    """
    request = Request(url, data=body, headers=headers)  # noqa: S310 - a URL that a test names
    with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - as above
        if answer.status != HTTPStatus.OK:
            raise OSError(f"answered with {answer.status}")


def user_id(user: str) -> str:
    """Return the id of a person of this workspace, by their handle."""
    return "U0" + "".join(char for char in user.upper() if char.isascii() and char.isalnum())


def _buttons(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place, block in enumerate(message.get("blocks") or []):
        for element in block.get("elements") or []:
            if element.get("type") == "button":
                yield {"block_id": block.get("block_id", f"b{place}"), **element}


def _payload(
    message: dict[str, Any], button: dict[str, Any], user: str, timestamp: int, channel: str
) -> dict[str, Any]:
    pressed = ("type", "block_id", "action_id", "text", "value", "style")
    root = message.get("thread_ts")
    container = {"type": "message", "message_ts": message["ts"], "channel_id": channel}
    return {
        "type": "block_actions",
        "user": {"id": user_id(user), "username": user, "name": user, "team_id": "T0STANDIN"},
        "api_app_id": "A0STANDIN",
        "team": {"id": "T0STANDIN", "domain": "stand-in"},
        "container": container | {"is_ephemeral": False} | ({"thread_ts": root} if root else {}),
        "trigger_id": f"{timestamp}.standin",
        "channel": {"id": channel, "name": "pages"},
        "message": {"type": "message", **{k: message[k] for k in ("ts", "text", "blocks")}},
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/T0STANDIN/1/standin",
        "actions": [
            {**{k: button[k] for k in pressed if k in button}, "action_ts": f"{timestamp}.000001"}
        ],
    }
