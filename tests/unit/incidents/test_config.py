"""The incidents part of the document, and the policy that holds without one."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.events.notice import Channel
from reflexarc.incidents.config import IncidentsConfig, default_policy
from reflexarc.incidents.routes import wanted
from tests.support.incidents import NOW
from tests.support.policy import CHANNELS, broken, policy, silence, stated

SLACK = {"name": "slack", "kind": "slack", "destination": "C0PAGES"}


@pytest.mark.parametrize(
    ("severity", "owner", "channels", "routes"),
    [
        ("critical", "oncall", ["pagerduty", "slack"], ("critical",)),
        ("critical", "job", ["pagerduty", "slack"], ("critical",)),
        ("warning", "oncall", ["slack"], ("warning",)),
        ("warning", "job", ["slack"], ("application-fault",)),
        ("info", "oncall", [], ()),
        ("info", "job", [], ()),
    ],
)
def test_without_a_document_severity_decides(
    severity: str, owner: str, channels: list[str], routes: tuple[str, ...]
) -> None:
    found = wanted(broken(severity=severity, owner=owner), default_policy("C1"), NOW)

    assert ([channel.name for channel in found.channels], found.routes) == (channels, routes)
    assert found.steps == ()


def test_without_a_document_slack_is_the_given_channel_and_silences_hold() -> None:
    found = default_policy("C1", (silence(),))

    assert found.channels[1] == Channel(name="slack", kind="slack", destination="C1")
    assert found.silences == (silence(),)


def test_a_document_becomes_the_policy() -> None:
    document: dict[str, Any] = {
        "channels": [SLACK, {"name": "pager", "kind": "pagerduty", "secret": "night"}],
        "routes": [{"match": {"severity": ["critical"]}, "channels": ["slack"], "repeat": "4h"}],
        "hours": [{"name": "nights", "start": "22:00", "end": "06:00"}],
        "groupings": [{"family": "heat", "causes": ["thermal/*"], "by": ["rack"], "window": "1h"}],
        "inhibitions": [{"name": "i", "source": {"causes": ["a"]}, "target": {"causes": ["b"]}}],
        "maintenance": [{"name": "m", "match": {}, "reason": "r", "during": "nights"}],
        "window": "10m",
        "flaps": 4,
    }

    config = IncidentsConfig.model_validate(document)
    found = config.policy((silence(),))

    assert found.channels == (
        Channel(name="slack", kind="slack", destination="C0PAGES"),
        Channel(name="pager", kind="pagerduty", secret="night"),
    )
    assert found.routes[0].repeat == timedelta(hours=4)
    assert found.hours["nights"].start == "22:00"
    assert found.groupings[0].window == timedelta(hours=1)
    assert (found.inhibitions, found.maintenance) == (config.inhibitions, config.maintenance)
    assert (found.silences, found.window, found.flaps) == (
        (silence(),),
        timedelta(minutes=10),
        4,
    )


def test_what_a_document_leaves_out_is_as_without_one() -> None:
    found, without = policy(), default_policy("C1")

    assert (found.window, found.flaps) == (without.window, without.flaps)
    assert (found.silences, found.groupings) == ((), ())


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"routs": []}, "Extra inputs are not permitted"),
        ({"channels": [SLACK | {"destinaton": "C1"}]}, "Extra inputs are not permitted"),
        ({"channels": [SLACK | {"name": "a#b"}]}, "String should match pattern"),
        ({"channels": [SLACK | {"name": "a/b"}]}, "String should match pattern"),
        ({"channels": [SLACK] * 9}, "Tuple should have at most 8 items"),
        ({"routes": [{"channels": []}]}, "Tuple should have at least 1 item"),
        ({"groupings": [{"family": "heat", "causes": []}]}, "Tuple should have at least 1 item"),
        ({"groupings": [{"family": "heat"}]}, "Field required"),
        ({"hours": [{"name": "h", "start": "24:00"}]}, "String should match pattern"),
        ({"hours": [{"name": "h", "days": []}]}, "Tuple should have at least 1 item"),
        ({"window": "soon"}, "Value error, write a span as"),
        ({"flaps": 1}, "Input should be greater than or equal to 2"),
    ],
)
def test_a_malformed_part_is_refused_in_words(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        stated(**parts)

    assert refusal.value.errors()[0]["msg"].startswith(reason)


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValidationError, match="valid dictionary"):
        IncidentsConfig.model_validate(list(CHANNELS))
