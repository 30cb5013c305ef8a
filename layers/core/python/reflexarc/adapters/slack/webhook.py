"""Slack's incoming webhook, the fallback: it can only add messages, and names none of them."""

from dataclasses import dataclass
from typing import Any

from reflexarc.adapters.http.pool import HttpPool
from reflexarc.adapters.slack.answers import checked_webhook


@dataclass(frozen=True, kw_only=True)
class SlackWebhook:
    """Posts to the channel that the webhook was made for."""

    http: HttpPool

    def post(self, webhook_url: str, message: dict[str, Any]) -> None:
        """Post a message; a webhook knows neither metadata nor empty blocks."""
        content = {name: message[name] for name in ("text", "blocks") if message[name]}
        checked_webhook(self.http.post(webhook_url, content))
