import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from reflexarc.agent.settings import AgentSettings
from reflexarc.cli.agent import agent

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples" / "agent"
GUIDE = (ROOT / "docs" / "guides" / "agent.md").read_text()


def options() -> dict[str, str | None]:
    """Return each flag of the command with its variable."""
    app = typer.Typer(add_completion=False)
    app.command()(agent)
    command = typer.main.get_command(app)
    return {
        parameter.opts[0]: str(parameter.envvar) if parameter.envvar else None
        for parameter in command.params
    }


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_sample_settings_are_valid() -> None:
    settings = AgentSettings.combine(SAMPLES / "agent.yaml", {}, hostname="node-7")

    assert settings.sources == ("kmsg",)
    assert settings.node == "node-7"


def test_unit_starts_a_command_that_exists_with_options_that_exist() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(SAMPLES / "reflexarc-agent.service")

    program, command, *rest = shlex.split(unit["Service"]["ExecStart"])

    assert Path(program).name == "reflexarc"
    assert command == "agent"
    assert {each for each in rest if each.startswith("--")} <= options().keys()
    drain = AgentSettings(node="x").drain_s
    assert int(unit["Service"]["TimeoutStopSec"]) > drain


@pytest.mark.parametrize("name", ["daemonset.yaml", "daemonset-unprivileged.yaml"])
def test_daemonset_sets_what_exists_and_keeps_the_spool_on_the_node(name: str) -> None:
    account, daemonset, config = yaml.safe_load_all((SAMPLES / name).read_text())
    pod: Any = daemonset["spec"]["template"]["spec"]
    names = {each["name"] for each in pod["containers"][0]["env"]}
    settings = AgentSettings.model_validate(
        {"node": "x", **yaml.safe_load(config["data"]["agent.yaml"])}
    )

    assert account["metadata"]["name"] == pod["serviceAccountName"]
    assert {each for each in names if each.startswith("REFLEXARC_")} <= set(options().values())
    assert "AWS_ROLE_SESSION_NAME" in names
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    assert settings.spool_dir.is_relative_to(mounts["spool"])
    assert str(settings.proc_dir) == mounts["proc"]
    assert settings.kubelet_socket.is_relative_to(mounts["pod-resources"])
    (spool,) = (each for each in pod["volumes"] if each["name"] == "spool")
    assert "hostPath" in spool


def test_only_the_daemonset_that_needs_the_kernel_log_is_privileged() -> None:
    def context(name: str) -> Any:
        _, daemonset, _ = yaml.safe_load_all((SAMPLES / name).read_text())
        return daemonset["spec"]["template"]["spec"]["containers"][0]["securityContext"]

    assert context("daemonset.yaml")["privileged"] is True
    without = context("daemonset-unprivileged.yaml")
    assert without["privileged"] is without["allowPrivilegeEscalation"] is False
    assert without["capabilities"] == {"drop": ["ALL"]}


def test_ecs_task_sets_variables_that_exist_and_keeps_the_spool_on_the_instance() -> None:
    task = json.loads((SAMPLES / "ecs-daemon-task.json").read_text())
    (container,) = task["containerDefinitions"]
    names = {each["name"] for each in container["environment"]}
    mounted = {each["containerPath"] for each in container["mountPoints"]}

    assert {each for each in names if each.startswith("REFLEXARC_")} <= set(options().values())
    assert mounted == {"/var/lib/reflexarc"}
    # ECS maps a single device, so no privilege is needed; the instance's session name, unlike that
    # of a task's role, stays the same over restarts.
    (device,) = container["linuxParameters"]["devices"]
    assert (device["containerPath"], device["permissions"]) == ("/dev/kmsg", ["read"])
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"], "add": ["SYSLOG"]}
    assert container["privileged"] is False
    assert "taskRoleArn" not in task
    assert task["networkMode"] == "host"
    assert container["stopTimeout"] > AgentSettings(node="x").drain_s


def test_user_data_is_shell_and_writes_settings_that_exist() -> None:
    script = SAMPLES / "user-data.sh"
    checked = subprocess.run(["/bin/sh", "-n", script], check=False, capture_output=True)  # noqa: S603 - our own file
    written = re.search(r"<<'SETTINGS'\n(.*?)\nSETTINGS", script.read_text(), re.DOTALL)

    assert checked.returncode == 0
    assert written is not None
    AgentSettings.model_validate({"node": "x", **yaml.safe_load(written[1])})


def test_the_unit_gives_one_capability_and_hides_nothing_that_the_agent_reads() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(SAMPLES / "reflexarc-agent.service")
    service = unit["Service"]

    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == "CAP_SYSLOG"
    assert service["NoNewPrivileges"] == "yes"
    assert {"ProtectKernelLogs", "PrivateDevices", "ProtectProc"}.isdisjoint(service)


def test_guide_lists_every_setting_with_its_flag_and_variable() -> None:
    section = GUIDE.partition("## Settings\n")[2].partition("\n## ")[0]
    table = re.findall(
        r"^\| `([a-z]\w+)` \| (?:`(--[\w-]+)`)?[^|]*\| (?:`(\w+)`)?", section, re.MULTILINE
    )

    assert sorted(name for name, _, _ in table) == sorted(AgentSettings.model_fields)
    rows = [row for row in table if row[1]]
    known = options()
    assert {flag: known[flag] for _, flag, _ in rows} == {
        flag: variable or None for _, flag, variable in rows
    }
    assert known.keys() - {flag for _, flag, _ in rows} == {"--config", "--json"}


@pytest.mark.parametrize("text", blocks("json"))
def test_policies_in_the_guide_are_policies(text: str) -> None:
    policy = json.loads(text)

    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert "*" not in json.dumps(statement)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_templates_in_the_guide_are_yaml(text: str) -> None:
    document = yaml.safe_load(text)

    assert all("Type" in resource for resource in document["Resources"].values())


@pytest.mark.parametrize("text", blocks("ini"))
def test_aws_configuration_in_the_guide_is_readable(text: str) -> None:
    parser = configparser.ConfigParser(interpolation=None)

    parser.read_string(text)

    assert "credential_process" in parser["default"]
