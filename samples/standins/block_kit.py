"""What Slack says about blocks: slack_sdk's own checks, and the rules that it does not know.

Limits: https://docs.slack.dev/reference/block-kit/blocks/; the size of all blocks together is not
documented, https://github.com/slackapi/bolt-js/issues/2509 measured it.
"""

import json
from collections.abc import Iterator
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

BLOCKS, FIELD, TEXT, ALL = 50, 2_000, 3_000, 13_200


def problems(blocks: object) -> list[str]:
    """Return why Slack would refuse these blocks; empty when it takes them."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return ["blocks must be a list of objects"]
    found = [problem for block in blocks for problem in _of_block(block)]
    if len(blocks) > BLOCKS:
        found.append(f"no more than {BLOCKS} items allowed")
    found += _repeated_action_ids(blocks)
    return found


def too_long(blocks: list[dict[str, Any]]) -> bool:
    """Return whether all blocks together are more than Slack takes."""
    return len(json.dumps(blocks, ensure_ascii=False)) > ALL


def _of_block(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    try:
        parsed = Block.parse(block)
        if parsed is None or parsed.type != kind:
            yield f"unsupported type: {kind}"
            return
        parsed.to_dict()
    except (SlackObjectFormationError, TypeError, KeyError, AttributeError) as error:
        yield f"{kind}: {error}"
    for field in block.get("fields") or []:
        if len(field.get("text", "")) > FIELD:
            yield f"{kind}: a field has more than {FIELD} characters"
    for text in _texts(block):
        if not isinstance(text["text"], str) or not 1 <= len(text["text"]) <= TEXT:
            yield f"{kind}: a text must have 1 to {TEXT} characters"


def _texts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") in {"mrkdwn", "plain_text"}:
            yield {"text": None, **node}
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _repeated_action_ids(blocks: list[dict[str, Any]]) -> list[str]:
    seen: set[str] = set()
    repeated: list[str] = []
    for block in blocks:
        for element in block.get("elements") or []:
            action_id = element.get("action_id") if isinstance(element, dict) else None
            if action_id in seen:
                repeated.append(f"action_id {action_id} is not unique")
            if action_id:
                seen.add(action_id)
    return repeated
