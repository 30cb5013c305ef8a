"""The wheel that nodes install holds the agent, and runs on what its extra `agent` brings."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reflexarc.agent.settings import AgentSettings

ROOT = Path(__file__).parents[2]
UV = ROOT / "build" / "uv" / "bin" / "uv"
LOG = ROOT / "samples" / "kernel-logs" / "night-on-a-node.log"
# Named as well as computed: what of an allowed distribution is too heavy, or not the agent's.
NEVER = ("boto3.resources", "reflexarc.emulator", "moto", "grpc", "google", "nvitop", "rich.live")
UNIT = ROOT / "samples" / "agent" / "reflexarc-agent.service"
# A tenth of a point is a line of the unit, and each has its reason there.
EXPOSURE_MAX = 2.2
QUEUES = (
    *("--faults-queue-url", "http://127.0.0.1:1/123456789012/faults"),
    *("--readings-queue-url", "http://127.0.0.1:1/123456789012/readings"),
)
GUARD = """
import importlib.abc, json, sys

refused = frozenset(json.loads(sys.argv.pop(1)))
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if any(".".join(parts[:end]) in refused for end in range(1, len(parts) + 1)):
            raise ModuleNotFoundError(f"a node has no {name}", name=name)
sys.meta_path.insert(0, Guard())
import reflexarc
print("from", reflexarc.__file__, file=sys.stderr)
from reflexarc.cli import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not UV.exists():
        pytest.skip("no build/uv: make setup brings it")
    out = tmp_path_factory.mktemp("wheel")
    command = [
        str(UV),
        "build",
        "--quiet",
        "--wheel",
        "--offline",
        "--out-dir",
        str(out),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if "hatchling" in done.stderr and "network" in done.stderr:
        pytest.skip(f"the build backend cannot be had here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def requirements(site: Path, *extras: str) -> list[Requirement]:
    (found,) = importlib.metadata.distributions(path=[str(site)])
    return [each for each in map(Requirement, found.requires or ()) if wanted(each, extras)]


def wanted(requirement: Requirement, extras: tuple[str, ...] = ()) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def closure(wanting: list[Requirement]) -> Iterator[str]:
    """Yield the names of all distributions that these need, and theirs."""
    seen: set[str] = set()
    while wanting:
        requirement = wanting.pop()
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        yield name
        theirs = importlib.metadata.requires(name) or ()
        extras = tuple(requirement.extras)
        wanting += [each for each in map(Requirement, theirs) if wanted(each, extras)]


def refused(site: Path) -> list[str]:
    """Return the modules of this environment that `reflexarc[agent]` would not have brought."""
    node = {"reflexarc", *closure(requirements(site, "agent"))}
    modules = importlib.metadata.packages_distributions()
    others = {
        module
        for module, owners in modules.items()
        if not node & {canonicalize_name(owner) for owner in owners}
    }
    return sorted(others.union(NEVER))


def on_a_node(site: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    quiet = {name: value for name, value in os.environ.items() if "REFLEXARC" not in name}  # noqa: TID251 - what a child process inherits
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-P", "-c", GUARD, json.dumps(refused(site)), *words],
        env={**quiet, **keys, "AWS_DEFAULT_REGION": "eu-west-1", "PYTHONPATH": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wheel_holds_the_agent_its_data_and_its_command_and_no_tests(wheel: Path) -> None:
    sources = ROOT / "layers" / "core" / "python"
    ours = {
        path.relative_to(sources).as_posix()
        for path in (sources / "reflexarc").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry,) = (name for name in names if name.endswith("entry_points.txt"))
        commands = archive.read(entry).decode()

    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == ours
    assert "reflexarc/agent/compose.py" in packed
    assert "reflexarc = reflexarc.cli:main" in commands


def test_sample_settings_that_are_off_are_valid_once_their_mark_is_taken_away() -> None:
    text = (ROOT / "samples" / "agent" / "agent.yaml").read_text()
    everything = yaml.safe_load(re.sub("^#: ", "", text, flags=re.MULTILINE))
    queues = {name: everything.pop(name) for name in ("faults_queue_url", "readings_queue_url")}
    https = {name: everything.pop(name) for name in ("https_url", "https_auth", "token_file")}

    for sink in (queues, https):
        AgentSettings.model_validate({"node": "x", **everything, **sink}).check_queues()
    assert yaml.safe_load(text).keys().isdisjoint({"second", "metrics_file", *https})
    assert {"second", "thresholds", "job_env", "hpc_job_dir"} <= everything.keys()


def test_extra_stays_small(installed: Path) -> None:
    base, agent = (set(closure(requirements(installed, *extras))) for extras in ((), ("agent",)))

    assert agent - base == {"nvidia-ml-py", "prometheus-client"}
    assert not {"grpcio", "protobuf", "aws-lambda-powertools", "moto"} & agent


def test_guard_of_this_test_refuses_what_a_node_does_not_have(installed: Path) -> None:
    modules = refused(installed)

    assert {"pytest", "grpc", "moto", "psutil", "aws_lambda_powertools", "nvitop"} <= set(modules)
    assert not {"boto3", "botocore", "pydantic", "pynvml", "prometheus_client"} & set(modules)


def test_help_is_shown_by_what_was_installed(installed: Path) -> None:
    done = on_a_node(installed, "agent", "--help")

    assert done.returncode == 0, done.stderr
    assert f"from {installed}" in done.stderr
    assert "--faults-queue-url" in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


def test_dry_run_tells_faults_of_a_log_with_the_extra_alone(installed: Path) -> None:
    done = on_a_node(
        installed, "agent", "--dry-run", "--once", "--no-nvml", "--source", f"file:{LOG}", "--json"
    )

    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"fault", "would_send"} <= {event["event"] for event in events}
    (version,) = {each["message"]["source"]["agent"] for each in events if "message" in each}
    assert version == importlib.metadata.version("reflexarc")


def test_sending_needs_the_extra_alone_and_keeps_what_no_queue_took(
    installed: Path, tmp_path: Path
) -> None:
    spool = ("--spool-dir", str(tmp_path), "--drain-s", "0.2")

    done = on_a_node(installed, "agent", *QUEUES, *spool, "--once", "--source", f"file:{LOG}")

    assert done.returncode == 3, done.stderr
    assert "the next run sends them" in done.stderr
    assert "a node has no" not in done.stderr


def test_check_looks_through_every_sensor_with_the_extra_alone(
    installed: Path, tmp_path: Path
) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(f"sources: ['file:{LOG}']\nspool_dir: {tmp_path}\n")

    done = on_a_node(
        installed,
        *("agent", "--config", str(config), "--dcgm-url", "http://127.0.0.1:1/metrics"),
        *(*QUEUES, "check", "--json"),
    )

    assert done.returncode == 2, done.stderr
    told = json.loads(done.stdout)
    says = {item["name"]: item["says"] for item in told["items"]}
    assert says[str(LOG)] == "can be read"
    assert {"nvml", "dcgm", "vitals"} <= says.keys()
    assert "a node has no" not in done.stdout + done.stderr


def systemd(verb: str, unit: Path) -> "subprocess.CompletedProcess[str]":
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    return subprocess.run(  # noqa: S603 - our own words
        [analyze, *verb.split(), unit], capture_output=True, text=True, check=False
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit with a program that this machine has."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/reflexarc/bin/reflexarc", "/bin/true"))
    return path


def test_unit_has_no_line_that_systemd_does_not_understand(unit: Path) -> None:
    done = systemd("verify", unit)

    assert (done.returncode, done.stderr) == (0, "")


def test_unit_exposes_little(unit: Path) -> None:
    done = systemd("security --offline=yes", unit)
    found = re.search(r"exposure level for \S+ (\d+\.\d)", done.stdout)

    if found is None:
        pytest.skip(f"this systemd cannot judge a file: {done.stderr}")
    assert float(found[1]) <= EXPOSURE_MAX


def test_unit_lets_in_every_gpu_before_the_driver_is_loaded() -> None:
    allowed = re.findall(r"^DeviceAllow=(.+)$", UNIT.read_text(), re.MULTILINE)

    # 195 is the driver's fixed major number, 255 nvidiactl.
    numbers = [f"/dev/char/195:{minor} rw" for minor in (*range(16), 255)]
    assert allowed == ["/dev/kmsg r", *numbers, "char-nvidia* rw"]


def test_unit_keeps_the_folder_that_root_writes_out_of_the_agents_hands() -> None:
    text = UNIT.read_text()
    (made,) = re.findall(r"^ExecStartPre=(.+)$", text, re.MULTILINE)

    assert made.startswith("+")
    assert str(AgentSettings(node="x").jobs_dir) in made.split()
    assert "\nRuntimeDirectory=" not in text


def test_image_installs_the_wheel_with_every_extra_of_a_node(installed: Path) -> None:
    text = (ROOT / "samples" / "agent" / "Dockerfile").read_text()
    (found,) = importlib.metadata.distributions(path=[str(installed)])
    (extras,) = re.findall(r"\$1\[([a-z,]+)\]", text)

    # Rules are tried where people sit.
    of_nodes = set(found.metadata.get_all("Provides-Extra") or ()) - {"telemetry"}
    assert set(extras.split(",")) == of_nodes
    assert re.findall(r"^([A-Z]+) ", text, re.MULTILINE)[-2:] == ["ENTRYPOINT", "CMD"]
