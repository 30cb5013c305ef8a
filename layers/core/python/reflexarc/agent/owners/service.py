"""Fills agent.ports.Owners: whose work runs, or last ran, on a device or in a process."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from reflexarc.agent.log import AgentLog
from reflexarc.agent.owners.holders import Holders
from reflexarc.agent.owners.hpc_files import HpcFiles
from reflexarc.agent.owners.places import Places
from reflexarc.agent.owners.process import PROC, Processes
from reflexarc.agent.owners.slurm_jobs import JOBS_DIR, SlurmJobs
from reflexarc.agent.owners.users import Users
from reflexarc.events.gpu_faults import Job
from reflexarc.gpu.watch.model import Observation

# One look at the folders a second is enough, however often is asked.
LOOK_S = 1.0
# New processes that one call reads; the rest wait for the next second's.
READS_MAX = 32
# While the driver hangs nobody tells who runs on a GPU; that is no end of a job yet.
PROCESSES_STAND_S = 900.0
_REMARKS_MAX = 64


class KnownOwners:
    """Knows owners from the kubelet, Slurm, DCGM and /proc. Never raises, and never waits long."""

    def __init__(
        self,
        *,
        proc_dir: Path = PROC,
        passwd: Path | None = None,
        jobs_dir: Path = JOBS_DIR,
        hpc_dir: Path | None = None,
        job_env: Mapping[str, str] | None = None,
        node: str = "",
        log: AgentLog | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        # The users of the host whose processes these are: /host/etc/passwd beside /host/proc.
        users = Users(passwd or proc_dir.parent / "etc" / "passwd")
        self._processes = Processes(
            proc_dir, users=users, job_env=job_env, node=node, monotonic=monotonic
        )
        self._slurm = SlurmJobs(jobs_dir, monotonic=monotonic)
        self._hpc = HpcFiles(hpc_dir, monotonic=monotonic)
        self._places = Places()
        self._holders = Holders()
        self._log = log
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._pids: dict[str, dict[int, Job | None]] = {}
        self._remarked: set[str] = set()
        # Two locks: a storm of lines that asks for processes does not wait for folders.
        self._reading = threading.Lock()
        self._knowing = threading.Lock()

    def of_process(self, pid: int) -> tuple[str, Job | None]:
        """Return name and job of a process, from a minute's memory where it is gone by now."""
        try:
            with self._reading:
                return self._processes.of(pid)
        except Exception as error:  # noqa: BLE001 - an owner is an extra; the fault must go out
            self._complain("a process", error)
            return "", None

    def of_device(self, device: str, gpu_instance: int | None = None) -> Job | None:
        """Return who holds a device or its instance, or held it last, then marked `ended`."""
        try:
            with self._knowing:
                self._look()
                return self._of_device(device, gpu_instance, self._monotonic())
        except Exception as error:  # noqa: BLE001 - as above
            self._complain("a device", error)
            return None

    def busy(self) -> frozenset[str]:
        """Return the devices that are held now, whole or in part."""
        try:
            with self._knowing:
                self._look()
                held = self._holders.held(self._monotonic())
                used = {device for device, pids in self._pids.items() if pids}
                return frozenset(used | {place.partition("/")[0] for place in held})
        except Exception as error:  # noqa: BLE001 - as above
            self._complain("the node", error)
            return frozenset()

    def learn(self, observation: Observation) -> None:
        """Take in what one sensor saw; reads /proc for processes that are new on a GPU only."""
        try:
            with self._knowing:
                now = self._monotonic()
                self._places.learn(observation)
                if observation.jobs:
                    # The exporter's page tells of GPUs too, the kubelet's answer does not.
                    source = "dcgm" if observation.gpus else "kubelet"
                    self._holders.tell(source, observation.jobs, now)
                if any(gpu.pids is not None for gpu in observation.gpus):
                    self._learn_pids(observation, now)
                self._look()
        except Exception as error:  # noqa: BLE001 - as above
            self._complain("what a sensor saw", error)

    def place_of(self, name: str) -> str | None:
        """Return the device, or device/instance, that an index, UUID or address means now."""
        with self._knowing:
            return self._places.of(name)

    def _of_device(self, device: str, instance: int | None, now: float) -> Job | None:
        parts = self._holders.instances(device)
        if instance is not None:
            job = self._holders.last(f"{device}/{instance}", now)
            # Who runs on the whole of a partitioned GPU may run in another part of it.
            if job is not None or parts or device in self._places.partitioned:
                return job
            return self._holders.last(device, now)
        if (job := self._holders.last(device, now)) is not None:
            return job
        jobs = [self._holders.last(part, now) for part in parts]
        return jobs[0] if len({(j.id, j.name) for j in jobs if j is not None}) == 1 else None

    def _learn_pids(self, observation: Observation, now: float) -> None:
        left = READS_MAX
        held: dict[str, Job] = {}
        for gpu in observation.gpus:
            if gpu.pids is None:
                if kept := self._pids.get(gpu.device):
                    held |= self._holder(gpu.device, kept)
                continue
            before = self._pids.get(gpu.device, {})
            known: dict[int, Job | None] = {}
            for pid in gpu.pids:
                if pid in before:
                    known[pid] = before[pid]
                elif left:
                    left -= 1
                    known[pid] = self.of_process(pid)[1]
            self._pids[gpu.device] = known
            held |= self._holder(gpu.device, known)
        self._holders.tell("processes", held, now, stands_s=PROCESSES_STAND_S)

    def _holder(self, device: str, known: Mapping[int, Job | None]) -> dict[str, Job]:
        """Return the owner of a device by its processes: one of a scheduler, else any."""
        jobs = [job for _, job in sorted(known.items()) if job is not None]
        ranked = sorted(jobs, key=lambda job: job.scheduler == "process")
        several = len({(job.id, job.name) for job in jobs}) > 1
        if not ranked or (several and device in self._places.partitioned):
            return {}
        return {device: ranked[0]}

    def _look(self) -> None:
        now = self._monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        self._slurm.refresh()
        self._hpc.refresh()
        self._holders.tell("slurm", self._slurm.by_place(self._places), now)
        self._holders.tell("hpc", self._hpc.by_place(self._places), now)
        self._holders.remember(now)
        self._remark({**self._slurm.refused, **self._hpc.refused})

    def _remark(self, refused: Mapping[str, str]) -> None:
        """Say once of each file why it is not used."""
        for name, why in refused.items():
            if name in self._remarked or self._log is None:
                continue
            if len(self._remarked) >= _REMARKS_MAX:
                self._remarked.clear()
            self._remarked.add(name)
            self._log.warning(
                "a job file is not used; see docs/guides/owners.md", file=name, why=why
            )

    def _complain(self, whose: str, error: Exception) -> None:
        if self._log is not None:
            self._log.warning(
                "an owner is not known", whose=whose, why=f"{type(error).__name__}: {error}"
            )
