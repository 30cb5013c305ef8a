"""The folder that dcgm-exporter reads with --hpc-job-mapping-dir, read as the exporter does.

A file named 3 holds the jobs of GPU 3, one 3.1 those of its GPU instance 1: one job id a line.
https://github.com/NVIDIA/dcgm-exporter/blob/main/internal/pkg/transformation/hpc.go
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reflexarc.agent.owners.bounded import printable, whole_file
from reflexarc.agent.owners.places import Places
from reflexarc.events.gpu_faults import Job
from reflexarc.kernel.errors import Rejected

FILE_MAX = 64 << 10
# 16 GPUs of 7 instances.
FILES_MAX = 128
# Prologs write these files in place, which does not change the folder's time.
EVERY_S = 5.0
_FILE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")


@dataclass(slots=True)
class HpcFiles:
    """Keeps the newest job of each file."""

    folder: Path | None = None
    monotonic: Callable[[], float] = time.monotonic
    refused: dict[str, str] = field(default_factory=dict)
    _jobs: dict[str, str] = field(default_factory=dict)
    _read_at: float = float("-inf")

    def refresh(self) -> None:
        """Read the folder, each five seconds."""
        if self.folder is None or self.monotonic() - self._read_at < EVERY_S:
            return
        self._read_at = self.monotonic()
        self.refused = {}
        try:
            names = sorted(p.name for p in self.folder.iterdir() if _FILE.fullmatch(p.name))
        except OSError:
            names = []
        read = {name: self._last_line(self.folder / name) for name in names[:FILES_MAX]}
        self._jobs = {name: job for name, job in read.items() if job}

    def by_place(self, places: Places) -> dict[str, Job]:
        """Return who holds which device, by what the indexes mean now."""
        return {
            place: Job(id=job, scheduler="slurm")
            for name, job in self._jobs.items()
            if (place := places.of(name)) is not None
        }

    def _last_line(self, path: Path) -> str:
        try:
            text = whole_file(path, FILE_MAX).decode("utf-8", "replace")
        except Rejected as error:
            if path.exists() or path.is_symlink():
                self.refused[path.name] = str(error)
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return printable(lines[-1]) if lines else ""
