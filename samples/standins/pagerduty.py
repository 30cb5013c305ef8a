"""PagerDuty's Events API v2: its schema, its limits, and what its keys do to incidents.

https://developer.pagerduty.com/docs/send-alert-event. The published OpenAPI document misses four
rules that are checked here: a trigger needs a payload, a resolve its key, a summary has a limit,
unknown fields are refused.
"""

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from samples.standins.limits import Limits
from samples.standins.reply import Reply

BODY_MAX = 512 * 1024
SUMMARY_MAX = 1_024
KEY_MAX = 255
ROUTING_KEY_LENGTH = 32
_EVENT = frozenset(
    [
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "images",
        "links",
        "client",
        "client_url",
    ]
)
_PAYLOAD = frozenset(
    ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"]
)
_SEVERITIES = frozenset({"critical", "error", "warning", "info"})
_ACTIONS = frozenset({"trigger", "acknowledge", "resolve"})


@dataclass(slots=True)
class PagerDutyStandIn:
    """One integration: a key opens one incident, and after its resolve a new one."""

    routing_key: str
    limits: Limits
    incidents: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enqueue(self, event: dict[str, Any], size: int) -> Reply:
        """Answer one event."""
        if size > BODY_MAX:
            return Reply(status=413, body={"status": "invalid event", "message": "too large"})
        if errors := _errors(event):
            return _invalid(errors)
        if event["routing_key"] != self.routing_key:
            return _invalid(["Invalid routing key"])
        if wait := self.limits.retry_after(event["routing_key"]):
            return Reply(
                status=429,
                body={"status": "throttle exceeded", "message": "Requests are being throttled"},
                headers={"Retry-After": str(wait)},
            )
        key = event.get("dedup_key") or uuid4().hex
        with self._lock:
            opened = self._apply(event, key)
        payload = event.get("payload") or {}
        return Reply(
            status=202,
            body={"status": "success", "message": "Event processed", "dedup_key": key},
            facts={
                "action": event["event_action"],
                "key": key,
                "opened": opened,
                "text": payload.get("summary", ""),
            },
        )

    def reset(self) -> None:
        """Forget every incident and limit."""
        with self._lock:
            self.incidents.clear()
        self.limits.reset()

    def _apply(self, event: dict[str, Any], key: str) -> bool:
        action = event["event_action"]
        current = next(
            (i for i in self.incidents if i["dedup_key"] == key and i["status"] != "resolved"),
            None,
        )
        opened = current is None and action == "trigger"
        if opened:
            current = {
                "number": len(self.incidents) + 1,
                "dedup_key": key,
                "status": "triggered",
                "payload": event["payload"],
                "events": [],
            }
            self.incidents.append(current)
        if current is None:
            return False
        current["events"].append(event | {"routing_key": "<hidden>"})
        if action == "resolve":
            current["status"] = "resolved"
        elif action == "acknowledge":
            current["status"] = "acknowledged"
        return opened


def _errors(event: dict[str, Any]) -> list[str]:
    errors = [f"'{name}' is not a known field" for name in sorted(event.keys() - _EVENT)]
    routing_key = event.get("routing_key")
    if not isinstance(routing_key, str) or len(routing_key) != ROUTING_KEY_LENGTH:
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    action = event.get("event_action")
    if action not in _ACTIONS:
        errors.append("'event_action' is invalid (must be trigger, acknowledge or resolve)")
    key = event.get("dedup_key", "")
    if not isinstance(key, str) or len(key) > KEY_MAX:
        errors.append(f"'dedup_key' must be a string of at most {KEY_MAX} characters")
    if action == "trigger":
        return errors + _payload_errors(event.get("payload")) + _link_errors(event.get("links"))
    return errors if key else [*errors, f"'dedup_key' is required to {action}"]


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or not an object"]
    errors = [
        f"'payload.{name}' is not a known field" for name in sorted(payload.keys() - _PAYLOAD)
    ]
    errors += [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source", "severity")
        if not (isinstance(payload.get(name), str) and payload[name].strip())
    ]
    if len(str(payload.get("summary", ""))) > SUMMARY_MAX:
        errors.append(f"Length of 'payload.summary' is over {SUMMARY_MAX} characters")
    if payload.get("severity") not in _SEVERITIES:
        errors.append("'payload.severity' is invalid (must be critical, error, warning or info)")
    errors += [
        f"'payload.{name}' must be a string"
        for name in ("component", "group", "class")
        if not isinstance(payload.get(name, ""), str)
    ]
    if not isinstance(payload.get("custom_details", {}), dict):
        errors.append("'payload.custom_details' must be an object")
    if "timestamp" in payload and not _is_time(payload["timestamp"]):
        errors.append("'payload.timestamp' is not an ISO 8601 time")
    return errors


def _link_errors(links: object) -> list[str]:
    if links is None:
        return []
    if not isinstance(links, list):
        return ["'links' must be a list"]
    whole = all(
        isinstance(link, dict) and re.match(r"https?://", str(link.get("href", "")))
        for link in links
    )
    return [] if whole else ["every link needs an 'href'"]


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _invalid(errors: list[str]) -> Reply:
    return Reply(
        status=400,
        body={"status": "invalid event", "message": "Event object is invalid", "errors": errors},
        facts={"error": "; ".join(errors)},
    )
