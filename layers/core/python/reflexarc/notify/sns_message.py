"""A page_event/1 as SNS takes it: a subject for mail, attributes for subscriptions' filters.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

import json
from collections.abc import Mapping
from typing import Any

# "Less than 100 characters"; mail servers on the way are sure of ASCII alone.
SUBJECT = 99
_ATTRIBUTES = ("severity", "state", "event")


def render(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Publish takes beside the topic."""
    return {
        "Message": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
        "Subject": _subject(event),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": event[name]} for name in _ATTRIBUTES
        },
    }


def _subject(event: Mapping[str, Any]) -> str:
    standing = event["severity"] if event["state"] == "open" else event["state"]
    text = f"[{standing}] {event['summary']}".replace("…", "...").replace("·", "-")
    plain = text.encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT else f"{plain[: SUBJECT - 3]}..."
