"""`reflexarc agent check`, over the NVML stub and a stand-in for SQS."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.agent.packing import BODY_MAX
from reflexarc.cli.agent import agent_app
from reflexarc.emulator.nvml_stub import NvmlScenario
from reflexarc.events.gpu_readings import GpuReadings
from tests.agent.process import CREDENTIALS, AgentProcess, environment
from tests.agent.standin import SqsStandIn
from tests.support.nvml import UUID, cards, playing


@pytest.fixture
def sqs() -> Iterator[SqsStandIn]:
    with SqsStandIn().running() as standin:
        yield standin


@pytest.fixture
def nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NvmlScenario]:
    yield from playing(tmp_path, monkeypatch)


@dataclass(frozen=True)
class Checked:
    code: int
    out: str

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return {item["name"]: item for item in json.loads(self.out)["items"]}


def check(sqs: SqsStandIn, folder: Path, *extra: str, env: dict[str, str] | None = None) -> Checked:
    log = folder / "kern.log"
    log.touch()
    arguments = [*AgentProcess(sqs, folder).arguments(), "check", *extra]
    unset = dict.fromkeys(CREDENTIALS)
    env = environment(CREDENTIALS if env is None else env) | {"COLUMNS": "80"}
    done = CliRunner().invoke(agent_app, arguments, env=unset | env)
    return Checked(done.exit_code, done.stdout)


def test_node_that_has_everything_is_told_so(
    sqs: SqsStandIn, tmp_path: Path, nvml: NvmlScenario
) -> None:
    cards(nvml, 8)

    checked = check(sqs, tmp_path, "--json")

    items = checked.items
    assert items["nvml"]["status"] == "ok"
    assert "0000:18:00, NVIDIA H100" in items["GPU 0"]["says"]
    assert len([name for name in items if name.startswith("GPU ")]) == 8
    assert items["endpoint"]["status"] == "ok"
    assert items["clock"]["status"] == "ok"
    assert items["credentials"]["says"].endswith(
        "from environment variables, key id ending in ting"
    )
    assert items["spool"]["status"] == "ok"
    message = GpuReadings.model_validate(json.loads(checked.out)["message"])
    assert [gpu.uuid for gpu in message.gpus] == list(UUID)
    assert len(message.model_dump_json()) < 64 * 1024 < BODY_MAX
    assert checked.code in (0, 1)  # a remark of this machine's own may remain


def test_nothing_is_sent_unless_asked_for(sqs: SqsStandIn, tmp_path: Path) -> None:
    check(sqs, tmp_path, "--json")
    silent = dict(sqs.bodies)
    checked = check(sqs, tmp_path, "--send", "--json")

    assert silent == {}
    assert checked.items["heartbeat"]["says"].startswith("sent and accepted")
    assert [each.seq for each in sqs.heartbeats()] == [0]
    assert not (tmp_path / "spool").exists()


def test_report_fits_eighty_columns_and_ends_with_a_verdict(
    sqs: SqsStandIn, tmp_path: Path, nvml: NvmlScenario
) -> None:
    cards(nvml, 2)

    out = check(sqs, tmp_path).out

    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    for title in ("What can be seen here", "What would be sent", "Where to", "With which identity"):
        assert title in out
    assert "An agent would run here" in out


def test_missing_credentials_and_an_endpoint_that_is_away_are_errors_with_advice(
    sqs: SqsStandIn, tmp_path: Path
) -> None:
    arguments = ["--endpoint-url", "http://127.0.0.1:9"]
    done = CliRunner().invoke(
        agent_app,
        [*AgentProcess(sqs, tmp_path).arguments(), *arguments, "check", "--json"],
        env=dict.fromkeys(CREDENTIALS) | environment({}),
    )
    items = Checked(done.exit_code, done.stdout).items

    assert done.exit_code == 2
    assert "check the route" in items["endpoint"]["says"]
    assert "give this node an instance profile" in items["credentials"]["says"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_spool_that_cannot_be_written_is_told(sqs: SqsStandIn, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    assert check(sqs, tmp_path, "--json").items["spool"]["status"] == "warn"


def test_spool_below_a_file_is_told_with_what_to_do(sqs: SqsStandIn, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")

    spool = check(sqs, tmp_path, "--json").items["spool"]

    assert spool["status"] == "warn"
    assert "--spool-dir" in spool["advice"]


def test_running_agent_is_seen_and_left_alone(sqs: SqsStandIn, tmp_path: Path) -> None:
    (tmp_path / "kern.log").touch()
    running = AgentProcess(sqs, tmp_path).start()

    items = check(sqs, tmp_path, "--json").items

    assert running.stop() == 0
    assert items["agent"]["says"] == "an agent runs with this spool"


def test_node_where_nothing_can_be_read_is_of_no_use(sqs: SqsStandIn, tmp_path: Path) -> None:
    arguments = AgentProcess(sqs, tmp_path).arguments()
    done = CliRunner().invoke(
        agent_app,
        [*arguments, "--no-nvml", "check", "--json"],
        env=dict.fromkeys(CREDENTIALS) | environment(CREDENTIALS),
    )
    items = Checked(done.exit_code, done.stdout).items

    assert done.exit_code == 2
    assert items["anything"]["says"] == "neither a log nor a GPU can be read here"


def test_settings_that_are_wrong_are_named(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text("hartbeat_s: 3\n")

    done = CliRunner().invoke(agent_app, ["check", "--config", str(config)])

    assert done.exit_code == 2
    assert "hartbeat_s" in done.stderr
