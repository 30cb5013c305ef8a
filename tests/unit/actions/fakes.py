"""Clicks as Slack posts them, signed by Slack's own library, and fakes of the ports."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from reflexarc.actions.model import Post
from reflexarc.actions.service import ClickService
from reflexarc.events.action import Action
from reflexarc.kernel.errors import Unavailable

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SCOPE = "0123456789abcdef0123456789abcdef"


def payload(action_id: str = "reflexarc_ack", **more: Any) -> dict[str, Any]:
    """Return what Slack posts of a pressed button.

    https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
    """
    return {
        "type": "block_actions",
        "user": {"id": "U0ONCALL", "username": "on.call", "name": "on.call", "team_id": "T1"},
        "api_app_id": "A1",
        "token": "verification-tokens-are-deprecated",
        "container": {
            "type": "message",
            "message_ts": "1772366000.000100",
            "channel_id": "C0GPUALERTS",
            "is_ephemeral": False,
        },
        "trigger_id": "12466734323.1395872398",
        "team": {"id": "T1", "domain": "example"},
        "channel": {"id": "C0GPUALERTS", "name": "gpu-alerts"},
        "message": {"type": "message", "ts": "1772366000.000100", "text": "GPU fell off the bus"},
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        "actions": [
            {
                "action_id": action_id,
                "block_id": "people",
                "type": "button",
                "text": {"type": "plain_text", "text": "Ack"},
                "value": json.dumps({"scope": SCOPE, "generation": 3}),
                "action_ts": "1772366399.640180",
            }
        ],
        **more,
    }


def form(document: Mapping[str, Any] | str) -> bytes:
    text = document if isinstance(document, str) else json.dumps(document)
    return urlencode({"payload": text}).encode()


def signed(
    body: bytes,
    *,
    at: datetime = NOW,
    secret: str = SECRET,
    method: str = "POST",
) -> Post:
    """Return a request, signed as Slack's own library signs."""
    timestamp = str(int(at.timestamp()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    assert signature is not None
    return Post(method=method, body=body, timestamp=timestamp, signature=signature)


@dataclass
class FakeSecret:
    value: str = SECRET
    newer: str | None = None
    failure: str = ""
    reads: int = 0

    def current(self) -> str:
        self.reads += 1
        if self.failure:
            raise Unavailable(self.failure)
        return self.value

    def renewed(self) -> str | None:
        return self.newer


@dataclass
class FakeClicks:
    seen: set[str] = field(default_factory=set)
    failure: str = ""

    def first_time(self, digest: str, now: datetime) -> bool:
        del now
        if self.failure:
            raise Unavailable(self.failure)
        if digest in self.seen:
            return False
        self.seen.add(digest)
        return True


@dataclass
class FakeActions:
    sent: list[Action] = field(default_factory=list)
    failures: int = 0

    def send(self, action: Action) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the queue does not answer")
        self.sent.append(action)


@dataclass
class Bench:
    """A service on fakes, and the moment at which it works."""

    secret: FakeSecret = field(default_factory=FakeSecret)
    clicks: FakeClicks = field(default_factory=FakeClicks)
    actions: FakeActions = field(default_factory=FakeActions)
    now: datetime = NOW

    @property
    def service(self) -> ClickService:
        return ClickService(
            secret=self.secret, clicks=self.clicks, actions=self.actions, clock=lambda: self.now
        )
