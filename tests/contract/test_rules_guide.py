"""docs/guides/rules.md: its documents are sound, and its commands run as they stand there."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from reflexarc.cli import (
    rules_document,
    rules_explain,
    rules_preview,
    rules_suggest,
    rules_test,
)
from reflexarc.cli.app import app
from reflexarc.cli.rules import rules_app
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.checking import examine
from reflexarc.telemetry.rule_tests import Suite
from reflexarc.telemetry.ruleset import RuleSet
from reflexarc.telemetry.short_form import ShortLog, ShortSpan
from tests.support.rule_writing import NOON, TODAY, batch, rule, span

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "rules.md").read_text(encoding="utf-8")
SHELL = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("reflexarc ")
]
ON_FILES = [
    line for line in SHELL if re.search(r"\.(jsonl|yaml)", line) and "--archive" not in line
]
YAML = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.mark.parametrize(
    "line", [line for line in ON_FILES if " push " not in line], ids=lambda line: line.split()[2]
)
def test_each_command_on_files_runs_in_the_samples(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT / "samples" / "rules")
    for module in (rules_document, rules_explain, rules_preview, rules_suggest, rules_test):
        monkeypatch.setattr(module, "system_clock", lambda: NOON)

    result = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])

    assert result.exit_code == 0, result.output


def test_there_are_commands_to_run() -> None:
    assert len(ON_FILES) >= 5


def test_the_rules_of_the_guide_are_sound() -> None:
    (document,) = (each for each in YAML if "tests" not in each)
    rules = [rule | {"expires": str(rule["expires"])} for rule in document["rules"]]

    assert examine({"rules": rules}, READS, TODAY) == ()


def test_the_tests_of_the_guide_are_tests() -> None:
    (document,) = (each for each in YAML if "tests" in each)

    assert Suite.model_validate(document).tests


def test_every_command_is_in_the_guide() -> None:
    names = [command.name for command in rules_app.registered_commands]

    assert len(names) == 10
    assert [name for name in names if f"reflexarc rules {name}" not in GUIDE] == []


@pytest.mark.parametrize(
    ("condition", "item", "holds"),
    [
        ("span_id != nil", span(), True),
        ("span_id == SpanID(0x0000000000000000)", span(span_id="0" * 16), True),
        ('attributes["code"] == "200"', span(attributes={"code": 200}), False),
        ('attributes["code"] != "200"', span(attributes={"code": 200}), True),
        ('attributes["x"] != "y"', span(), True),
        ("nil <= nil", span(), True),
        ("severity_number < SEVERITY_NUMBER_INFO", ShortLog(), True),
        ('IsMatch(attributes["x"], ".*")', span(), False),
        ('IsMatch(name, "b")', span("abc"), True),
    ],
)
def test_the_traps_are_as_the_guide_says(
    condition: str, item: ShortSpan | ShortLog, *, holds: bool
) -> None:
    listed = {"span" if isinstance(item, ShortSpan) else "log_record": condition}
    compiled = RuleSet([rule("r", **listed)], version=1, today=TODAY)
    request = batch(item)

    assert compiled.apply(request.signal, request.payload).account.removed == holds
