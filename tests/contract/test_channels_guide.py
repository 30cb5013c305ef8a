"""docs/guides/channels.md: what it tells receivers to run works, its YAML is a valid document."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from reflexarc.adapters.webhook import signature
from reflexarc.adapters.webhook.sender import EVENT_ID
from reflexarc.events.notice import ChannelKind
from reflexarc.events.page_event import Happening
from reflexarc.incidents.config import IncidentsConfig

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "channels.md").read_text(encoding="utf-8")
BODY, KEY, OTHER = b'{"schema": "page_event/1"}', "k" * 32, "o" * 32


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


@pytest.fixture
def verify() -> Callable[[bytes, str, str], bool]:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "channels.md", "exec"), names)  # noqa: S102 - our own guide
    verified: Callable[[bytes, str, str], bool] = names["is_from_reflexarc"]
    return verified


def signed(*keys: str, minutes: float = 0) -> str:
    return signature.header(BODY, keys, datetime.now(UTC) - timedelta(minutes=minutes))


def test_the_guide_s_code_takes_what_we_sign(verify: Callable[[bytes, str, str], bool]) -> None:
    assert verify(BODY, signed(KEY), KEY)
    assert verify(BODY, signed(OTHER, KEY), KEY)
    assert verify(BODY, signed(OTHER, KEY), OTHER)
    assert verify(BODY, signed(KEY, minutes=4), KEY)


REFUSED: dict[str, Callable[[], tuple[bytes, str, str]]] = {
    "another body": lambda: (BODY + b" ", signed(KEY), KEY),
    "another key": lambda: (BODY, signed(KEY), OTHER),
    "too old": lambda: (BODY, signed(KEY, minutes=6), KEY),
    "of the future": lambda: (BODY, signed(KEY, minutes=-6), KEY),
    "another version": lambda: (BODY, signed(KEY).replace("v1=", "v0="), KEY),
    "no signature": lambda: (BODY, f"t={int(time.time())}", KEY),
    "no ASCII": lambda: (BODY, f"t={int(time.time())},v1=é", KEY),
    "no time": lambda: (BODY, "v1=00", KEY),
    "nothing": lambda: (BODY, "", KEY),
}


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED.keys())
def test_the_guide_s_code_refuses_all_else(
    verify: Callable[[bytes, str, str], bool], made: Callable[[], tuple[bytes, str, str]]
) -> None:
    # Made now: a suite may take longer than a signature lasts.
    body, header, key = made()

    assert not verify(body, header, key)


def test_the_guide_s_configuration_is_one() -> None:
    config = IncidentsConfig.model_validate(yaml.safe_load(block("yaml"))["incidents"])

    assert {channel.kind for channel in config.channels} == set(get_args(ChannelKind))


def test_the_guide_names_every_header_and_every_event() -> None:
    named = (signature.HEADER, EVENT_ID, *get_args(Happening))

    assert [name for name in named if f"`{name}`" not in GUIDE] == []
