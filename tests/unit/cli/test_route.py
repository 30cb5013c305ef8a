"""`reflexarc route test`, with a file and over a stack in memory."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.dynamodb.silences import DynamoSilences
from reflexarc.cli.route import route_app
from reflexarc.incidents.mutes import holds
from reflexarc.runtime import operator
from reflexarc.runtime.config import parse
from tests.support.aws import aws, dynamodb, make_table
from tests.support.commits import wrote
from tests.support.incidents import NOW
from tests.support.policy import broken, silence

SAMPLE = Path(__file__).parents[3] / "samples" / "config" / "reflexarc.yaml"
TABLE = "incidents"
QUIET = {
    "name": "node-explains-gpus",
    "source": {"causes": ["driver/*"]},
    "target": {"causes": ["xid/*"]},
    "equal": ["node"],
}
DOCUMENT = {
    "incidents": {
        "channels": [{"name": "pager", "kind": "pagerduty"}],
        "routes": [{"name": "all", "channels": ["pager"]}],
        "inhibitions": [QUIET],
    }
}
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def stack() -> Iterator[None]:
    def find(name: str, endpoint: str | None) -> operator.Deployment:
        del name, endpoint
        client = dynamodb()
        return operator.Deployment(IncidentList(client, TABLE), ConfigDocument(client, TABLE))

    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), TABLE)
        patch.setattr(operator, "find", find)
        patch.setenv("COLUMNS", "200")
        yield


def tried(*arguments: str) -> dict[str, Any]:
    done = run(route_app, ["test", "--json", *arguments])
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def sample(*arguments: str) -> dict[str, Any]:
    return tried("--config", str(SAMPLE), *arguments)


def push(document: Any) -> None:
    ConfigDocument(dynamodb(), TABLE).push(json.dumps(document), 0, NOW)


def test_a_file_says_who_is_told_now_and_why_the_others_are_not() -> None:
    said = sample("--label", "severity=critical", "--label", "node=gpu-7", "--cause", "xid/79")

    assert said["channels"] == ["pager", "gpu-alerts", "everything"]
    assert {each["route"]: each["why_not"] for each in said["routes"] if not each["takes"]} == {
        "fabric": ["cause is xid/79, not sxid/* or network/*"],
        "warnings": ["severity is critical, not warning"],
        "application-faults": ["owner is oncall, not job"],
        "rack-12": ["label rack is absent, not r12*", "label zone is absent, not eu-?"],
    }


def test_a_time_at_night_says_when_who_is_told() -> None:
    said = sample("--label", "severity=warning", "--at", "2026-11-28T03:00")

    assert said["channels"] == ["everything"]
    assert [(step["kind"], step["at"], step["channels"]) for step in said["steps"]] == [
        ("begin", "2026-11-30T08:00:00Z", ["gpu-alerts"]),
        ("escalate", "2026-11-30T10:00:00Z", ["pager"]),
    ]


def test_a_time_may_name_its_zone() -> None:
    said = sample("--label", "severity=warning", "--at", "2026-11-30T09:00+01:00")

    assert said["channels"] == ["gpu-alerts", "everything"]


def test_the_page_that_it_joins_is_named() -> None:
    said = sample("--label", "node=gpu-7", "--label", "rack=r12", "--cause", "thermal/limit")

    assert (said["page"]["family"], said["page"]["by"]) == ("cooling", {"rack": "r12"})
    assert len(said["page"]["scope"]) == 32


def test_planned_work_is_named_as_what_keeps_it_quiet() -> None:
    said = sample("--label", "rack=r07", "--at", "2099-01-10T21:00Z")

    assert (said["muted"]["kind"], said["muted"]["name"]) == ("maintenance", "firmware")
    assert said["muted"]["until"] == "2099-01-11T02:00:00Z"


def test_people_read_a_table() -> None:
    done = run(
        route_app,
        [
            "test",
            "--config",
            str(SAMPLE),
            "--at",
            "2099-01-10T21:00Z",
            *("--label", "rack=r07", "--label", "severity=warning", "--cause", "xid/74"),
        ],
    )

    shown = " ".join(done.stdout.split())
    for part in (
        "critical no pager, gpu-alerts severity is warning, not critical",
        "warnings yes gpu-alerts office, not before Mon 2099-01-12 08:00 UTC",
        "ledger yes everything",
        "at Sat 2099-01-10 21:00 UTC",
        "muted by maintenance firmware until 2099-01-11 02:00 UTC (switch firmware, change 4711)",
        "told now everything",
        "later Mon 2099-01-12 08:00:00 UTC gpu-alerts: told, as its hours begin",
        "later Mon 2099-01-12 10:00:00 UTC pager: told as well, unless somebody acknowledged",
    ):
        assert part in shown


def test_a_reminder_is_shown_as_one() -> None:
    shown = run(route_app, ["test", "--config", str(SAMPLE)]).stdout

    assert "pager, gpu-alerts: reminded, unless somebody acknowledged" in shown


def test_nobody_is_told_is_said() -> None:
    done = run(route_app, ["test", "--label", "severity=info"])

    assert "told now nobody" in " ".join(done.stdout.split())


def test_without_a_document_the_built_in_routes_are_tried() -> None:
    assert tried()["channels"] == ["pagerduty", "slack"]


def test_the_live_document_and_its_silences_are_tried() -> None:
    push(DOCUMENT)
    DynamoSilences(dynamodb(), TABLE).put(silence())
    during = NOW.isoformat()

    quiet = tried("--label", "node=node-7", "--at", during)
    loud = tried("--label", "node=node-8", "--at", during)

    assert (quiet["channels"], quiet["muted"]["name"]) == (["pager"], "S1")
    assert (loud["channels"], loud["muted"]) == (["pager"], None)
    assert loud["would_mute"] == ["node-explains-gpus"]


def test_an_open_incident_that_inhibits_is_named() -> None:
    push(DOCUMENT)
    stated = parse(json.dumps(DOCUMENT)).policy("C1")
    source = broken("driver/absent")
    opened = replace(wrote(source), holds=holds(source, stated))
    DynamoIncidentBook(dynamodb(), TABLE).commit(opened)

    said = tried("--label", "node=node-7")

    assert (said["muted"]["kind"], said["would_mute"]) == ("inhibition", [])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--label", "severity=fatal"], "severity: Input should be"),
        (["--label", "node"], "write it as node=gpu-7"),
        (["--at", "tomorrow"], "write a time as 2026-12-24T03:00"),
        (["--config", str(SAMPLE.parent / "refused" / "not-yaml.yaml")], "is not YAML"),
        (["--config", str(SAMPLE.parent / "refused" / "unknown-channel.yaml")], "no channel slak"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_words(arguments: list[str], says: str) -> None:
    done = run(route_app, ["test", *arguments])

    assert done.exit_code == 1
    assert says in done.stderr
