"""`reflexarc config`, over a stack in memory."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.config_document import ConfigDocument
from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.adapters.secrets.stack_secrets import StackSecrets
from reflexarc.cli.config import config_app
from reflexarc.cli.yaml_lines import read
from reflexarc.kernel.errors import Unavailable
from reflexarc.runtime import operator
from tests.support.aws import Faults, aws, dynamodb, make_table, secrets_manager

CONFIG = Path(__file__).parents[3] / "samples" / "config"
SAMPLE = CONFIG / "reflexarc.yaml"
REFUSED = sorted((CONFIG / "refused").glob("*.yaml"))
EXPECTED = re.compile(r"# line (\d+): (.*)")
TABLE = "incidents"
KEY = "k" * 32
SOUND = {
    "slack": {"token": "xoxb-1"},
    "pagerduty": {"routing_key": KEY, "keys": {"network": KEY}},
    "webhook": {"keys": {"tickets": [KEY]}},
}
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def secrets() -> Iterator[Faults]:
    """Deploy a stack whose secrets are sound; what is returned makes reading them fail."""
    faults = Faults()
    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), TABLE)
        for kind, value in SOUND.items():
            secrets_manager().create_secret(Name=kind, SecretString=json.dumps(value))
        reader = secrets_manager()
        faults.attach(reader)

        def find(name: str, endpoint: str | None) -> operator.Deployment:
            if name != "reflexarc":
                raise Unavailable(f"there is no stack named {name} here")
            del endpoint
            client = dynamodb()
            return operator.Deployment(
                IncidentList(client, TABLE),
                ConfigDocument(client, TABLE),
                secrets=StackSecrets(reader, {kind: kind for kind in SOUND}),
            )

        patch.setattr(operator, "find", find)
        yield faults


def written(tmp_path: Path, document: Any) -> str:
    file = tmp_path / "reflexarc.yaml"
    file.write_text(yaml.safe_dump(document))
    return str(file)


def live() -> str:
    return run(config_app, ["show"]).output


def test_the_sample_is_fine_and_without_a_warning() -> None:
    result = run(config_app, ["check", str(SAMPLE)])

    assert result.output == f"{SAMPLE}: fine\n"


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_each_refused_sample_is_refused_for_what_its_first_lines_say(file: Path) -> None:
    expected = [
        (int(found[1]), found[2])
        for line in file.read_text().splitlines()
        if (found := EXPECTED.fullmatch(line))
    ]

    result = run(config_app, ["check", str(file), "--json"])

    problems = json.loads(result.stdout)["problems"]
    assert result.exit_code == 1
    assert [(each["line"], each["problem"]) for each in problems if each["level"] == "error"] == (
        expected
    )


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_no_refused_sample_is_pushed(file: Path) -> None:
    result = run(config_app, ["push", str(file)])

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:")
    assert "nothing was pushed" in live()


def test_problems_are_written_as_compilers_write_them(tmp_path: Path) -> None:
    file = written(tmp_path, {"gpu": {"overides": []}})

    result = run(config_app, ["check", file])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"{file}:2:3: gpu.overides: there is no such setting (a typo?)\n"


def test_a_warning_is_shown_and_does_not_refuse(tmp_path: Path) -> None:
    hook = {"name": "hook", "kind": "webhook", "destination": "https://hooks.example"}
    document = {"incidents": {"channels": [hook], "routes": []}}

    result = run(config_app, ["check", written(tmp_path, document)])

    assert result.exit_code == 0
    assert "warning: incidents.channels.0: nothing names hook" in result.stderr
    assert result.stdout.endswith("fine\n")


def test_machines_read_what_people_read(tmp_path: Path) -> None:
    file = written(tmp_path, {"gpu": {"overides": []}})

    result = run(config_app, ["check", file, "--json"])

    assert json.loads(result.stdout) == {
        "file": file,
        "fine": False,
        "problems": [
            {
                "line": 2,
                "column": 3,
                "level": "error",
                "place": ["gpu", "overides"],
                "problem": "there is no such setting (a typo?)",
            }
        ],
    }


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "reflexarc.yaml"
    file.write_bytes(b"gpu: \xff\n")

    result = run(config_app, ["check", str(file)])

    assert (result.exit_code, result.stderr) == (
        1,
        f"{file}:1:1: not UTF-8 text: byte 5 is invalid start byte\n",
    )


def test_a_pushed_document_is_shown_and_can_be_rolled_back(tmp_path: Path) -> None:
    empty = written(tmp_path, {"gpu": {}})

    said = [
        run(config_app, ["push", str(SAMPLE)]).output,
        run(config_app, ["push", empty, "--json"]).output,
        live(),
        run(config_app, ["rollback", "1", "--json"]).output,
        run(config_app, ["rollback", "2"]).output,
    ]

    assert said == [
        "version 1 is live\n",
        json.dumps({"file": empty, "fine": True, "problems": [], "version": 2}) + "\n",
        "gpu: {}\n",
        '{"version": 3, "of": 1}\n',
        "version 2 is live again, as version 4\n",
    ]


def test_what_is_shown_can_be_pushed_again(tmp_path: Path) -> None:
    run(config_app, ["push", str(SAMPLE)])
    shown = live()
    copy = tmp_path / "copy.yaml"
    copy.write_text(shown)

    again = run(config_app, ["push", str(copy)])

    assert again.output == "version 2 is live\n"
    assert live() == shown
    assert (
        json.loads(run(config_app, ["show", "--json"]).output) == read(SAMPLE.read_text()).content
    )


@pytest.mark.parametrize("arguments", [["show", "--version", "9"], ["rollback", "9"]])
def test_an_unknown_version_is_an_error(arguments: list[str]) -> None:
    result = run(config_app, arguments)

    assert result.exit_code == 1
    assert "no version 9" in result.output


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("pagerduty", {"routing_key": KEY}, "network-pager has no secret: the PagerDuty secret"),
        ("slack", {"token": "", "webhook_url": ""}, "gpu-alerts has no secret: neither token nor"),
        ("webhook", {"keys": {}}, "tickets has no secret: the webhook secret has no key tickets"),
    ],
)
def test_a_channel_without_a_secret_is_not_pushed(kind: str, value: Any, says: str) -> None:
    secrets_manager().put_secret_value(SecretId=kind, SecretString=json.dumps(value))

    result = run(config_app, ["push", str(SAMPLE)])

    assert result.exit_code == 1
    assert says in result.stderr
    assert f"put-secret-value --secret-id {kind}" in result.stderr
    assert "nothing was pushed" in live()


def test_a_secret_that_was_never_given_a_value_is_an_error() -> None:
    secrets_manager().delete_secret(SecretId="pagerduty", ForceDeleteWithoutRecovery=True)

    result = run(config_app, ["push", str(SAMPLE), "--json"])

    said = json.loads(result.stdout)
    assert (result.exit_code, said["version"], said["fine"]) == (1, None, False)
    assert [each["place"] for each in said["problems"]] == [
        ["incidents", "channels", 0],
        ["incidents", "channels", 1],
    ]


def test_an_operator_who_may_not_read_secrets_pushes_and_is_told(secrets: Faults) -> None:
    secrets.refuse("AccessDeniedException", times=5)

    result = run(config_app, ["push", str(SAMPLE)])

    assert result.exit_code == 0
    assert "AccessDeniedException; so nobody knows whether pager can speak" in result.stderr
    assert result.stdout == "version 1 is live\n"


def test_another_stack_is_a_readable_error() -> None:
    result = run(config_app, ["push", str(SAMPLE), "--stack", "nowhere"])

    assert (result.exit_code, result.stderr) == (
        1,
        "reflexarc: there is no stack named nowhere here\n",
    )


def test_the_schema_takes_the_sample_and_knows_a_typo() -> None:
    schema = json.loads(run(config_app, ["schema"]).output)
    validator = jsonschema.Draft202012Validator(schema)
    sample = read(SAMPLE.read_text()).content

    assert list(validator.iter_errors(sample)) == []
    assert [error.validator for error in validator.iter_errors({"gpu": {"overides": []}})] == [
        "additionalProperties"
    ]
