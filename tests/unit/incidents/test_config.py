from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.events.notice import Channel
from reflexarc.events.severity import Severity
from reflexarc.incidents.config import IncidentsConfig, default_routing
from reflexarc.incidents.model import Route, Routing
from tests.support.incidents import change, signal, told

SLACK = {"name": "slack", "kind": "slack", "destination": "C0PAGES"}


@pytest.mark.parametrize(
    ("severity", "owner", "channels"),
    [
        (Severity.CRITICAL, "oncall", ["pagerduty", "slack"]),
        (Severity.WARNING, "oncall", ["slack"]),
        (Severity.WARNING, "job", ["slack"]),
        (Severity.INFO, "oncall", []),
    ],
)
def test_default_routes(severity: Severity, owner: str, channels: list[str]) -> None:
    decided = change(signal(severity=severity, owner=owner), routing=default_routing("C1"))

    assert [channel for _, channel, _ in told(decided)] == channels


def test_default_slack_channel_is_the_given_one() -> None:
    slack = default_routing("C1").channels[1]

    assert (slack.kind, slack.destination) == ("slack", "C1")


def test_document_becomes_the_routing() -> None:
    document = {
        "channels": [SLACK],
        "routes": [{"match": {"severity": ["critical"]}, "channels": ["slack"]}],
    }

    routing = IncidentsConfig.model_validate(document).routing()

    assert routing.channels[0].destination == "C0PAGES"
    assert routing.routes[0].match.severity == (Severity.CRITICAL,)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"channels": [SLACK], "routs": []}, "Extra inputs are not permitted"),
        ({"channels": [SLACK | {"destinaton": "C1"}]}, "Extra inputs are not permitted"),
        ({"channels": [SLACK | {"name": "a#b"}]}, "String should match pattern"),
        ({"channels": [SLACK, SLACK]}, "Value error, more than one channel is named slack"),
        ({"channels": []}, "Tuple should have at least 1 item"),
        (
            {"channels": [SLACK], "routes": [{"channels": ["slak"]}]},
            "Value error, route 1 goes to slak, which is no channel; there are: slack",
        ),
        ("nonsense", "Input should be a valid dictionary"),
    ],
)
def test_bad_document_is_refused_in_words(document: Any, reason: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        IncidentsConfig.model_validate(document)

    assert refusal.value.errors()[0]["msg"].startswith(reason)


def test_routing_itself_refuses_a_route_to_nowhere() -> None:
    with pytest.raises(ValidationError, match="there are: none"):
        Routing(channels=(), routes=(Route(channels=("slack",)),))


def test_routing_itself_refuses_two_channels_of_one_name() -> None:
    twin = Channel(name="slack", kind="slack")

    with pytest.raises(ValidationError, match="more than one channel"):
        Routing(channels=(twin, twin), routes=())
