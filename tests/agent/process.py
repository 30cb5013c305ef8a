"""The agent as a real process, which tests stop and kill."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.agent.standin import SqsStandIn

COMMAND = [
    sys.executable,
    "-c",
    "from reflexarc.cli.agent import agent_app; agent_app()",
]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that knows nothing of the account of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}  # noqa: TID251 - a child process needs its PATH
    return kept | {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        **extra,
    }


@dataclass
class AgentProcess:
    """Starts an agent that follows a file and sends to the stand-in."""

    sqs: SqsStandIn
    folder: Path
    extra: tuple[str, ...] = ()
    file_size_limit: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "kern.log"

    def arguments(self) -> list[str]:
        return [
            *("--node", "node-7", "--region", "us-east-1"),
            *("--faults-queue-url", self.sqs.url("gpu-faults")),
            *("--readings-queue-url", self.sqs.url("gpu-readings")),
            *("--endpoint-url", self.sqs.endpoint),
            *("--spool-dir", str(self.folder / "spool")),
            *("--source", f"file:{self.log}"),
            *self.extra,
        ]

    def start(self) -> "AgentProcess":
        """Start, and return when the first heartbeat shows that it lives, if it can be heard."""
        heard = len(self.sqs.bodies["gpu-readings"])
        asked = self.sqs.requests
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [*COMMAND, *self.arguments()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment({**CREDENTIALS, **self.env}),
            preexec_fn=self._limit if self.file_size_limit is not None else None,  # noqa: PLW1509 - no threads in the child
        )
        assert wait_until(
            lambda: len(self.sqs.bodies["gpu-readings"]) > heard or self.sqs.requests > asked
        )
        return self

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> int:
        return self._end(number)

    def clean_up(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def _end(self, number: int) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        self.errors.append(err)
        return self.process.returncode

    def _limit(self) -> None:
        assert self.file_size_limit is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size_limit, self.file_size_limit))


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def write_through_kills(
    running: AgentProcess, lines: Sequence[str], pauses: Iterable[float]
) -> None:
    """Write the lines while the agent is killed and started again after each pause."""

    def write() -> None:
        for begin in range(0, len(lines), 10):
            append(running.log, *lines[begin : begin + 10])
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    for pause in pauses:
        time.sleep(pause)
        running.kill()
        running.start()
    writer.join()


def wait_until(condition: Callable[[], object], seconds: float = 15) -> bool:
    """Return whether the condition held before the time was up."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())
