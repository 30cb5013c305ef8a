"""The command as people type it: output, exit codes, and errors that say what to do."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.cli.agent import agent_app
from reflexarc.events.gpu_faults import GpuFaults
from reflexarc.events.gpu_readings import GpuReadings
from tests.agent.fakes import XID_79, XID_95
from tests.agent.process import COMMAND, CREDENTIALS, AgentProcess, environment
from tests.agent.standin import SqsStandIn


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: str, env: Mapping[str, str] = CREDENTIALS) -> Finished:
    """Run the command to its end, in this process."""
    unset = dict.fromkeys(CREDENTIALS)
    done = CliRunner().invoke(agent_app, arguments, env=unset | environment(env))
    return Finished(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def sqs() -> Iterator[SqsStandIn]:
    with SqsStandIn().running() as standin:
        yield standin


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "kern.log"
    path.write_text(f"noise\n{XID_79}\n")
    return path


def once(sqs: SqsStandIn, folder: Path, *extra: str, source: str = "") -> list[str]:
    """Return the arguments that send a source to the stand-in."""
    arguments = AgentProcess(sqs, folder).arguments()
    if source:
        arguments[arguments.index("--source") + 1] = source
    return [*arguments, "--once", *extra]


def test_dry_run_prints_the_messages_and_needs_no_account(log: Path, tmp_path: Path) -> None:
    done = run(
        *("--dry-run", "--once", "--json", "--source", f"file:{log}", "--node", "node-7"),
        *("--spool-dir", str(tmp_path / "spool")),
        env={},
    )

    assert done.code == 0
    told = [each["message"] for each in done.events if each["event"] == "would_send"]
    [faults] = [each for each in told if each["schema"] == "gpu_faults/1"]
    assert GpuFaults.model_validate(faults).faults[0].line == XID_79
    beats = [GpuReadings.model_validate(each) for each in told if "heartbeat" in each]
    assert [each.heartbeat.farewell for each in beats] == [False, True]
    assert not (tmp_path / "spool").exists()


def test_dry_run_is_readable_without_json(log: Path) -> None:
    done = run("--dry-run", "--once", "--source", f"file:{log}", env={})

    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(done.out)
    second, _ = decoder.raw_decode(done.out[end:].lstrip())
    assert {first["schema"], second["schema"]} == {"gpu_readings/1", "gpu_faults/1"}


def test_storm_on_standard_input_is_a_few_messages_with_the_exact_count(
    sqs: SqsStandIn, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [*COMMAND, *once(sqs, tmp_path, source="stdin")],
        input=f"{XID_95}\n" * 120_000,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environment(CREDENTIALS),
    )

    assert done.returncode == 0
    assert sqs.counts() == {XID_95: 120_000}
    assert len(sqs.bodies["gpu-faults"]) <= 5
    assert sqs.heartbeats()[-1].heartbeat.counters.collapsed == 119_999


@pytest.mark.usefixtures("log")
def test_json_tells_when_a_fault_was_read_and_when_it_was_sent(
    sqs: SqsStandIn, tmp_path: Path
) -> None:
    done = run(*once(sqs, tmp_path, "--json"))

    names = [each["event"] for each in done.events]
    assert (names[0], names[-1]) == ("started", "stopped")
    [fault] = [each for each in done.events if each["event"] == "fault"]
    sent = [each for each in done.events if each["event"] == "sent" and each["faults"]]
    assert fault["line"] == XID_79
    assert fault["observed_at"] < sent[0]["attempt_at"]
    assert [each["faults"] for each in sent] == [1]


@pytest.mark.usefixtures("log")
def test_once_that_cannot_deliver_says_where_the_messages_are(
    sqs: SqsStandIn, tmp_path: Path
) -> None:
    sqs.unreachable = True

    done = run(*once(sqs, tmp_path, "--drain-s", "0.3"))

    assert done.code == 3
    assert f"the next run sends them from {tmp_path / 'spool'}" in done.err


@pytest.mark.usefixtures("log")
def test_metrics_file_has_the_final_numbers(sqs: SqsStandIn, tmp_path: Path) -> None:
    path = tmp_path / "reflexarc.prom"

    run(*once(sqs, tmp_path, "--metrics-file", str(path)))

    assert "reflexarc_agent_faults_total 1.0" in path.read_text()
    assert "reflexarc_agent_sent_total 3.0" in path.read_text()


@pytest.mark.usefixtures("log")
def test_labels_of_the_node_are_in_every_message(sqs: SqsStandIn, tmp_path: Path) -> None:
    run(*once(sqs, tmp_path, "--label", "rack=r12", "--label", "zone=a"))

    assert sqs.heartbeats()[0].source.labels == {"rack": "r12", "zone": "a"}
    [message] = sqs.faults().values()
    assert message.source.labels == {"rack": "r12", "zone": "a"}


@pytest.mark.usefixtures("log")
def test_loss_is_an_error(sqs: SqsStandIn, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    sqs.unreachable = True

    done = run(*once(sqs, tmp_path, "--drain-s", "0.3"))

    assert done.code == 3
    assert "messages were not delivered and are lost" in done.err


@pytest.mark.usefixtures("log")
def test_missing_credentials_are_told_with_what_to_do(sqs: SqsStandIn, tmp_path: Path) -> None:
    done = run(*once(sqs, tmp_path, "--drain-s", "0.3"), env={})

    assert done.code == 3
    assert "no AWS credentials: give this node an instance profile" in done.err


def test_unset_queues_are_named() -> None:
    done = run("--once", "--source", "stdin")

    assert done.code == 2
    assert "--faults-queue-url and --readings-queue-url not set" in done.err


def test_settings_come_from_the_file_the_environment_and_flags(log: Path, tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(f"node: from-file\nsources: ['file:{log}']\nheartbeat_s: 30\n")
    env = {"REFLEXARC_CONFIG": str(config), "REFLEXARC_NODE": "from-environment"}

    from_env = run("--dry-run", "--once", "--json", env=env)
    from_flag = run("--dry-run", "--once", "--json", "--node", "from-flag", env=env)

    assert from_env.events[0]["node"] == "from-environment"
    assert from_flag.events[0]["node"] == "from-flag"


def test_file_that_is_not_there_is_an_error_with_once() -> None:
    done = run("--dry-run", "--once", "--source", "file:/nonexistent/kern.log")

    assert done.code == 4
    assert "/nonexistent/kern.log" in done.err


@pytest.mark.usefixtures("log")
def test_spool_of_a_running_agent_is_refused(sqs: SqsStandIn, tmp_path: Path) -> None:
    running = AgentProcess(sqs, tmp_path).start()

    done = run(*once(sqs, tmp_path))

    running.stop()
    assert done.code == 2
    assert "another agent uses the spool" in done.err


def test_help_shows_every_option_and_the_exit_codes() -> None:
    done = run("--help", env={"COLUMNS": "200", "TERM": "dumb"})

    assert done.code == 0
    for word in (
        "--once",
        "--dry-run",
        "REFLEXARC_FAULTS_QUEUE_URL",
        "Exit codes",
        "default: kmsg",
    ):
        assert word in done.out


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK | os.W_OK), reason="needs /dev/kmsg")
def test_kernel_log_of_this_machine_is_read_and_programs_are_not_believed(
    sqs: SqsStandIn, tmp_path: Path
) -> None:
    line = f"NVRM: Xid (PCI:0000:fe:00): 31, pid={os.getpid()}, name=test, {time.time_ns()}"
    Path("/dev/kmsg").write_text(f"<3>{line}\n")
    arguments = once(sqs, tmp_path, source="kmsg")

    doubted = run(*arguments)
    assert doubted.code == 0
    assert line not in sqs.counts()
    assert sqs.heartbeats()[-1].heartbeat.counters.spoofed >= 1

    believed = run(*arguments, "--allow-userspace-kmsg")
    assert believed.code == 0
    assert sqs.counts()[line] == 1
