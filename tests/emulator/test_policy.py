"""What operators say of routes and silences, to a deployed stack with its real secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner

from reflexarc.cli.config import config_app
from reflexarc.cli.route import route_app
from reflexarc.cli.silence import silence_app
from reflexarc.emulator.lane import Lane

pytestmark = pytest.mark.emulator
ADD = ["add", "--label", "node=kept-quiet", "--for", "1h", "--reason", "riser swap"]


def said(lane: Lane, app: Typer, *words: str, code: int = 0) -> Any:
    """Return what a command prints for machines."""
    result = CliRunner().invoke(app, [*words, "--json", "--endpoint", lane.endpoint.url])
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_channel_whose_key_is_not_in_the_secret_is_not_pushed(
    as_operator: Lane, tmp_path: Path
) -> None:
    channels = [
        {"name": "pager", "kind": "pagerduty"},
        {"name": "other-pager", "kind": "pagerduty", "secret": "nobodys"},
    ]
    routes = [{"channels": ["pager", "other-pager"]}]
    file = tmp_path / "reflexarc.yaml"
    file.write_text(yaml.safe_dump({"incidents": {"channels": channels, "routes": routes}}))

    (pushed,) = said(as_operator, config_app, "push", str(file), code=1)

    assert pushed["version"] is None
    assert [problem["place"] for problem in pushed["problems"]] == [["incidents", "channels", 1]]


def test_a_silence_holds_for_whoever_asks_until_it_is_expired(as_operator: Lane) -> None:
    (made,) = said(as_operator, silence_app, *ADD)
    tried = ["test", "--label", "node=kept-quiet"]

    (quiet,) = said(as_operator, route_app, *tried)
    said(as_operator, silence_app, "expire", made["id"])
    (loud,) = said(as_operator, route_app, *tried)

    assert made["author"]
    assert (quiet["muted"]["name"], loud["muted"]) == (made["id"], None)
    assert quiet["channels"] == loud["channels"] == ["pagerduty", "slack"]
