"""Cuts {"messages": [...]} into its messages, byte for byte, and looks at each lightly. Pure.

A message is judged whole by the function that reads its queue. Here only what decides about passing
is looked at: the name of its schema, its id, its size, and the node in whose name it speaks.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reflexarc.ingest.model import Entry, Lane, Refused, Result
from reflexarc.kernel.ids import ULID_PATTERN

# Fifty requests to SQS, a second at most; an agent sends ten messages at a time.
MESSAGES_MAX = 500
# What the functions behind the queues take (gpu/messages.py).
BODY_MAX = 448 * 1024
# As gpu/salvage.py reads a node: a longer name would make it look for another.
NODE_MAX = 253
_LANES: dict[str, Lane] = {"gpu_faults": "faults", "gpu_readings": "readings"}
_ULID = re.compile(ULID_PATTERN)
_SPACE = re.compile(r"[ \t\n\r]*")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_NOT_FOR_SQS = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Cut:
    """One message: what it says, and the text that said it."""

    value: Any
    text: str


def cut(text: str) -> tuple[Cut, ...]:
    """Return the messages of a body, in order; raises Refused where it is not of this form."""
    try:
        return _cut(text)
    except RecursionError as error:
        raise Refused(400, "the body is nested too deeply") from error
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {str(error)[:200]}") from error


def looked_at(message: Cut, index: int) -> Entry | Result:
    """Return what may pass, or the refusal that the sender is told."""
    value = message.value
    if not isinstance(value, dict):
        return Result(id="", status="rejected", reason="a message must be a JSON object")
    found = value.get("id")
    message_id = found if isinstance(found, str) and _ULID.fullmatch(found) else ""
    lane, node = _lane(value.get("schema")), _node(value.get("source"))
    if why := _why_not(message.text, message_id, lane, node):
        return Result(id=message_id, status="rejected", reason=why)
    # The checks above leave neither of them empty.
    return Entry(index=index, id=message_id, lane=lane or "faults", node=node, body=message.text)


def _why_not(text: str, message_id: str, lane: Lane | None, node: str) -> str:
    if lane is None:
        return f"the schema must be one of {', '.join(f'{name}/<version>' for name in _LANES)}"
    if not message_id:
        return "id must be a ULID"
    if not node:
        return f"source.node must name a node, in at most {NODE_MAX} characters"
    # ASCII, as every message of our agent, needs no second copy to be measured.
    size = len(text) if text.isascii() else len(text.encode())
    if size > BODY_MAX:
        return f"the message has {size:,} bytes; at most {BODY_MAX:,} are taken"
    if _NOT_FOR_SQS.search(text):
        return "the message holds characters that SQS does not take: escape them"
    return ""


def _lane(schema: object) -> Lane | None:
    """Return where a message goes by the name of its schema; its version is the reader's concern.

    Agents may be newer than this stack: gpu_alert pages what it can read of a version unknown to
    it, and keeps the rest.
    """
    name, slash, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    return _LANES.get(name) if slash and version else None


def _node(source: object) -> str:
    node = source.get("node") if isinstance(source, dict) else None
    if not isinstance(node, str) or len(node) > NODE_MAX:
        return ""
    # Lone surrogates: JSON can say them, UTF-8 cannot; each reader would make another name of it.
    return "" if any("\ud800" <= letter <= "\udfff" for letter in node) else node


def _cut(text: str) -> tuple[Cut, ...]:
    found: tuple[Cut, ...] | None = None
    at = _expected(text, _skip(text, 0), "{")
    while True:
        key, at = _DECODER.raw_decode(text, _skip(text, at))
        if not isinstance(key, str):
            raise Refused(400, "the body is not JSON: a name was expected")
        at = _skip(text, _expected(text, _skip(text, at), ":"))
        if key == "messages":
            if found is not None:
                raise Refused(400, '"messages" is there twice')
            found, at = _elements(text, at)
        else:
            _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            break
        at += 1
    if _skip(text, _expected(text, at, "}")) != len(text):
        raise ValueError("something follows the document")
    if not found:
        raise Refused(400, 'the body must be {"messages": [...]} with at least one message')
    return found


def _elements(text: str, at: int) -> tuple[tuple[Cut, ...], int]:
    if text[at : at + 1] != "[":
        raise Refused(400, '"messages" must be a list')
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        return (), at + 1
    found: list[Cut] = []
    for each, end in _each(text, at):
        found.append(each)
        at = end
        if len(found) > MESSAGES_MAX:
            raise Refused(413, f"more than {MESSAGES_MAX} messages: send fewer at a time")
    return tuple(found), _expected(text, at, "]")


def _each(text: str, at: int) -> Iterator[tuple[Cut, int]]:
    while True:
        at = _skip(text, at)
        value, end = _DECODER.raw_decode(text, at)
        after = _skip(text, end)
        yield Cut(value, text[at:end]), after
        if text[after : after + 1] != ",":
            return
        at = after + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _expected(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark!r} was expected at character {at}")
    return at + 1
