"""Who looks after telemetry's rules, on a deployed stack: push, list, roll back, preview."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from reflexarc.cli.app import app
from reflexarc.emulator.lane import Lane
from tests.support.rule_writing import stated

pytestmark = pytest.mark.emulator


def run(lane: Lane, *words: str) -> Result:
    return CliRunner().invoke(app, ["rules", *words, "--endpoint", lane.endpoint.url])


def test_rules_are_pushed_listed_and_rolled_back_on_a_deployed_stack(
    as_operator: Lane, tmp_path: Path
) -> None:
    lane, file = as_operator, tmp_path / "telemetry.yaml"
    # Rules that meet nothing: other tests share the stack.
    first, second = (stated(name, span=f'name == "of-{name}"') for name in ("one", "other"))

    pushed = []
    for rules in ([first], [first, second]):
        file.write_text(yaml.safe_dump({"rules": rules}))
        result = run(lane, "push", str(file), "--yes", "--json")
        assert result.exit_code == 0, result.output
        pushed.append(json.loads(result.stdout)["version"])
    listed = [json.loads(line) for line in run(lane, "list", "--json").stdout.splitlines()]
    back = json.loads(run(lane, "rollback", "--json").stdout)

    assert [each["rule"] for each in listed] == ["one", "other"]
    assert pushed[1] == pushed[0] + 1
    assert back == {"version": pushed[1] + 1, "of": pushed[0]}
    assert json.loads(run(lane, "show", "--json").stdout) == {"rules": [first]}
    assert run(lane, "preview", str(file), "--archive", "--json").exit_code == 0
