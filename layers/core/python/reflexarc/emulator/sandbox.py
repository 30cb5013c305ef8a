"""Runs a deployed function as Lambda runs it: its own artefacts, the real awslambdaric.

The emulator's own workers leak its packages and environment into functions and ignore memory;
here code and layers are unpacked to /var/task and /opt of their own, and imports see them in
AWS's order: the function, its layers, then the runtime, and nothing that is installed here.
"""

import io
import sys
import time
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import urllib3

from reflexarc.emulator.cpu_share import CpuShare
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.emulator.processes import Child, Processes
from reflexarc.emulator.runtime_api import Answer, RuntimeApi

INIT_TIMEOUT_S = 10.0  # .../latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
_RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A function as it was deployed, unpacked on this machine."""

    name: str
    arn: str
    handler: str
    memory_mb: int
    timeout_s: int
    environment: dict[str, str]
    task: Path
    opt: Path


def fetch(endpoint: Endpoint, name: str, folder: Path) -> Deployed:
    """Download what was deployed under this name."""
    client = endpoint.client("lambda")
    function = client.get_function(FunctionName=name)
    settings = function["Configuration"]
    task, opt = folder / "task", folder / "opt"
    _unpack(function["Code"]["Location"], task)
    opt.mkdir(exist_ok=True)
    for layer in settings.get("Layers", []):
        version = client.get_layer_version_by_arn(Arn=layer["Arn"])
        _unpack(version["Content"]["Location"], opt)
    return Deployed(
        name=name,
        arn=settings["FunctionArn"],
        handler=settings["Handler"],
        memory_mb=settings["MemorySize"],
        timeout_s=settings["Timeout"],
        environment=settings.get("Environment", {}).get("Variables", {}),
        task=task,
        opt=opt,
    )


def _unpack(url: str, folder: Path) -> None:
    answer = urllib3.request("GET", url)
    if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
        raise LaneUnavailable(f"could not download {url}: HTTP {answer.status}")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        archive.extractall(folder)


def runtime_folder(folder: Path) -> Path:
    """Gather the runtime interface client and its dependencies, apart from all else here."""
    try:
        for name in _RUNTIME:
            package = distribution(name)
            tops = {file.parts[0] for file in package.files or [] if ".." not in file.parts}
            for top in tops - {"__pycache__"}:
                (folder / top).symlink_to(Path(str(package.locate_file(top))))
    except PackageNotFoundError as error:
        raise LaneUnavailable(f"pip install awslambdaric: {error}") from error
    return folder


class Sandbox:
    """One execution environment: one process, one invocation at a time."""

    def __init__(
        self,
        processes: Processes,
        deployed: Deployed,
        runtime: Path,
        credentials: dict[str, str],
        share: CpuShare | None = None,
    ) -> None:
        self.deployed = deployed
        self._processes = processes
        self._api = RuntimeApi(deployed.arn)
        self.limit = share.method if share else "none"
        began = time.monotonic()
        argv = [str(Path(sys.executable).resolve()), "-S", "-m", "awslambdaric", deployed.handler]
        self.child: Child = processes.start(
            f"sandbox-{deployed.name}-{self._api.address.rpartition(':')[2]}",
            share.wrap(argv) if share else argv,
            cwd=deployed.task,
            env=self._environment(runtime) | credentials | deployed.environment,
        )
        if share:
            share.watch(self.child)
        self._wait_for_init()
        self.init_ms = (time.monotonic() - began) * 1000

    def invoke(self, event: bytes) -> Answer:
        """Run one event; the process is killed when it takes longer than its timeout."""
        answer = self._api.invoke(event, self.deployed.timeout_s)
        if answer is None:
            self.close()
            seconds = f"{self.deployed.timeout_s:.2f}"
            return Answer.error("Sandbox.Timedout", f"Task timed out after {seconds} seconds")
        return answer

    @property
    def alive(self) -> bool:
        """Return whether this environment can take another event."""
        return self.child.running

    def close(self) -> None:
        """Kill the process, as Lambda does: it gets no signal that it could handle."""
        self._processes.kill(self.child)
        self._api.close()

    def _wait_for_init(self) -> None:
        deadline = time.monotonic() + INIT_TIMEOUT_S
        while not self._api.initialised.wait(0.01):
            if not self.alive or time.monotonic() > deadline:
                self.close()
                raise LaneUnavailable(f"{self.deployed.name} did not start: {self.child.tail()}")
        if self._api.init_error is not None:
            self.close()
            raise LaneUnavailable(f"{self.deployed.name}: {self._api.init_error.decode()}")

    def _environment(self, runtime: Path) -> dict[str, str]:
        deployed = self.deployed
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        path: tuple[Any, ...] = (deployed.task, deployed.opt / "python", runtime)
        return {
            "PYTHONPATH": ":".join(str(folder) for folder in path),
            # /var/task and /opt are read-only on AWS: what is not compiled there never will be
            "PYTHONDONTWRITEBYTECODE": "1",
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            "LAMBDA_TASK_ROOT": str(deployed.task),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "_HANDLER": deployed.handler,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_FUNCTION_NAME": deployed.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{deployed.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]sandbox",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
        }
