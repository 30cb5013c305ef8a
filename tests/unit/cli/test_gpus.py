"""What operators read of the fleet, over a table in memory."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from reflexarc.adapters.dynamodb import fleet_heard
from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.fleet import DynamoFleet
from reflexarc.adapters.dynamodb.fleet_list import FleetList
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.cli.app import app
from reflexarc.gpu.readings import RunningHour
from reflexarc.runtime import operator
from tests.support.aws import aws, dynamodb, make_table
from tests.support.readings import JOB, NOW, at, gpu, hour, state

TABLE, FLEET = "incidents", "fleet"


@pytest.fixture(autouse=True)
def patch() -> Iterator[pytest.MonkeyPatch]:
    def find(name: str, endpoint: str | None) -> operator.Deployment:
        del endpoint
        fleet = FleetList(dynamodb(), FLEET) if name == "reflexarc" else None
        client = dynamodb()
        return operator.Deployment(
            IncidentList(client, TABLE), ConfigDocument(client, TABLE), fleet
        )

    with aws(), pytest.MonkeyPatch.context() as patch:
        for name in (TABLE, FLEET):
            make_table(dynamodb(), name)
        patch.setattr(operator, "find", find)
        patch.setattr(operator, "system_clock", lambda: at(20))
        patch.setenv("COLUMNS", "200")
        yield patch


@pytest.fixture
def fleet() -> DynamoFleet:
    return DynamoFleet(dynamodb(), FLEET, timedelta(days=90))


def keep(fleet: DynamoFleet, node: str, seconds: float = 0, **more: object) -> None:
    kept = state(node, queued_at=at(seconds), **more)
    fleet.keep(kept, frozenset({kept.seq}), "role:i-1", NOW)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["gpus", *words])


def test_an_empty_fleet_says_so() -> None:
    assert run().output == "No node was heard within a week.\n"
    assert run("--node", "n").output == "Nothing was heard of n.\n"
    assert run("--hot").output == "No GPU is hot.\n"


def test_the_table_has_every_gpu_with_its_heat_job_and_waste(fleet: DynamoFleet) -> None:
    held = hour(0, idle_s=600.0, allocated_idle_s=540.0)
    keep(fleet, "node-1", gpus=[gpu(0, job=JOB)], hours=[held])
    closed = hour(0, hour="2026-11-24T02:00:00Z", idle_s=3000.0, allocated_idle_s=3060.0)
    fleet.count("node-1", [RunningHour.model_validate(closed)], NOW)

    output = run().output

    row = next(line for line in output.splitlines() if line.startswith("node-1"))
    for part in ("0 0000:1b:00", "ok", "31 C", "55 C", "70 W", "0 %", "team-a llama", "1.0 h"):
        assert part in row
    assert "unpriced" in row
    assert "20 s" in row
    assert "1 GPU on 1 node, 0 hot, held idle today: 1.0 h, 1 of them unpriced" in output


def test_on_a_narrow_terminal_no_number_is_cut(
    fleet: DynamoFleet, patch: pytest.MonkeyPatch
) -> None:
    patch.setenv("COLUMNS", "80")
    keep(fleet, "gpu-node-with-a-name-1", gpus=[gpu(0, job=JOB)], hours=[hour(0, idle_s=600.0)])

    output = run().output

    for part in ("31 C", "55 C", "70 W", "0 %", "--json"):
        assert part in output
    assert "\N{HORIZONTAL ELLIPSIS}" not in output
    assert "HELD IDLE" not in output


def test_an_address_is_no_picture(fleet: DynamoFleet) -> None:
    keep(fleet, "node-1", gpus=[gpu(0, device="0000:ab:00")])

    assert "0000:ab:00" in run().output


def test_a_price_of_the_configuration_makes_dollars(fleet: DynamoFleet) -> None:
    keep(fleet, "node-1", gpus=[gpu(0)], hours=[hour(0, allocated_idle_s=3600.0)])
    document = json.dumps({"gpu": {"hourly_usd": {"H100": "2.50"}}})
    ConfigDocument(dynamodb(), TABLE).push(document, 0, NOW)

    output = run().output

    assert output.count("$2.50") == 2
    assert "unpriced" not in output


def test_silence_is_marked_and_is_no_health(fleet: DynamoFleet) -> None:
    keep(fleet, "node-stale", -120)
    keep(fleet, "node-silent", -1000)
    keep(fleet, "node-left", -1000, farewell=True)

    rows = run().output.splitlines()

    for node, mark, health in (
        ("node-stale", "2 min stale", "ok"),
        ("node-silent", "17 min silent", "unknown"),
        ("node-left", "17 min left", "unknown"),
    ):
        row = next(line for line in rows if line.startswith(node))
        assert row.rstrip().endswith(mark)
        assert health in row
    assert "2 nodes stale or silent" in rows[-1]


def test_hot_and_node_narrow_the_list(fleet: DynamoFleet) -> None:
    keep(fleet, "node-1", hot={3: "thermal/limit"})
    keep(fleet, "node-2")

    hot = run("--hot").output
    one = run("--node", "node-2").output

    assert [line.split()[0] for line in hot.splitlines()[1:-2]] == ["node-1"]
    assert "critical" in hot
    assert "node-1" not in one
    assert "8 GPUs on 1 node" in one


def test_a_node_on_which_nothing_was_read_is_listed(fleet: DynamoFleet) -> None:
    keep(fleet, "node-1", gpus=[])

    output = run().output

    assert "none read" in output
    assert "0 GPUs on 1 node" in output


def test_machines_get_a_line_of_json_a_gpu(fleet: DynamoFleet) -> None:
    keep(fleet, "node-1", gpus=[gpu(0, job=JOB, gauges={})])

    (line,) = map(json.loads, run("--json").output.splitlines())

    assert (line["node"], line["status"], line["health"]) == ("node-1", "live", "ok")
    assert line["gpu"]["temperature_c"] is None
    assert line["today"]["usd"] is None
    assert line["age_s"] == 20.0
    assert line["readings_lost"] == 0


def test_a_state_that_cannot_be_read_hides_no_other(fleet: DynamoFleet) -> None:
    keep(fleet, "node-1")
    keep(fleet, "node-2")
    dynamodb().update_item(
        TableName=FLEET,
        Key=fleet_heard.state_key("node-2"),
        UpdateExpression="SET d = :d",
        ExpressionAttributeValues={":d": {"B": b"9"}},
    )

    result = run()

    assert "the state of" in result.stderr
    assert "8 GPUs on 1 node" in result.stdout


def test_a_stack_without_a_fleet_says_what_to_do() -> None:
    result = run("--stack", "older")

    assert result.exit_code == 1
    assert "deploy this version" in result.stderr


def test_help_says_what_idle_means() -> None:
    output = run("--help").output

    assert "HELD IDLE" in output
    assert "--hot" in output
