"""Child processes and folders that never outlive the process that asked for them."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import urllib3

from reflexarc.emulator import guard
from reflexarc.emulator.errors import LaneUnavailable

LOG_TAIL_BYTES = 2_000
HTTP_SERVER_ERROR = 500
# Children get what they are given and nothing else: the caller's credentials, proxies and
# PYTHONPATH must not reach code that claims to run in a cloud function.
BASE_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(slots=True, kw_only=True)
class Child:
    """One started program, the leader of its own process group."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Return whether the program has not exited yet."""
        return self.process.poll() is None

    def ask(self, number: signal.Signals) -> None:
        """Signal the program's whole group; nobody left to hear it is fine."""
        guard.signal_group(self.process.pid, number)

    def tail(self) -> str:
        """Return the end of what the program printed."""
        with suppress(OSError):
            return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return ""


class Processes:
    """Starts children and ends them in reverse order, also after `kill -9` of this process.

    Each child leads its own session, so that Ctrl-C reaches only us and we end them in order.
    A guard process notices our own death (reflexarc.emulator.guard).
    """

    def __init__(self, logs: Path | None = None) -> None:
        self._children: list[Child] = []
        self._folders: list[Path] = []
        self._guard: subprocess.Popen[bytes] | None = None
        self._logs = logs
        self._starts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._guard = subprocess.Popen(  # noqa: S603 - argv is ours, no shell
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for child in reversed(self._children.copy()):
                self.stop(child)
        finally:  # a second Ctrl-C lands here: the guard ends and removes what is left
            self._leave_to_guard()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def logs(self) -> Path:
        """Return the folder that takes the children's output."""
        if self._logs is None:
            self._logs = self.folder("logs")
        self._logs.mkdir(parents=True, exist_ok=True)
        return self._logs

    def folder(self, name: str, parent: Path | None = None) -> Path:
        """Make a temporary folder that is deleted at the end, whatever the end is."""
        return self.adopt(Path(tempfile.mkdtemp(prefix=f"reflexarc-{name}-", dir=parent)))

    def adopt(self, path: Path) -> Path:
        """Delete this folder at the end, as if we had made it."""
        self._folders.append(path)
        self._tell(f"folder {path}")
        return path

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> Child:
        """Start a program with exactly this environment on top of a bare one."""
        log = self._log(name)
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - argv is ours, no shell
                [str(word) for word in argv],
                cwd=cwd,
                env={**BASE_ENVIRONMENT, **(env or {})},
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._tell(f"hold {process.pid}")
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def stop(self, child: Child, grace_s: float = guard.GRACE_S) -> None:
        """End one child: SIGTERM, time to finish, SIGKILL to whoever is left of its group."""
        if child.running:
            child.ask(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(grace_s)
        self.kill(child)

    def kill(self, child: Child) -> None:
        """End one child and its group at once, as `kill -9` does."""
        child.ask(signal.SIGKILL)
        child.process.wait()
        if child in self._children:
            self._children.remove(child)
            self._tell(f"drop {child.process.pid}")

    def _log(self, name: str) -> Path:
        """Return a file for this start alone; a program may be started again."""
        self._starts[name] += 1
        again = f"-{self._starts[name]}" if self._starts[name] > 1 else ""
        return self.logs / f"{name}{again}.log"

    def _tell(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise LaneUnavailable("enter the Processes context before starting anything")
        self._guard.stdin.write(f"{line}\n".encode())
        self._guard.stdin.flush()

    def _leave_to_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()


def free_port() -> int:
    """Return a loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(look: Callable[[], bool], timeout_s: float, every_s: float = 0.02) -> bool:
    """Look until it answers True or the time is over; return the last answer."""
    deadline = time.monotonic() + timeout_s
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return answer


def wait_for_http(url: str, child: Child, timeout_s: float = 20.0) -> None:
    """Return once the child answers HTTP there; say what it printed if it never does."""
    pool = urllib3.PoolManager(retries=False, timeout=1.0)

    def answers() -> bool:
        if not child.running:
            raise LaneUnavailable(
                f"{child.name} exited with {child.process.returncode}: {child.tail()}"
            )
        try:
            return pool.request("GET", url).status < HTTP_SERVER_ERROR
        except urllib3.exceptions.HTTPError:
            return False

    if not wait_until(answers, timeout_s):
        raise LaneUnavailable(f"{child.name} did not answer in {timeout_s:.0f} s: {child.tail()}")
