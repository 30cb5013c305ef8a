"""What Slack's answers mean for the sender: when to wait, when to look, when to give up.

https://docs.slack.dev/reference/methods/chat.postMessage/#errors
"""

from typing import Any

from reflexarc.adapters.http.pool import Answer
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable


class TokenRefused(Unavailable):
    """Slack does not take this token, or not for this: another one may be in the secret."""


class ChannelRefused(Unavailable):
    """The token is good, but not for this channel."""


class MessageGone(Unavailable):
    """The message to update is no more, or may not be edited any more: post anew."""


_TOKEN = frozenset(
    {
        "access_denied",
        "account_inactive",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
_CHANNEL = {
    "channel_not_found": "use the channel's id (C...), and invite the app if it is private",
    "is_archived": "unarchive the channel or route to another",
    "not_in_channel": "invite the app there: /invite @<app>",
    "user_not_in_channel": "the person must join it to be answered there",
    "restricted_action": "the workspace forbids the app to post there",
}
_CONTENT = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "invalid_arguments",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
    }
)
_OTHERS: dict[str, type[Unavailable]] = {
    # "It's possible some aspect of the operation succeeded before the error was raised."
    "fatal_error": Ambiguous,
    "internal_error": Ambiguous,
    "request_timeout": Ambiguous,
    "service_unavailable": Ambiguous,
    "cant_update_message": MessageGone,
    "edit_window_closed": MessageGone,
    "cannot_reply_to_message": MessageGone,
    "message_not_found": MessageGone,
    "thread_not_found": MessageGone,
}
_LIMITS = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})


def checked(answer: Answer, channel: str) -> dict[str, Any]:
    """Return a Web API answer that says ok; raise what any other one means."""
    if answer.status == 429:  # noqa: PLR2004 - Too Many Requests
        raise RateLimited("Slack limits the rate", answer.retry_after)
    if answer.status >= 500:  # noqa: PLR2004 - server errors
        raise Ambiguous(f"Slack answered HTTP {answer.status}")
    document = answer.json_object()
    if document is None:
        if answer.status == 200:  # noqa: PLR2004 - OK
            raise Ambiguous("Slack's answer is not JSON")
        raise Unavailable(f"Slack answered HTTP {answer.status}")
    if document.get("ok") is True:
        return document
    raise _meaning(str(document.get("error")), answer, channel, document)


def _meaning(error: str, answer: Answer, channel: str, document: dict[str, Any]) -> Exception:
    if error in _LIMITS:
        return RateLimited(f"Slack limits the rate ({error})", answer.retry_after)
    if error in _TOKEN:
        needed = f", needs scope {document['needed']}" if "needed" in document else ""
        return TokenRefused(f"Slack refuses the bot token ({error}{needed})")
    if error in _CHANNEL:
        return ChannelRefused(f"Slack takes nothing for {channel} ({error}): {_CHANNEL[error]}")
    if error in _CONTENT:
        return Rejected(f"Slack refuses the message: {error}{_details(document)}")
    return _OTHERS.get(error, Unavailable)(f"Slack answered {error[:200]}")


def _details(document: dict[str, Any]) -> str:
    metadata = document.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    if not isinstance(messages, list):
        return ""
    return "; ".join(["", *(str(message)[:200] for message in messages[:5])])


def checked_webhook(answer: Answer) -> None:
    """Return when an incoming webhook took the message; raise what any other answer means.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors
    """
    said = answer.text()
    match answer.status:
        case 200:
            return
        case 429:
            raise RateLimited("Slack limits the webhook's rate", answer.retry_after)
        case 400 | 413:
            raise Rejected(f"Slack's webhook refuses the message: {said}")
        case 403 | 404 | 410:
            raise TokenRefused(f"Slack refuses the webhook ({said})")
        case status if status >= 500:  # noqa: PLR2004 - server errors
            raise Ambiguous(f"Slack's webhook answered HTTP {status}")
        case status:
            raise Unavailable(f"Slack's webhook answered HTTP {status}")
