"""Slack's Web API by bot token: post, update in place, find what an earlier sender posted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.slack import told
from reflexarc.adapters.slack.answers import MessageGone, checked
from reflexarc.events.page import Page
from reflexarc.kernel.errors import Ambiguous
from reflexarc.notify.model import Receipt

# How far before the page a lost post can lie: two clocks, ours and Slack's, and nothing else.
SLACK_CLOCK = timedelta(minutes=5)
PAGE, PAGES = 200, 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message stands."""

    channel: str
    ts: str


@dataclass(frozen=True, kw_only=True)
class SlackWebApi:
    """Five methods of the Web API, each error sorted by what the sender must do."""

    http: HttpPool
    url: str = "https://slack.com/api"

    def put(self, token: str, channel: str, ts: str, message: dict[str, Any]) -> Place:
        """Rewrite the message at `ts` in place; post it where there is none, or none any more."""
        if ts:
            try:
                return self._told(token, "chat.update", _changed(channel, ts, message))
            except MessageGone:
                pass
        body = {"channel": channel, **_without_empty_blocks(message), **_NO_PREVIEWS}
        return self._told(token, "chat.postMessage", body)

    def whisper(self, token: str, channel: str, person: str, text: str) -> None:
        """Show a text to one person of a channel, and to them alone.

        https://docs.slack.dev/reference/methods/chat.postEphemeral
        """
        body = {"channel": channel, "user": person, "text": text}
        checked(self.http.post(f"{self.url}/chat.postEphemeral", body, _bearer(token)), channel)

    def find_root(self, token: str, channel: str, page: Page) -> Receipt | None:
        """Return the receipt of this page's message, if the channel holds one.

        The newest messages come first; what lies before the page cannot be about it.
        """
        since = max(page.opened_at - _EPOCH, SLACK_CLOCK) - SLACK_CLOCK
        query = {"channel": channel, "oldest": f"{since.total_seconds():.6f}"}
        messages = self._messages(token, "conversations.history", query)
        return next((told.root(m, channel) for m in messages if told.is_root_of(m, page)), None)

    def find_replies(self, token: str, receipt: Receipt, page: Page) -> Receipt:
        """Return the receipt with all that its thread holds beyond what is known."""
        query = {"channel": receipt.destination, "ts": receipt.vendor_id}
        for message in self._messages(token, "conversations.replies", query):
            receipt = told.joined(receipt, message, page)
        return receipt

    def _messages(self, token: str, method: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        query = {**query, "limit": str(PAGE), "include_all_metadata": "true"}
        for _ in range(PAGES):
            answer = self.http.get(f"{self.url}/{method}", query, _bearer(token))
            page = checked(answer, query["channel"])
            yield from page.get("messages", [])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            query["cursor"] = cursor

    def _told(self, token: str, method: str, body: dict[str, Any]) -> Place:
        answer = self.http.post(f"{self.url}/{method}", body, _bearer(token))
        document = checked(answer, str(body["channel"]))
        channel, ts = document.get("channel"), document.get("ts")
        if not (isinstance(channel, str) and isinstance(ts, str)):
            raise Ambiguous(f"Slack's answer to {method} names no message")
        return Place(channel=channel, ts=ts)


_NO_PREVIEWS = {"unfurl_links": False, "unfurl_media": False}
_ONLY_NEW = frozenset({"thread_ts", "reply_broadcast"})


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _changed(channel: str, ts: str, message: dict[str, Any]) -> dict[str, Any]:
    content = {name: value for name, value in message.items() if name not in _ONLY_NEW}
    return {"channel": channel, "ts": ts, **content}


def _without_empty_blocks(message: dict[str, Any]) -> dict[str, Any]:
    """Return what a new message takes; an update needs the empty list to remove old blocks."""
    return {name: value for name, value in message.items() if name != "blocks" or value}
