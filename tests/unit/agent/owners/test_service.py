import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reflexarc.agent.log import AgentLog
from reflexarc.agent.owners.service import KnownOwners
from reflexarc.agent.ports import Owners
from reflexarc.events.gpu_faults import Job
from reflexarc.gpu.watch.model import GpuSample, Observation
from tests.unit.agent.owners.proc_tree import ProcTree

A, B = "0000:1b:00", "0000:43:00"
SLURM = "0::/system.slice/slurmstepd.scope/job_{}/step_0/user/task_0"
UID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
POD = f"0::/kubepods/burstable/pod{UID}/{'0123456789abcdef' * 4}"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Node:
    """A node whose owners the test moves second by second."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.proc = ProcTree(root / "proc")
        self.jobs = root / "jobs"
        self.hpc = root / "hpc"
        self.jobs.mkdir()
        self.hpc.mkdir()
        (root / "etc").mkdir()
        (root / "etc" / "passwd").write_text("ada:x:1000:1000::/:/bin/sh\n")
        self.owners = KnownOwners(
            proc_dir=self.proc.root,
            jobs_dir=self.jobs,
            hpc_dir=self.hpc,
            log=AgentLog(write=self.said.append),
            monotonic=self.clock,
        )

    def nvml(
        self, *pids: int, also: tuple[int, ...] | None = None, mig: bool = False, after: float = 1.0
    ) -> None:
        """Let a second pass; GPU A runs these processes, B the others."""
        self.clock.now += after
        first = GpuSample(device=A, uuid="GPU-a", index=0, pids=pids, mig=mig)
        second = GpuSample(device=B, uuid="GPU-b", index=1, pids=also, mig=mig)
        self.owners.learn(Observation(gpus=(first, second), driver="550"))

    def slurm(self, job: str, *gpus: str) -> Path:
        path = self.jobs / f"{job}.json"
        aside = self.jobs / ".aside"
        aside.write_text(json.dumps({"id": job, "user": "ada", "name": "train", "gpus": gpus}))
        return aside.rename(path)

    def told(self, device: str = A, instance: int | None = None) -> tuple[str, bool] | None:
        job = self.owners.of_device(device, instance)
        return None if job is None else (job.id or job.name, job.ended)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def pod(name: str, **more: str) -> Job:
    return Job(name=name, scheduler="kubernetes", **more)


def test_it_fills_the_port(node: Node) -> None:
    filled: Owners = node.owners

    assert filled.busy() == frozenset()
    assert filled.of_device(A) is None


def test_a_device_belongs_to_the_job_of_its_processes(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(77))

    node.nvml(42)

    assert node.told(A) == ("77", False)
    assert node.told(B) is None
    assert node.owners.busy() == {A}


def test_a_job_that_is_over_stays_the_last_owner_for_a_day(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(77))
    node.nvml(42)
    node.nvml()
    after = node.told(A), node.owners.busy()
    node.nvml(after=23 * 3600)
    later = node.told(A)
    node.nvml(after=2 * 3600)

    assert after == (("77", True), frozenset())
    assert later == ("77", True)
    assert node.told(A) is None


def test_a_process_that_appears_again_and_again_is_read_once(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(77))

    for _ in range(100):
        node.nvml(42)

    assert node.owners._processes.reads == 1


def test_many_new_processes_are_read_over_several_seconds(node: Node) -> None:
    for pid in range(100):
        node.proc.add(pid, cgroup=SLURM.format(77))

    reads = []
    for _ in range(4):
        node.nvml(*range(100))
        reads.append(node.owners._processes.reads)

    assert reads == [32, 64, 96, 100]


def test_a_gpu_that_no_longer_tells_its_processes_keeps_its_owner(node: Node) -> None:
    node.proc.add(43, cgroup=SLURM.format(78))
    node.nvml(also=(43,))

    node.nvml(also=None)

    assert node.told(B) == ("78", False)


def test_a_driver_that_hangs_ends_no_job(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(77))
    node.nvml(42)
    node.clock.now += 600

    assert node.told(A) == ("77", False)


def test_slurms_prolog_is_known_before_anything_runs_and_without_sensors(node: Node) -> None:
    path = node.slurm("5", "GPU-a", "00000000:43:00.0")
    known = node.told(B)
    path.unlink()
    node.clock.now += 1

    assert known == ("5", False)
    assert node.told(B) == ("5", True)


def test_a_job_by_index_follows_the_numbering(node: Node) -> None:
    node.slurm("5", "1")
    node.nvml()
    before = node.told(B)
    gone = Observation(gpus=(GpuSample(device=B, uuid="GPU-b", index=0),), driver="550")
    node.clock.now += 2
    node.owners.learn(gone)
    node.slurm("6", "0")
    node.clock.now += 2

    assert before == ("5", False)
    assert node.told(B) == ("6", False)


def test_sources_are_believed_in_their_order(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(1))
    told = []
    node.nvml(42)
    told.append(node.told())
    node.owners.learn(
        Observation(gpus=(GpuSample(device=A),), jobs={A: Job(id="2", scheduler="slurm")})
    )
    told.append(node.told())
    (node.hpc / "0").write_text("3\n")
    node.clock.now += 6
    told.append(node.told())
    node.slurm("4", "0")
    node.clock.now += 2
    told.append(node.told())
    node.owners.learn(Observation(jobs={A: pod("5")}))
    told.append(node.told())

    assert [each and each[0] for each in told] == ["1", "2", "3", "4", "5"]


def test_sources_complete_each_other_where_they_speak_of_one_job(node: Node) -> None:
    node.proc.add(42, cgroup=POD, POD_NAME="serve-0", RANK="3")
    node.proc.add(43, cgroup=POD, POD_NAME="other-0")
    node.nvml(42, also=(43,))
    node.owners.learn(
        Observation(jobs={place: pod("serve-0", workload="serve") for place in (A, B)})
    )

    same, other = node.owners.of_device(A), node.owners.of_device(B)

    assert same is not None
    assert (same.id, same.name, same.workload, same.rank) == (UID, "serve-0", "serve", "3")
    assert other is not None
    assert (other.id, other.name) == ("", "serve-0")


def test_what_a_sensor_stops_telling_ends(node: Node) -> None:
    node.owners.learn(Observation(jobs={A: pod("a-0"), B: pod("b-0")}))
    node.owners.learn(Observation(jobs={B: pod("b-0")}))
    gone = node.told(A)
    node.clock.now += 36

    assert gone == ("a-0", True)
    assert node.told(B) == ("b-0", True)
    assert node.owners.busy() == frozenset()


def test_an_instance_has_its_own_owner_and_its_last(node: Node) -> None:
    node.owners.learn(Observation(jobs={f"{A}/1": pod("a-0"), f"{A}/2": pod("b-0")}))
    told = [node.told(A, 1), node.told(A, 2), node.told(A, 3), node.told(A), node.told(B, 1)]
    node.clock.now += 36

    assert told == [("a-0", False), ("b-0", False), None, None, None]
    assert node.told(A, 1) == ("a-0", True)


def test_a_partitioned_gpu_in_one_hand_is_in_that_hand(node: Node) -> None:
    node.owners.learn(Observation(jobs={f"{A}/1": pod("a-0"), f"{A}/2": pod("a-0")}))

    assert node.told(A) == ("a-0", False)
    assert node.owners.busy() == {A}


def test_several_jobs_on_a_partitioned_gpu_are_not_blamed_by_guess(node: Node) -> None:
    for pid, job in ((42, 1), (43, 2)):
        node.proc.add(pid, cgroup=SLURM.format(job))

    node.nvml(42, 43, mig=True)

    assert node.told(A) is None
    assert node.told(A, 1) is None
    assert node.owners.busy() == {A}


def test_an_instance_of_a_gpu_that_is_whole_belongs_to_its_owner(node: Node) -> None:
    node.slurm("5", "GPU-a")
    node.nvml()

    assert node.told(A, 1) == ("5", False)


def test_a_monitor_beside_a_job_is_not_the_owner(node: Node) -> None:
    node.proc.add(1, comm="monitor")
    node.proc.add(42, cgroup=SLURM.format(77))

    node.nvml(1, 42)

    assert node.told(A) == ("77", False)


def test_a_process_tells_name_and_job_and_none_when_it_is_gone(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(77))

    name, job = node.owners.of_process(42)

    assert name == "python3"
    assert job is not None
    assert (job.id, job.owner) == ("77", "ada")
    assert node.owners.of_process(4242) == ("", None)


def test_a_bad_job_file_is_said_once(node: Node) -> None:
    (node.jobs / "1.json").write_text("{")

    for _ in range(20):
        node.clock.now += 1
        node.owners.busy()

    assert len([line for line in node.said if "1.json" in line]) == 1
    assert "docs/guides/owners.md" in node.said[0]


def test_a_bug_never_reaches_the_caller(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    for part, name in (
        (node.owners._processes, "of"),
        (node.owners._places, "learn"),
        (node.owners._slurm, "refresh"),
    ):
        monkeypatch.setattr(type(part), name, broken)

    answers = (node.owners.of_process(1), node.owners.of_device(A), node.owners.busy())
    node.owners.learn(Observation())

    assert answers == (("", None), None, frozenset())
    assert len(node.said) == 3  # folders are looked at once a second
    assert "RuntimeError: a bug" in node.said[0]


def test_names_of_gpus_can_be_asked_for_by_other_sensors(node: Node) -> None:
    ask: Callable[[str], str | None] = node.owners.place_of
    node.nvml()

    assert (ask("GPU-b"), ask("0"), ask("GPU-z")) == (B, A, None)


def test_many_threads_may_ask_and_tell_at_once(node: Node) -> None:
    for pid in range(8):
        node.proc.add(pid, cgroup=SLURM.format(pid))
    node.slurm("5", "GPU-a")
    until = time.monotonic() + 0.3

    def ask() -> None:
        while time.monotonic() < until:
            node.owners.of_device(A)
            node.owners.busy()
            node.owners.of_process(3)

    def tell() -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            node.nvml(turn % 8, also=(turn % 5,))

    threads = [threading.Thread(target=work) for work in (ask, ask, tell)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert not any(thread.is_alive() for thread in threads)
    assert node.said == []


def test_a_storm_of_questions_is_cheap(node: Node) -> None:
    node.proc.add(42, cgroup=SLURM.format(77))
    node.nvml(42)

    begun = time.process_time()
    for _ in range(20_000):
        node.owners.of_process(42)
        node.owners.of_device(A)
    spent = time.process_time() - begun

    # 800,000 lines a minute leave 75 us a line; a busy machine is given ten times what it takes.
    assert spent / 20_000 < 0.000_5
