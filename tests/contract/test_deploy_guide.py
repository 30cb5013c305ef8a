"""docs/guides/deploy.md and the runbooks name all that the committed template has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/deploy.md").read_text(encoding="utf-8")
RUNBOOKS = (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")
TEMPLATE = yaml.safe_load((ROOT / "infra/template.yaml").read_text(encoding="utf-8"))
ALARM_USD = 0.10


def resources(kind: str) -> dict[str, dict[str, Any]]:
    found = TEMPLATE["Resources"].items()
    return {name: made["Properties"] for name, made in found if made["Type"] == kind}


ALARMS = resources("AWS::CloudWatch::Alarm")


@pytest.mark.parametrize("name", [*TEMPLATE["Parameters"], *TEMPLATE["Outputs"]])
def test_every_parameter_and_output_is_explained(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_every_secret_is_named() -> None:
    secrets = resources("AWS::SecretsManager::Secret").values()
    made = {f"reflexarc{secret['Name']['Fn::Join'][1][1]}" for secret in secrets}

    assert set(re.findall(r"^\| `(reflexarc/\w+)` \|", GUIDE, re.MULTILINE)) == made
    assert f"| {len(made)} secrets | ${0.40 * len(made):.2f} |" in GUIDE


def test_alarms_are_counted_and_paid() -> None:
    assert f"with {len(ALARMS)} alarms." in GUIDE
    assert f"| {len(ALARMS)} alarms | ${ALARM_USD * len(ALARMS):.2f} |" in GUIDE


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_has_a_row_in_the_runbooks(alarm: str) -> None:
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", alarm.removesuffix("Alarm")).lower()
    patterns = re.findall(r"`([a-z*-]+)`", RUNBOOKS)

    assert any(re.fullmatch(pattern.replace("*", ".+"), kebab) for pattern in patterns)
