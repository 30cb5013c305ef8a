"""Somebody's webhook: verifies what docs/guides/channels.md says, and drops what comes again."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from samples.standins.reply import Reply

SCHEMA = Path(__file__).parents[2] / "events" / "schemas" / "page_event.v1.json"
OLDEST_S = 300


@dataclass(slots=True)
class WebhookStandIn:
    """One receiver with one key; `events` holds each event once, in order."""

    key: str
    clock: Callable[[], float] = time.time
    events: list[dict[str, Any]] = field(default_factory=list)
    repeats: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer one request."""
        if problem := self._forged(body, headers.get("X-Reflexarc-Signature", "")):
            return Reply(status=401, body=problem, facts={"error": problem})
        event = _json(body)
        if problem := _wrong(event, headers.get("X-Reflexarc-Event-Id", "")):
            return Reply(status=422, body=problem, facts={"error": problem})
        with self._lock:
            seen = any(known["id"] == event["id"] for known in self.events)
            if seen:
                self.repeats += 1
            else:
                self.events.append(event)
        facts = {"key": event["key"], "text": event["summary"], "action": event["event"]}
        opened = event["event"] == "opened" and not seen
        return Reply(status=202, body="", facts=facts | {"opened": opened})

    def reset(self) -> None:
        """Forget every event."""
        with self._lock:
            self.events.clear()
            self.repeats = 0

    def _forged(self, body: bytes, header: str) -> str:
        parts = [part.partition("=") for part in header.split(",")]
        moments = [value for name, _, value in parts if name == "t" and value.isdigit()]
        if len(moments) != 1:
            return "no signature"
        if abs(self.clock() - int(moments[0])) > OLDEST_S:
            return "the signature is old"
        signed = moments[0].encode() + b"." + body
        right = hmac.new(self.key.encode(), signed, hashlib.sha256).hexdigest()
        given = [value for name, _, value in parts if name == "v1"]
        known = [value for value in given if hmac.compare_digest(value.encode(), right.encode())]
        return "" if known else "the signature is not ours"


@cache
def _validator() -> Any:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _wrong(event: dict[str, Any], event_id: str) -> str:
    problem = next(_validator().iter_errors(event), None)
    if problem is not None:
        return str(problem.message)[:200]
    return "" if event["id"] == event_id else "the header's id is another"
