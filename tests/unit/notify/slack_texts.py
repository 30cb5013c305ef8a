"""What a person reads of a Slack message, block by block."""

from collections.abc import Mapping
from typing import Any


def texts(message: Mapping[str, Any]) -> list[str]:
    """Return every text that is shown, in order; buttons by their labels."""
    found: list[str] = []
    for block in message["blocks"]:
        if block["type"] == "actions":
            found.append(" ".join(f"[{part['text']['text']}]" for part in block["elements"]))
            continue
        parts = [block["text"]] if "text" in block else block.get("fields", block.get("elements"))
        found += [part["text"] for part in parts]
    return found
