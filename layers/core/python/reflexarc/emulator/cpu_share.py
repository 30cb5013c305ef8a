"""Gives a process the CPU share that Lambda gives a function of some memory size.

Lambda allots CPU in proportion to memory, one vCPU at 1,769 MB:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from reflexarc.emulator.processes import Child, Processes

MB_PER_VCPU = 1_769
PERIOD_S = 0.02  # the period that Lambda's own cgroup uses
_V1 = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")


def vcpus(memory_mb: int) -> float:
    """Return how many vCPUs a function of this memory size has."""
    return memory_mb / MB_PER_VCPU


class CpuShare(Protocol):
    """Limits processes to a share of one CPU; `method` says how, for the record."""

    method: str

    def wrap(self, argv: list[str]) -> list[str]:
        """Return the command that runs argv inside the limit."""

    def watch(self, child: Child) -> None:
        """Begin to limit a started process, where `wrap` could not."""


class CgroupShare:
    """The kernel's own bandwidth limit, as in Lambda."""

    def __init__(self, group: Path) -> None:
        self.method = "cgroup"
        self._procs = group / "cgroup.procs"

    def wrap(self, argv: list[str]) -> list[str]:
        """Enter the group before the program starts, so that its first import counts too."""
        return ["/bin/sh", "-c", f'echo $$ > {self._procs} && exec "$@"', "sh", *argv]

    def watch(self, child: Child) -> None:
        """Do nothing: the kernel watches."""


class DutyCycleShare:
    """Stops and continues the process by its own CPU clock, where no cgroup is writable."""

    def __init__(self, share: float) -> None:
        self.method = "stop-continue"
        self._share = share

    def wrap(self, argv: list[str]) -> list[str]:
        """Change nothing: the limit is applied from outside."""
        return argv

    def watch(self, child: Child) -> None:
        """Limit the process until it exits."""
        threading.Thread(target=self._cycle, args=(child,), daemon=True).start()

    def _cycle(self, child: Child) -> None:
        pid = child.process.pid
        with suppress(OSError):
            while child.running:
                began = _cpu_seconds(pid)
                time.sleep(PERIOD_S / 4)
                over = (_cpu_seconds(pid) - began) / self._share - PERIOD_S / 4
                if over > 0:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(over)
                    os.kill(pid, signal.SIGCONT)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process's threads in seconds (Linux)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def cpu_share(processes: Processes, memory_mb: int) -> CpuShare:
    """Return the best limit that this machine lets us set."""
    share = vcpus(memory_mb)
    name = f"reflexarc-{os.getpid()}-{memory_mb}-{time.monotonic_ns()}"
    for root, quota in ((_V1, _v1_quota), (_V2, _v2_quota)):
        group = root / name
        try:
            group.mkdir()
            quota(group, share)
        except OSError:
            with suppress(OSError):
                group.rmdir()
        else:
            return CgroupShare(processes.adopt(group))
    return DutyCycleShare(share)


def _v1_quota(group: Path, share: float) -> None:
    period = round(PERIOD_S * 1e6)
    (group / "cpu.cfs_period_us").write_text(str(period))
    (group / "cpu.cfs_quota_us").write_text(str(round(period * share)))


def _v2_quota(group: Path, share: float) -> None:
    period = round(PERIOD_S * 1e6)
    (group / "cpu.max").write_text(f"{round(period * share)} {period}")
