"""Jobs that Slurm's prolog wrote down: one JSON file a job, gone with the job's epilog.

    {"id": "123", "user": "research", "name": "train", "account": "nlp", "nodes": "n[1-2]",
     "gpus": ["0", "1"]}

`gpus` are NVML indexes, UUIDs or PCI addresses.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from reflexarc.agent.owners.bounded import printable, whole_file
from reflexarc.agent.owners.places import Places
from reflexarc.events.gpu_faults import Job
from reflexarc.events.problems import problems_of
from reflexarc.kernel.errors import Rejected

JOBS_DIR = Path("/run/reflexarc/jobs")
FILE_MAX = 64 << 10
# A node runs some hundred jobs at most, and one a GPU in practice.
FILES_MAX = 1_000
# A change of the folder changes its time, in steps of a clock tick; a file written in place does
# not, so look anyway now and then.
_SETTLED_NS = 2_000_000_000
_ANYWAY_S = 30.0

_Text = Annotated[str, StringConstraints(max_length=1_024)]


class JobFile(BaseModel):
    """What one file says; what it says besides is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    user: _Text = ""
    name: _Text = ""
    account: _Text = ""
    nodes: _Text = ""
    gpus: Annotated[tuple[_Text, ...], Field(max_length=256)] = ()

    def job(self) -> Job:
        """Return the job as events tell it."""
        return Job(
            id=printable(self.id),
            name=printable(self.name),
            owner=printable(self.user),
            namespace=printable(self.account),
            nodes=printable(self.nodes),
            scheduler="slurm",
        )


@dataclass(slots=True)
class SlurmJobs:
    """Keeps what the folder says, read again when it changes."""

    folder: Path = JOBS_DIR
    monotonic: Callable[[], float] = time.monotonic
    wall_ns: Callable[[], int] = time.time_ns
    refused: dict[str, str] = field(default_factory=dict)
    scans: int = 0
    _files: tuple[JobFile, ...] = ()
    _mtime: int = -1
    _read_at: float = float("-inf")

    def refresh(self) -> None:
        """Look whether the folder changed, and read it if so. No folder: no jobs."""
        try:
            mtime = self.folder.stat().st_mtime_ns
        except OSError:
            self._files, self._mtime, self.refused = (), -1, {}
            return
        settled = self.wall_ns() - mtime > _SETTLED_NS
        fresh = self.monotonic() - self._read_at < _ANYWAY_S
        if mtime == self._mtime and settled and fresh:
            return
        self._mtime, self._read_at = mtime, self.monotonic()
        self._scan()

    def by_place(self, places: Places) -> dict[str, Job]:
        """Return who holds which device, by what the names of GPUs mean now."""
        found: dict[str, Job] = {}
        for file in self._files:
            for gpu in file.gpus:
                place = places.of(gpu)
                # Where GPUs are partitioned Slurm numbers the parts, not the GPUs.
                if place is None or (gpu.isdigit() and places.partitioned):
                    continue
                found[place] = file.job()
        return found

    def _scan(self) -> None:
        self.scans += 1
        self.refused = {}
        try:
            paths = sorted(p for p in self.folder.iterdir() if p.suffix == ".json")
        except OSError as error:
            self._files = ()
            self.refused = {str(self.folder): error.strerror or "it cannot be listed"}
            return
        if len(paths) > FILES_MAX:
            self.refused[str(self.folder)] = (
                f"it holds {len(paths)} files and {FILES_MAX} are read: does the epilog run?"
            )
        read = (self._read(path) for path in paths[:FILES_MAX])
        self._files = tuple(file for file in read if file is not None)

    def _read(self, path: Path) -> JobFile | None:
        try:
            return JobFile.model_validate_json(
                whole_file(path, FILE_MAX).decode("utf-8", "replace")
            )
        except ValidationError as error:
            self.refused[path.name] = "; ".join(problems_of(error, "job"))[:200]
        except Rejected as error:
            if path.exists() or path.is_symlink():  # else the epilog was faster than we
                self.refused[path.name] = str(error)
        return None
