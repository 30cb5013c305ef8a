"""What a message of ours that is found in Slack says that people were told: by its metadata."""

from datetime import UTC, datetime
from typing import Any

from reflexarc.events.page import Page
from reflexarc.events.severity import Severity
from reflexarc.notify.model import Posted, Receipt
from reflexarc.notify.slack_blocks import EVENT_TYPE
from reflexarc.notify.slack_plan import HISTORY, ROOT, VIA, known_as

Message = dict[str, Any]


def is_root_of(message: Message, page: Page) -> bool:
    """Return whether a message is this page's own, not one of its thread's."""
    payload = _payload(message)
    return payload.get("key") == page.key and payload.get("part", ROOT) == ROOT


def root(message: Message, channel: str) -> Receipt:
    """Return the receipt of a page's message."""
    payload = _payload(message)
    severity = payload.get("severity")
    return Receipt(
        vendor_id=str(message["ts"]),
        destination=channel,
        via=VIA,
        posted_at=_at(message),
        severity=Severity(severity) if severity else None,
        state=payload.get("state"),
        latency_ms=payload.get("latency_ms"),
        digest=payload.get("digest", ""),
        shared=payload.get("shared", False),
        said=payload.get("said", 0),
    )


def joined(receipt: Receipt, message: Message, page: Page) -> Receipt:
    """Return a page's receipt with one message of its thread that it may not know."""
    payload = _payload(message)
    part = str(payload.get("part", ROOT))
    if payload.get("key") != page.key or part == ROOT or part in receipt.parts:
        return receipt
    name, said = known_as(part), payload.get("said", 0)
    if name == HISTORY and said <= receipt.said:
        return receipt
    posted = Posted(
        vendor_id=str(message["ts"]), digest=payload.get("digest", ""), updated_at=_at(message)
    )
    return receipt.model_copy(
        update={"parts": {**receipt.parts, name: posted}, "said": max(said, receipt.said)}
    )


def _payload(message: Message) -> dict[str, Any]:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _at(message: Message) -> datetime:
    return datetime.fromtimestamp(float(message["ts"]), UTC)
