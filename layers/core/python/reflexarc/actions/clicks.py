"""Reads what was pressed in a verified request. Pure.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from reflexarc.actions.model import Post, Refused
from reflexarc.events.action import Act, Action, Person
from reflexarc.events.incident import PageRef
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid

PREFIX = "reflexarc_"
NAME_MAX = 200
# Slack sends one element an interaction; more than a message holds is nonsense.
# https://docs.slack.dev/reference/block-kit/blocks/actions-block
PRESSED_MAX = 25
_FIELDS_MAX = 10
_ACTS: Mapping[str, Act] = {f"{PREFIX}{act}": act for act in get_args(Act)}

Id = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX)]


class _Part(BaseModel):
    """A part of Slack's payload; what we do not use, it may change."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Kind(_Part):
    type: str


class _User(_Part):
    id: Id
    username: str | None = None
    name: str | None = None


class _Container(_Part):
    channel_id: Id
    message_ts: Id


class _Pressed(_Part):
    action_id: str
    value: Any = None


class _BlockActions(_Part):
    user: _User
    container: _Container
    actions: Annotated[tuple[_Pressed, ...], Field(max_length=PRESSED_MAX)]


T = TypeVar("T", bound=BaseModel)


def clicked(post: Post, at: datetime) -> tuple[Action, ...]:
    """Return what our buttons ask for; empty for interactions that are none of ours.

    Equal requests give equal actions, ids included: whoever applies them knows a repeat. Raises
    Refused (400) for what Slack would not send.
    """
    payload = _payload(post.body)
    if payload is None or _read(_Kind, payload, "the payload").type != "block_actions":
        return ()
    block = _read(_BlockActions, payload, "the payload")
    ours = [pressed for pressed in block.actions if pressed.action_id in _ACTS]
    return tuple(
        Action(
            id=ulid(at, _entropy(post, place)),
            act=_ACTS[pressed.action_id],
            page=_page(pressed.value),
            person=_person(block.user),
            at=at,
            reply_to=f"{block.container.channel_id}|{block.container.message_ts}",
        )
        for place, pressed in enumerate(ours)
    )


def _payload(body: bytes) -> str | None:
    """Return the interaction in a form; None where the form is a check of Slack's."""
    try:
        form = parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError:  # its text would show the body
        raise Refused(400, "the body is not the form that Slack sends") from None
    if "ssl_check" in form:
        return None
    payloads = form.get("payload", [])
    if len(payloads) != 1:
        raise Refused(400, f"the form holds {len(payloads)} fields named payload")
    return payloads[0]


def _page(value: Any) -> PageRef:
    if not isinstance(value, str):
        raise Refused(400, "the button names no page")
    return _read(PageRef, value, "the button's value")


def _person(user: _User) -> Person:
    # The person's handle: payloads carry no real name.
    return Person(id=user.id, name=(user.username or user.name or "")[:NAME_MAX], via="slack")


def _entropy(post: Post, place: int) -> bytes:
    return hashlib.sha256(f"{place}|{post.signature}".encode()).digest()[:ENTROPY_BYTES]


def _read(shape: type[T], text: str, what: str) -> T:
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        at = f" at {where}" if where else ""
        raise Refused(400, f"{what} is not what Slack sends{at}: {first['msg']}") from None
