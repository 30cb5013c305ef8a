"""Whether every channel has what it speaks with, and no word of what that is."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from reflexarc.incidents.document import ChannelConfig
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime.secret_check import missing_secrets

KEY = "k" * 32
SLACK = ChannelConfig(name="alerts", kind="slack", destination="C0ALERTS")
PAGER = ChannelConfig(name="pager", kind="pagerduty")
HOOK = ChannelConfig(name="hook", kind="webhook", destination="https://hooks.example")
TOPIC = ChannelConfig(name="topic", kind="sns")


@dataclass
class FakeSecrets:
    texts: dict[str, Any] = field(default_factory=dict)
    denied: bool = False

    def text(self, kind: str) -> str | None:
        if self.denied:
            raise Unavailable(f"the {kind} secret cannot be read: AccessDeniedException")
        if kind not in self.texts:
            return None
        value = self.texts[kind]
        return value if isinstance(value, str) else json.dumps(value)

    def put_command(self, kind: str) -> str:
        return f"put {kind}"


def found(channel: ChannelConfig, secrets: FakeSecrets) -> list[tuple[str, str]]:
    return [(each.level, each.what) for each in missing_secrets([channel], secrets)]


@pytest.mark.parametrize(
    ("channel", "value"),
    [
        (SLACK, {"token": "xoxb-1"}),
        (SLACK, {"webhook_url": "https://hooks.slack.example/1"}),
        (PAGER, {"routing_key": KEY}),
        (PAGER.model_copy(update={"secret": "night"}), {"keys": {"night": KEY}}),
        (HOOK, {"keys": {"hook": [KEY]}}),
        (HOOK.model_copy(update={"secret": "shared"}), {"keys": {"shared": [KEY, KEY]}}),
    ],
)
def test_a_channel_that_can_speak_has_no_problem(channel: ChannelConfig, value: object) -> None:
    assert found(channel, FakeSecrets({channel.kind: value})) == []


def test_a_kind_without_a_secret_needs_none() -> None:
    assert found(TOPIC, FakeSecrets()) == []


@pytest.mark.parametrize(
    ("channel", "value", "says"),
    [
        (SLACK, "", "alerts has no secret: the slack secret has no value. Put it right: put slack"),
        (SLACK, {"token": "", "webhook_url": ""}, "neither token nor webhook_url"),
        (SLACK.model_copy(update={"secret": "other"}), {"token": "t"}, "no entry other"),
        (PAGER, {"routing_key": ""}, "no integration key"),
        (PAGER, {"keys": {"night": KEY}}, "the PagerDuty secret has no key routing_key"),
        (
            PAGER.model_copy(update={"secret": "night"}),
            {"routing_key": KEY},
            "the PagerDuty secret has no key night",
        ),
        (PAGER, "not JSON", "Invalid JSON"),
        (HOOK, {"keys": {}}, "the webhook secret has no key hook"),
        (HOOK, {"keys": {"hook": ["short"]}}, "a signing key has 32 characters or more"),
        (HOOK, {}, "Field required"),
    ],
)
def test_a_channel_without_a_secret_is_an_error(
    channel: ChannelConfig, value: object, says: str
) -> None:
    ((level, what),) = found(channel, FakeSecrets({channel.kind: value}))

    assert level == "error"
    assert says in what


@pytest.mark.parametrize(
    ("channel", "value"),
    [(HOOK, {"keys": {"hook": ["s3cret"]}}), (PAGER, {"routing_key": "s3cret"}), (SLACK, "s3cret")],
)
def test_no_word_of_a_malformed_secret_is_shown(channel: ChannelConfig, value: object) -> None:
    ((_, what),) = found(channel, FakeSecrets({channel.kind: value}))

    assert "s3cret" not in what


def test_an_operator_who_may_not_read_secrets_is_told_that_nobody_knows() -> None:
    denied = "the pagerduty secret cannot be read: AccessDeniedException"

    assert found(PAGER, FakeSecrets(denied=True)) == [
        ("warning", f"{denied}; so nobody knows whether pager can speak")
    ]


def test_each_problem_stands_at_its_channel() -> None:
    secrets = FakeSecrets({"slack": {"token": "t"}, "pagerduty": ""})

    places = [each.place for each in missing_secrets([SLACK, PAGER, PAGER], secrets)]

    assert places == [("incidents", "channels", 1), ("incidents", "channels", 2)]
