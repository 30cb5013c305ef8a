"""Slack's Web API by bot token: post, update in place, find what an earlier sender posted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.slack.answers import MessageGone, checked
from reflexarc.events.notice import Notice
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Ambiguous
from reflexarc.notify.model import Receipt
from reflexarc.notify.slack_message import EVENT_TYPE

VIA = "slack"
# How far before the notice a lost post can lie: two clocks, ours and Slack's, and nothing else.
SLACK_CLOCK = timedelta(minutes=5)
PAGE, PAGES = 200, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message stands; no ts when it came by webhook and cannot be edited."""

    via: str
    channel: str = ""
    ts: str = ""


@dataclass(frozen=True, kw_only=True)
class SlackWebApi:
    """Three methods of the Web API, each error sorted by what the sender must do."""

    http: HttpPool
    url: str = "https://slack.com/api"

    def post(self, token: str, channel: str, message: dict[str, Any]) -> Place:
        """Post a root message."""
        body = {"channel": channel, **_without_empty_blocks(message), **_NO_PREVIEWS}
        return self._told(token, "chat.postMessage", body)

    def update(self, token: str, receipt: Receipt, message: dict[str, Any]) -> Place:
        """Rewrite a message in place, or post it anew if it is gone."""
        body = {"channel": receipt.destination, "ts": receipt.vendor_id, **message}
        try:
            return self._told(token, "chat.update", body)
        except MessageGone:
            return self.post(token, receipt.destination, message)

    def find(self, token: str, notice: Notice) -> Receipt | None:
        """Return the receipt of this generation's message, if the channel holds one.

        The newest messages come first; what lies before the notice cannot be about it.
        """
        query = {
            "channel": notice.channel.destination,
            "oldest": f"{(notice.incident.opened_at - SLACK_CLOCK).timestamp():.6f}",
            "limit": str(PAGE),
            "include_all_metadata": "true",
        }
        for _ in range(PAGES):
            page = self._call(token, "conversations.history", query)
            for message in page.get("messages", []):
                if _key_of(message) == notice.incident.key:
                    return _receipt(message, notice.channel.destination)
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            query["cursor"] = cursor
        return None

    def _told(self, token: str, method: str, body: dict[str, Any]) -> Place:
        answer = self.http.post(f"{self.url}/{method}", body, _bearer(token))
        document = checked(answer, str(body["channel"]))
        channel, ts = document.get("channel"), document.get("ts")
        if not (isinstance(channel, str) and isinstance(ts, str)):
            raise Ambiguous(f"Slack's answer to {method} names no message")
        return Place(via=VIA, channel=channel, ts=ts)

    def _call(self, token: str, method: str, query: dict[str, str]) -> dict[str, Any]:
        answer = self.http.get(f"{self.url}/{method}", query, _bearer(token))
        return checked(answer, query["channel"])


_NO_PREVIEWS = {"unfurl_links": False, "unfurl_media": False}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _without_empty_blocks(message: dict[str, Any]) -> dict[str, Any]:
    """Return what a new message takes; an update needs the empty list to remove old blocks."""
    return {name: value for name, value in message.items() if name != "blocks" or value}


def _payload_of(message: dict[str, Any]) -> dict[str, Any]:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _key_of(message: dict[str, Any]) -> object:
    return _payload_of(message).get("key")


def _receipt(message: dict[str, Any], channel: str) -> Receipt:
    payload, ts = _payload_of(message), str(message["ts"])
    return Receipt(
        vendor_id=ts,
        destination=channel,
        via=VIA,
        posted_at=datetime.fromtimestamp(float(ts), UTC),
        severity=Severity(payload["severity"]) if "severity" in payload else None,
        latency_ms=payload.get("latency_ms"),
    )
