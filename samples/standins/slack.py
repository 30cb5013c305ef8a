"""Slack's Web API and incoming webhook, as far as an alert needs them, with their refusals.

https://docs.slack.dev/reference/methods, https://docs.slack.dev/apis/web-api/rate-limits
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from samples.standins.block_kit import problems, too_long
from samples.standins.limits import Limits
from samples.standins.reply import Reply

TEXT_MAX = 40_000
METADATA_MAX = 16_000
PAGE_MAX = 999
_USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")
_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{2,}")


@dataclass(slots=True)
class SlackStandIn:
    """One workspace: channels come into being when something is posted to them."""

    token: str
    webhook_path: str
    webhook_channel: str
    posts: Limits
    calls: Limits
    clock: Callable[[], float] = time.time
    channels: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    whispers: list[dict[str, str]] = field(default_factory=list)
    _last_ts: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def call(self, method: str, authorization: str, arguments: dict[str, Any]) -> Reply:
        """Answer one Web API call."""
        if authorization != f"Bearer {self.token}":
            return _error("invalid_auth" if authorization else "not_authed")
        known = {
            "auth.test": self._auth_test,
            "chat.postEphemeral": self._whisper,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        if method not in known:
            return _error("unknown_method")
        with self._lock:
            return known[method](arguments)

    def root(self, key: str) -> tuple[str, dict[str, Any]]:
        """Return the message that tells a page, with its channel; LookupError for none."""
        with self._lock:
            for channel, messages in self.channels.items():
                for message in messages:
                    said = (message["metadata"] or {}).get("event_payload", {})
                    if said.get("key") == key and said.get("part") == "root":
                        return channel, message
        raise LookupError(f"no message tells page {key}")

    def webhook(self, path: str, message: dict[str, Any]) -> Reply:
        """Answer a post to the incoming webhook: plain text, no ts."""
        if path != self.webhook_path:
            return Reply(status=404, body="no_service")
        if wait := self.posts.retry_after(self.webhook_channel):
            return _limited(wait, "rate_limited")
        if refusal := _content_error(message):
            return Reply(status=400, body=refusal, facts={"error": refusal})
        with self._lock:
            posted = self._store(self.webhook_channel, message | {"metadata": None})
        return Reply(body="ok", facts=_facts(posted, self.webhook_channel) | {"opened": True})

    def reset(self) -> None:
        """Forget every message and limit."""
        with self._lock:
            self.channels.clear()
            self.whispers.clear()
        self.posts.reset()
        self.calls.reset()

    def _auth_test(self, _: dict[str, Any]) -> Reply:
        return _ok({"team": "stand-in", "user": "reflexarc", "bot_id": "B0STANDIN"})

    def _post(self, arguments: dict[str, Any]) -> Reply:
        channel = _channel_id(str(arguments.get("channel", "")))
        if channel is None:
            return _error("channel_not_found")
        if wait := self.posts.retry_after(channel):
            return _limited(wait, "ratelimited", channel)
        if refusal := _content_error(arguments):
            return _error(refusal, problems(arguments.get("blocks") or []))
        thread = arguments.get("thread_ts")
        if thread is not None and not self._is_root(channel, str(thread)):
            return _error("thread_not_found")
        message = self._store(channel, arguments)
        return _ok(
            {"channel": channel, "ts": message["ts"], "message": message},
            _facts(message, channel) | {"opened": thread is None},
        )

    def _whisper(self, arguments: dict[str, Any]) -> Reply:
        channel = _channel_id(str(arguments.get("channel", "")))
        if channel is None:
            return _error("channel_not_found")
        if wait := self.calls.retry_after("chat.postEphemeral"):
            return _limited(wait, "ratelimited", channel)
        user = str(arguments.get("user", ""))
        if not _USER_ID.fullmatch(user):
            return _error("user_not_in_channel")
        if refusal := _content_error(arguments):
            return _error(refusal, problems(arguments.get("blocks") or []))
        text = str(arguments.get("text", ""))
        self.whispers.append({"channel": channel, "user": user, "text": text})
        facts = {"channel": channel, "user": user, "text": text}
        return _ok({"message_ts": f"{self.clock():.6f}"}, facts)

    def _update(self, arguments: dict[str, Any]) -> Reply:
        if wait := self.calls.retry_after("chat.update"):
            return _limited(wait, "ratelimited")
        channel = str(arguments.get("channel", ""))
        message = self._find(channel, str(arguments.get("ts", "")))
        if message is None:
            return _error("message_not_found" if channel in self.channels else "channel_not_found")
        if refusal := _content_error(arguments):
            return _error(refusal, problems(arguments.get("blocks") or []))
        changes = {name: arguments[name] for name in _CONTENT if name in arguments}
        message |= changes | {"revision": message["revision"] + 1}
        return _ok({"channel": channel, "ts": message["ts"]}, _facts(message, channel))

    def _history(self, arguments: dict[str, Any]) -> Reply:
        return self._page(arguments, "conversations.history")

    def _replies(self, arguments: dict[str, Any]) -> Reply:
        return self._page(arguments, "conversations.replies")

    def _page(self, arguments: dict[str, Any], method: str) -> Reply:
        if wait := self.calls.retry_after(method):
            return _limited(wait, "ratelimited")
        channel = str(arguments.get("channel", ""))
        if channel not in self.channels and not _CHANNEL_ID.fullmatch(channel):
            return _error("channel_not_found")
        messages = self.channels.get(channel, [])
        if method == "conversations.replies":
            root = str(arguments.get("ts", ""))
            found = [m for m in messages if root in {m["ts"], m["thread_ts"]}]
        else:
            oldest = float(arguments.get("oldest") or 0)
            found = [m for m in messages if _in_channel(m) and float(m["ts"]) > oldest]
            found.reverse()
        start = int(arguments.get("cursor") or 0)
        limit = min(int(arguments.get("limit") or 100), PAGE_MAX)
        page = found[start : start + limit]
        if str(arguments.get("include_all_metadata", "")).lower() not in {"true", "1"}:
            page = [{k: v for k, v in m.items() if k != "metadata"} for m in page]
        more = start + limit < len(found)
        return _ok(
            {
                "messages": page,
                "has_more": more,
                "response_metadata": {"next_cursor": str(start + limit) if more else ""},
            }
        )

    def _store(self, channel: str, content: dict[str, Any]) -> dict[str, Any]:
        self._last_ts = max(self._last_ts + 0.000_001, self.clock())
        message = {
            "ts": f"{self._last_ts:.6f}",
            "user": "U0STANDIN",
            "thread_ts": content.get("thread_ts"),
            "broadcast": bool(content.get("thread_ts") and content.get("reply_broadcast")),
            "text": str(content.get("text", ""))[:TEXT_MAX],
            "blocks": content.get("blocks") or [],
            "metadata": content.get("metadata"),
            "revision": 0,
        }
        self.channels.setdefault(channel, []).append(message)
        return message

    def _is_root(self, channel: str, ts: str) -> bool:
        message = self._find(channel, ts)
        return message is not None and message["thread_ts"] is None

    def _find(self, channel: str, ts: str) -> dict[str, Any] | None:
        messages = self.channels.get(channel, [])
        return next((message for message in messages if message["ts"] == ts), None)


def _in_channel(message: dict[str, Any]) -> bool:
    """Return whether the channel itself shows a message: a reply only if it was broadcast."""
    return message["thread_ts"] is None or message["broadcast"]


_CONTENT = ("text", "blocks", "metadata")


def _channel_id(channel: str) -> str | None:
    """Return a channel's id; posting by name is allowed, reading by name is not."""
    if _CHANNEL_ID.fullmatch(channel):
        return channel
    if not re.fullmatch(r"#?[a-z0-9_-]{1,80}", channel):
        return None
    return "C" + hashlib.sha256(channel.strip("#").encode()).hexdigest()[:10].upper()


def _content_error(message: dict[str, Any]) -> str:
    blocks, text = message.get("blocks") or [], message.get("text") or ""
    if not blocks and not text:
        return "no_text"
    if len(text) > TEXT_MAX:
        return "msg_too_long"
    if problems(blocks):
        return "invalid_blocks"
    if too_long(blocks):
        return "msg_blocks_too_long"
    return _metadata_error(message.get("metadata"))


def _metadata_error(metadata: object) -> str:
    if metadata is None:
        return ""
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        return "invalid_metadata_format"
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,255}", str(metadata.get("event_type", ""))):
        return "invalid_metadata_format"
    return "metadata_too_large" if len(str(metadata)) > METADATA_MAX else ""


def _facts(message: dict[str, Any], channel: str) -> dict[str, Any]:
    payload = (message["metadata"] or {}).get("event_payload", {})
    return {
        "channel": channel,
        "ts": message["ts"],
        "key": payload.get("key", ""),
        "part": payload.get("part", ""),
        "text": message["text"],
    }


def _ok(body: dict[str, Any], facts: dict[str, Any] | None = None) -> Reply:
    return Reply(body={"ok": True, **body}, facts=facts or {})


def _error(error: str, messages: list[str] | None = None) -> Reply:
    body: dict[str, Any] = {"ok": False, "error": error}
    if messages:
        body["response_metadata"] = {"messages": [f"[ERROR] {text}" for text in messages]}
    return Reply(body=body, facts={"error": error})


def _limited(wait: int, error: str, channel: str = "") -> Reply:
    return Reply(
        status=429,
        body={"ok": False, "error": error},
        headers={"Retry-After": str(wait)},
        facts={"error": error, "channel": channel},
    )
