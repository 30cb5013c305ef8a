"""The watchdog over real adapters: silence becomes an incident, and a bad tick tells nobody."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.gpu_reading.handler import handler as gpu_reading
from functions.incident.handler import handler as incident
from functions.watchdog.handler import handler as watchdog
from reflexarc.adapters.dynamodb.leavers import DynamoLeavers
from reflexarc.adapters.http.dead_man import DeadMan
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime import watchdog_wiring
from tests.functions.test_handlers import TABLE, Cloud, cloud
from tests.support import readings
from tests.support.aws import dynamodb
from tests.support.readings import readings as said

__all__ = ["cloud"]
URL = "https://hc.example.com/ping/secret-uuid"
INSTANCE = "i-0a1b2c3d4e5f60718"
LATE = timedelta(seconds=156)


def heard(*nodes: dict[str, Any], ago: timedelta) -> None:
    """Let the fleet have heard nodes some time ago."""
    event = readings.envelope(nodes, sender=f"role:{INSTANCE}")
    at = round((datetime.now(UTC) - ago).timestamp() * 1000)
    for record in event["Records"]:
        record["attributes"]["SentTimestamp"] = str(at)
    assert gpu_reading(event, None) == {"batchItemFailures": []}


def looks(cloud: Cloud) -> list[dict[str, Any]]:
    return [each for each in cloud.waiting("SIGNALS_QUEUE_URL") if each["schema"] == "unheard/1"]


def configure(document: dict[str, Any]) -> None:
    keys = {"pk": {"S": "CONFIG"}, "sk": {"S": "LIVE"}}
    text, number = {"S": json.dumps(document)}, {"N": "1"}
    dynamodb().put_item(TableName=TABLE, Item={**keys, "doc": text, "version": number})


@pytest.fixture
def pings(cloud: Cloud) -> list[str]:
    """Configure a dead man's switch, and return what it hears."""
    told: list[str] = []
    channel = {"name": "gpu", "kind": "slack", "destination": "C0GPUALERTS"}
    configure({"incidents": {"channels": [channel], "dead_man_url": URL}})
    cloud.patch.setattr(DeadMan, "ping", lambda _, url: told.append(url))
    return told


def test_a_node_that_stops_sending_becomes_an_incident_and_ends_when_it_is_heard(
    cloud: Cloud,
) -> None:
    heard(said("node-7", 1, rack=""), ago=LATE)

    watchdog({}, None)
    found = looks(cloud)
    incident(readings.envelope(found), None)
    watchdog({}, None)

    (opened,) = cloud.incidents().recent(10)
    assert (opened.cause, opened.entity.node, opened.state) == ("agent/silent", "node-7", "open")
    assert looks(cloud) == []

    heard(said("node-7", 2, rack=""), ago=timedelta())
    watchdog({}, None)
    (clear,) = (each for each in cloud.waiting("SIGNALS_QUEUE_URL") if each["kind"] == "clear")
    incident(readings.envelope([clear]), None)

    (over,) = cloud.incidents().recent(10)
    assert (over.state, over.generation) == ("resolved", 1)


def test_a_silent_rack_is_one_incident(cloud: Cloud) -> None:
    heard(*(said(f"node-{number}", 1) for number in range(4)), ago=LATE)

    watchdog({}, None)
    incident(readings.envelope(looks(cloud)), None)

    (opened,) = cloud.incidents().recent(10)
    assert (opened.cause, opened.entity.device) == ("rack/silent", "r12")


def test_an_instance_that_its_group_ends_opens_nothing(cloud: Cloud) -> None:
    heard(said("node-7", 1), ago=LATE)
    leaving = {"schema": "leaving/1", "instance": INSTANCE, "group": "g", "at": "2026-11-24T03:13Z"}

    assert incident(readings.envelope([leaving]), None) == {"batchItemFailures": []}
    watchdog({}, None)
    incident(readings.envelope(looks(cloud)), None)
    watchdog({}, None)

    assert cloud.incidents().recent(10) == []
    assert looks(cloud) == []
    assert DynamoLeavers(dynamodb(), TABLE).recent() == {INSTANCE}


def test_a_step_that_is_due_comes_back_to_its_page(cloud: Cloud) -> None:
    due = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    scope = "0" * 32
    row = {
        "pk": {"S": f"PAGE#{scope}"},
        "sk": {"S": "A#00000001"},
        "watch_pk": {"S": "DUE#0"},
        "watch_sk": {"S": f"{due}#{scope}#1"},
        "timer": {"N": "3"},
    }
    dynamodb().put_item(TableName=TABLE, Item=row)

    watchdog({}, None)

    (timer,) = cloud.waiting("SIGNALS_QUEUE_URL")
    assert (timer["schema"], timer["page"]["scope"], timer["timer"]) == ("timer/1", scope, 3)


def test_a_tick_of_which_all_was_done_is_told_outside(pings: list[str]) -> None:
    heard(said("node-7", 1), ago=timedelta(seconds=100))

    watchdog({}, None)

    assert pings == [URL]


@pytest.mark.parametrize(
    ("chore", "broken"),
    [
        ("stale groups", {"INCIDENTS_TABLE": "no-such-table"}),
        ("steps that are due", {"INCIDENTS_TABLE": "no-such-table"}),
        ("silent nodes", {"FLEET_TABLE": "no-such-table"}),
        ("canaries", {"GPU_FAULTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/none"}),
    ],
)
def test_a_chore_that_fails_withholds_the_word_and_fails_the_tick(
    cloud: Cloud, pings: list[str], chore: str, broken: dict[str, str]
) -> None:
    for name, value in broken.items():
        cloud.patch.setenv(name, value)
    configured = watchdog_wiring.watchdog()
    assert chore in configured.chores.chores

    with pytest.raises(Unavailable, match=chore):
        watchdog({}, None)

    assert pings == []


def test_without_a_switch_nothing_is_called(cloud: Cloud) -> None:
    def never(_: DeadMan, url: str) -> None:
        raise AssertionError(url)

    cloud.patch.setattr(DeadMan, "ping", never)

    assert watchdog({}, None) == {"swept": 0}
