from typing import Any

import pytest

from samples.standins.server import ROUTING_KEY
from tests.standins.conftest import Client

PAYLOAD = {"summary": "GPU lost", "source": "node-7", "severity": "critical"}


def trigger(**changes: Any) -> dict[str, Any]:
    event = {
        "routing_key": ROUTING_KEY,
        "event_action": "trigger",
        "dedup_key": "k1",
        "payload": PAYLOAD,
    }
    return event | changes


def act(action: str, key: str = "k1") -> dict[str, Any]:
    return {"routing_key": ROUTING_KEY, "event_action": action, "dedup_key": key}


def statuses(client: Client) -> list[tuple[str, str]]:
    incidents = client.control("/_pagerduty")["incidents"]
    return [(incident["dedup_key"], incident["status"]) for incident in incidents]


def test_a_key_is_one_incident_until_it_is_resolved(client: Client) -> None:
    for event in (trigger(), trigger(), act("acknowledge"), trigger()):
        assert client.enqueue(**event).status == 202
    assert statuses(client) == [("k1", "acknowledged")]

    client.enqueue(**act("resolve"))
    client.enqueue(**trigger())

    assert statuses(client) == [("k1", "resolved"), ("k1", "triggered")]


def test_the_log_tells_what_opened_an_incident(client: Client) -> None:
    for event in (trigger(), trigger(), act("resolve"), trigger(), trigger(dedup_key="k2")):
        client.enqueue(**event)

    opened = [entry["opened"] for entry in client.control("/_log")["log"]]

    assert opened == [True, False, False, True, True]


def test_a_resolve_of_nothing_opens_nothing(client: Client) -> None:
    assert client.enqueue(**act("resolve")).status == 202
    assert statuses(client) == []


def test_a_trigger_without_key_gets_one(client: Client) -> None:
    event = trigger()
    del event["dedup_key"]

    answer = client.body(client.enqueue(**event))

    assert statuses(client) == [(answer["dedup_key"], "triggered")]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (trigger(payload=None), "'payload' is missing"),
        (trigger(payload=PAYLOAD | {"summary": "x" * 1_025}), "over 1024 characters"),
        (trigger(payload=PAYLOAD | {"summary": " "}), "'payload.summary' is missing or blank"),
        (trigger(payload=PAYLOAD | {"severity": "fatal"}), "'payload.severity' is invalid"),
        (trigger(payload=PAYLOAD | {"colour": "red"}), "'payload.colour' is not a known field"),
        (trigger(payload=PAYLOAD | {"group": 7}), "'payload.group' must be a string"),
        (trigger(payload=PAYLOAD | {"timestamp": "now"}), "not an ISO 8601 time"),
        (trigger(payload=PAYLOAD | {"timestamp": 7}), "not an ISO 8601 time"),
        (trigger(payload=PAYLOAD | {"custom_details": "x"}), "must be an object"),
        (trigger(links="x"), "'links' must be a list"),
        (trigger(links=[{"href": "ftp://x"}]), "every link needs an 'href'"),
        (trigger(colour="red"), "'colour' is not a known field"),
        (trigger(dedup_key="x" * 256), "at most 255"),
        (trigger(routing_key="short"), "Length of 'routing_key' is incorrect"),
        (trigger(routing_key="x" * 32), "Invalid routing key"),
        (trigger(event_action="fire"), "'event_action' is invalid"),
        (act("resolve", key=""), "'dedup_key' is required to resolve"),
    ],
)
def test_pagerduty_refuses(client: Client, event: dict[str, Any], error: str) -> None:
    answer = client.enqueue(**event)

    assert answer.status == 400
    assert error in "; ".join(client.body(answer)["errors"])
    assert statuses(client) == []


def test_an_event_over_512_kilobytes_is_too_large(client: Client) -> None:
    big = trigger(payload=PAYLOAD | {"custom_details": {"x": "x" * 530_000}})

    assert client.enqueue(**big).status == 413


def test_a_key_takes_120_events_a_minute(client: Client) -> None:
    answers = [client.enqueue(**trigger()) for _ in range(122)]

    assert {answer.status for answer in answers[:120]} == {202}
    assert answers[-1].status == 429
    assert answers[-1].headers["Retry-After"] == "1"
