"""Whose a process is, read from /proc while it lives, and remembered a minute longer.

Of its environment only the variables of ALLOWED are ever looked at; nothing else leaves this
module, whatever a program keeps there.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from reflexarc.agent.owners.bounded import Patience, first_bytes, printable
from reflexarc.agent.owners.cgroups import Place, place_of
from reflexarc.agent.owners.users import Users
from reflexarc.events.gpu_faults import Job
from reflexarc.kernel.errors import Rejected

PROC = Path("/proc")
# Exact names. HOSTNAME is looked at only in a pod, where it is the pod's name.
ALLOWED = (
    *("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_USER", "SLURM_JOB_ACCOUNT"),
    *("SLURM_JOB_NODELIST", "SLURM_PROCID", "RANK", "POD_NAME", "POD_NAMESPACE"),
)
_IN_A_POD = ("HOSTNAME",)
# Fields of a Job that an operator's own variables may fill.
FILLABLE = frozenset({"id", "name", "owner", "namespace", "workload", "rank"})
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
REMEMBERED_S = 60.0
# A number may be another process a moment later; one look a second tells.
CERTAIN_S = 1.0
KNOWN_MAX = 4_096
_SMALL, _ENVIRON_MAX = 8 << 10, 128 << 10
# Fields of /proc/<pid>/stat after the name, proc(5): the 22nd is the start time.
_START = 22 - 3
_SHORT_ID = 12


@dataclass(frozen=True, slots=True)
class _Known:
    start: str
    name: str
    job: Job | None
    read_at: float
    sure_at: float


def checked_env(job_env: Mapping[str, str]) -> Mapping[str, str]:
    """Return an operator's own variables, by the field they fill; Rejected where unfit."""
    for field, name in job_env.items():
        if field not in FILLABLE:
            raise Rejected(f"job_env fills {field!r}: it can fill {', '.join(sorted(FILLABLE))}")
        if not _NAME.fullmatch(name) or _SECRET.search(name):
            raise Rejected(
                f"job_env reads {name!r}, which is no variable's name or looks like a secret's:"
                " name one that holds a team, project or job"
            )
    return MappingProxyType(dict(job_env))


class Processes:
    """Tells name and job of a process. A storm of lines about one costs one reading."""

    def __init__(
        self,
        proc_dir: Path = PROC,
        *,
        users: Users | None = None,
        job_env: Mapping[str, str] | None = None,
        node: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc = proc_dir
        self._users = users or Users()
        self._job_env = checked_env(job_env or {})
        self._node = node.partition(".")[0]
        self._monotonic = monotonic
        self._known: OrderedDict[int, _Known] = OrderedDict()
        self._patience = Patience()
        self.reads = 0

    def of(self, pid: int) -> tuple[str, Job | None]:
        """Return name and job; an empty name where there is no such process."""
        known = self._known.get(pid)
        now = self._monotonic()
        if known is not None and now - known.read_at < REMEMBERED_S:
            if now - known.sure_at < CERTAIN_S:
                return known.name, known.job
            start = self._start(pid)
            # One that is gone keeps its owner: that it is gone may be what the line tells of.
            if start in ("", known.start):
                self._keep(pid, _Known(known.start, known.name, known.job, known.read_at, now))
                return known.name, known.job
        fresh = self._read(pid, now)
        self._keep(pid, fresh)
        return fresh.name, fresh.job

    def _keep(self, pid: int, known: _Known) -> None:
        self._known[pid] = known
        self._known.move_to_end(pid)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def _read(self, pid: int, now: float) -> _Known:
        self.reads += 1
        folder = self._proc / str(pid)
        start = self._start(pid)
        if not start:
            return _Known("", "", None, now, now)
        name = printable(_text(folder / "comm", 64))
        place = place_of(_text(folder / "cgroup", _SMALL))
        variables = self._variables(folder / "environ", in_a_pod=bool(place.pod_uid))
        job = self._job(name, place, variables, _uid(_text(folder / "status", _SMALL)))
        if self._start(pid) not in ("", start):
            return _Known("", "", None, now, now)  # another process took the number meanwhile
        return _Known(start, name, job, now, now)

    def _start(self, pid: int) -> str:
        # The name stands in parentheses and may hold anything, parentheses too.
        fields = _text(self._proc / str(pid) / "stat", 1_024).rpartition(")")[2].split()
        return fields[_START] if len(fields) > _START else ""

    def _variables(self, path: Path, *, in_a_pod: bool) -> dict[str, str]:
        wanted = {*ALLOWED, *self._job_env.values(), *(_IN_A_POD if in_a_pod else ())}
        found: dict[str, str] = {}
        for entry in self._patience.first_bytes(path, _ENVIRON_MAX).split(b"\0")[:-1]:
            name, _, value = entry.partition(b"=")
            if (key := name.decode("ascii", "replace")) in wanted:
                found.setdefault(key, printable(value[:1_024].decode("utf-8", "replace")))
        return found

    def _job(self, name: str, place: Place, variables: Mapping[str, str], uid: int | None) -> Job:
        slurm_id = place.slurm_job or variables.get("SLURM_JOB_ID", "")
        if place.pod_uid:
            job = self._of_pod(place, variables)
        elif slurm_id:
            job = self._of_slurm(slurm_id, variables, uid)
        else:
            job = Job(
                name=name,
                owner=self._user(uid),
                rank=variables.get("RANK", ""),
                container=place.container_id[:_SHORT_ID],
                scheduler="process",
            )
        own = {
            field: variables[variable]
            for field, variable in self._job_env.items()
            if variables.get(variable)
        }
        return job.model_copy(update=own) if own else job

    def _of_pod(self, place: Place, variables: Mapping[str, str]) -> Job:
        host = variables.get("HOSTNAME", "")
        # With the host's network a pod has the node's name.
        named_after_pod = host if host.partition(".")[0] != self._node else ""
        return Job(
            id=place.pod_uid,
            name=variables.get("POD_NAME", "") or named_after_pod,
            namespace=variables.get("POD_NAMESPACE", ""),
            container=place.container_id[:_SHORT_ID],
            rank=variables.get("RANK", ""),
            scheduler="kubernetes",
        )

    def _of_slurm(self, job_id: str, variables: Mapping[str, str], uid: int | None) -> Job:
        # Whoever runs the process wrote its variables; the user is the kernel's word. In a
        # container it may be root, and a directory's user has no name here.
        known = self._users.name_of(uid) if uid else ""
        return Job(
            id=job_id,
            name=variables.get("SLURM_JOB_NAME", ""),
            owner=known or variables.get("SLURM_JOB_USER", "") or self._user(uid),
            namespace=variables.get("SLURM_JOB_ACCOUNT", ""),
            nodes=variables.get("SLURM_JOB_NODELIST", ""),
            rank=variables.get("RANK", "") or variables.get("SLURM_PROCID", ""),
            scheduler="slurm",
        )

    def _user(self, uid: int | None) -> str:
        return "" if uid is None else self._users.name_of(uid) or f"uid {uid}"


def _uid(status: str) -> int | None:
    found = re.search(r"^Uid:\s+[0-9]+\s+([0-9]{1,10})\s", status, re.MULTILINE)
    return int(found[1]) if found else None


def _text(path: Path, limit: int) -> str:
    return first_bytes(path, limit).decode("utf-8", "replace")
