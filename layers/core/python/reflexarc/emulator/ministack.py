"""Starts ministack, an AWS emulator from PyPI, in an environment of its own on loopback.

Facts used here were found by running 1.5.33, the version that `infra/emulator-requirements.txt`
pins: it binds every interface unless told otherwise, runs functions in subprocesses that inherit
its environment, imports from its working directory, and leaves temporary folders behind.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

from reflexarc.emulator.endpoint import REGION, Endpoint
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import Child, Processes, free_port, wait_for_http

ROOM_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ministack:
    """A running emulator."""

    endpoint: Endpoint
    child: Child


def start(
    processes: Processes,
    checkout: Path,
    *,
    auth: bool = False,
    extra: Mapping[str, str] | None = None,
) -> Ministack:
    """Start the emulator; with `auth` it enforces IAM as AWS would."""
    python = checkout / ".venv-emulator" / "bin" / "python"
    if not python.exists():
        raise LaneUnavailable(
            f"there is no emulator in {python.parents[1]}: run `make .venv-emulator/ready`"
        )
    port = free_port()
    temporary = processes.folder("ministack", _memory())
    empty = temporary / "cwd"
    empty.mkdir()
    child = processes.start(
        "ministack",
        [python, "-m", "ministack"],
        cwd=empty,
        env={**_environment(port, temporary, auth=auth), **(extra or {})},
    )
    endpoint = Endpoint(url=f"http://127.0.0.1:{port}")
    wait_for_http(f"{endpoint.url}/_localstack/health", child)
    return Ministack(endpoint=endpoint, child=child)


def answers(url: str) -> bool:
    """Return whether ministack is what answers there: functions run under this machine's Python.

    LocalStack runs them in containers, and takes the path below for a bucket's.
    """
    try:
        answer = urllib3.request("GET", f"{url}/_ministack/health", retries=False, timeout=5.0)
    except urllib3.exceptions.HTTPError as error:
        raise LaneUnavailable(f"nothing answers at {url}: {error}") from error
    return b'"services"' in answer.data


def _memory() -> Path | None:
    """Return a folder in memory, where there is room for one.

    Each worker gets its own copy of the layers, 1,400 files: a second on disk, a quarter in memory.
    """
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    with suppress(OSError):
        if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM_BYTES:
            return shared
    return None


def _environment(port: int, temporary: Path, *, auth: bool) -> dict[str, str]:
    return {
        "BIND_HOST": "127.0.0.1",  # it runs code for whoever asks; its default is 0.0.0.0
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AUTH": "true" if auth else "false",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "STATE_DIR": str(temporary / "state"),
        "S3_DATA_DIR": str(temporary / "s3"),
        "LOG_LEVEL": "INFO",
        # A Docker that happens to run here is not ours to start containers on.
        "DOCKER_HOST": f"unix://{temporary}/no-docker.sock",
    }
