"""What operators type, over a stack in memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.cli.config import config_app
from reflexarc.cli.incidents import incidents_app
from reflexarc.events.incident import Incident
from reflexarc.incidents.model import Change
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime import operator
from tests.support.aws import aws, dynamodb, make_table

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "config" / "reflexarc.yaml"
TABLE = "incidents"
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def stack() -> Iterator[None]:
    def find(name: str, endpoint: str | None) -> operator.Deployment:
        if name != "reflexarc":
            raise Unavailable(f"there is no stack named {name} here", endpoint)
        client = dynamodb()
        return operator.Deployment(IncidentList(client, TABLE), ConfigDocument(client, TABLE))

    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), TABLE)
        patch.setattr(operator, "find", find)
        yield


def opened() -> Incident:
    text = (ROOT / "events" / "examples" / "incident.json").read_text()
    incident = Incident.model_validate_json(text)
    change = Change(
        incident=incident,
        expected_version=0,
        notices=(),
        events=(),
        decided_at=incident.opened_at,
    )
    DynamoIncidentBook(dynamodb(), TABLE).commit(change)
    return incident


def test_an_empty_list_says_so() -> None:
    assert run(incidents_app, ["list"]).output == "No open incidents.\n"


def test_the_list_names_what_is_broken_and_where() -> None:
    incident = opened()

    shown = run(incidents_app, ["list"], env={"COLUMNS": "200"}).output

    assert incident.fingerprint[:12] in shown
    assert "Xid 79: GPU has fallen off the bus" in shown
    assert "GPU 0000:3b:00 on gpu-node-7" in shown


def test_json_lines_are_incidents() -> None:
    incident = opened()

    (line,) = run(incidents_app, ["list", "--json"]).output.splitlines()

    assert Incident.model_validate_json(line) == incident


def test_an_incident_is_shown_by_the_beginning_of_its_id() -> None:
    incident = opened()

    result = run(incidents_app, ["show", incident.fingerprint[:6]], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "Drain the node and reboot it." in result.output
    assert "incident decided" in result.output


def test_an_incident_as_json_holds_its_deliveries() -> None:
    incident = opened()

    document = json.loads(run(incidents_app, ["show", incident.fingerprint, "--json"]).output)

    assert document["incident"]["fingerprint"] == incident.fingerprint
    assert document["attempts"] == []


@pytest.mark.parametrize("asked", ["abc", "f" * 32])
def test_an_unknown_incident_is_an_error(asked: str) -> None:
    result = run(incidents_app, ["show", asked])

    assert result.exit_code == 1
    assert asked in result.output


def test_another_stack_is_a_readable_error() -> None:
    result = run(incidents_app, ["list", "--stack", "nowhere"])

    assert result.exit_code == 1
    assert "there is no stack named nowhere" in result.output


def test_the_sample_configuration_is_fine() -> None:
    assert run(config_app, ["check", str(SAMPLE)]).output.endswith("fine\n")


def test_a_pushed_document_is_shown_and_can_be_rolled_back(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("gpu: {}\n")

    said = [
        run(config_app, ["push", str(SAMPLE)]).output,
        run(config_app, ["push", str(empty)]).output,
        run(config_app, ["show"]).output,
        run(config_app, ["rollback", "1"]).output,
    ]

    assert said == [
        "version 1 is live\n",
        "version 2 is live\n",
        "gpu: {}\n",
        "version 1 is live again, as version 3\n",
    ]


def test_a_document_with_a_typo_is_refused_and_names_the_place(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("gpu:\n  overides: []\n")

    result = run(config_app, ["push", str(wrong)])

    assert result.exit_code == 1
    assert "gpu.overides" in result.output
    assert "nothing was pushed" in run(config_app, ["show"]).output


@pytest.mark.parametrize("arguments", [["show", "--version", "9"], ["rollback", "9"]])
def test_an_unknown_version_is_an_error(arguments: list[str]) -> None:
    result = run(config_app, arguments)

    assert result.exit_code == 1
    assert "no version 9" in result.output
