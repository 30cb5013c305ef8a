"""What people can find in Slack: the nodes that a page and its thread name, and what came twice."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = Mapping[str, Any]
_NAME = re.compile(r"`([^`\s]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one channel shows."""

    roots: int
    replies: int
    named: frozenset[str]
    """What is named in a root or its thread, of the names that were asked for."""
    doubled: tuple[str, ...]
    """Parts of a page that stand there more than once."""


def shown(messages: Sequence[Message], names: Iterable[str]) -> Shown:
    """Return what a channel's messages, as they read now, tell of these nodes."""
    roots = {message["ts"] for message in messages if message["thread_ts"] is None}
    reachable = [m for m in messages if m["ts"] in roots or m["thread_ts"] in roots]
    parts = Counter(part for message in messages if (part := _part(message)))
    return Shown(
        roots=len(roots),
        replies=len(messages) - len(roots),
        named=frozenset(names) & {name for message in reachable for name in _names(message)},
        doubled=tuple(sorted(part for part, times in parts.items() if times > 1)),
    )


def _part(message: Message) -> str:
    payload = (message["metadata"] or {}).get("event_payload", {})
    return f"{payload['key']} {payload['part']}" if payload else ""


def _names(message: Message) -> Iterator[str]:
    for said in (message["text"], *_texts(message["blocks"])):
        yield from _NAME.findall(said)


def _texts(blocks: object) -> Iterator[str]:
    """Yield every text inside blocks, however deep."""
    if isinstance(blocks, list):
        for each in blocks:
            yield from _texts(each)
    elif isinstance(blocks, dict):
        for name, held in blocks.items():
            if name == "text" and isinstance(held, str):
                yield held
            else:
                yield from _texts(held)
