import os
import time
from pathlib import Path

import pytest

from reflexarc.agent.owners.process import ALLOWED, KNOWN_MAX, Processes
from reflexarc.agent.owners.users import Users
from reflexarc.kernel.errors import Rejected
from tests.unit.agent.owners.proc_tree import ProcTree

UID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
POD = f"0::/kubepods/burstable/pod{UID}/{'0123456789abcdef' * 4}"
SLURM = "0::/system.slice/slurmstepd.scope/job_123/step_0/user/task_0"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def proc(tmp_path: Path) -> ProcTree:
    return ProcTree(tmp_path / "proc")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def processes(tmp_path: Path, proc: ProcTree, clock: Clock) -> Processes:
    (tmp_path / "passwd").write_text("root:x:0:0::/:/bin/sh\n\nbad\nada:x:1000:1000::/:/bin/sh\n")
    return Processes(
        proc.root, users=Users(tmp_path / "passwd"), node="gpu-7.example", monotonic=clock
    )


def test_a_process_of_slurm_tells_its_job(proc: ProcTree, processes: Processes) -> None:
    proc.add(
        42,
        cgroup=SLURM,
        SLURM_JOB_ID="999",
        SLURM_JOB_NAME="train",
        SLURM_JOB_USER="mallory",
        SLURM_JOB_ACCOUNT="nlp",
        SLURM_JOB_NODELIST="gpu-[7-8]",
        SLURM_PROCID="3",
        LD_PRELOAD="x",
    )

    name, job = processes.of(42)

    assert name == "python3"
    assert job is not None
    assert (job.id, job.name, job.owner, job.namespace) == ("123", "train", "ada", "nlp")
    assert (job.nodes, job.rank, job.scheduler) == ("gpu-[7-8]", "3", "slurm")


def test_without_slurms_cgroup_its_variables_tell(proc: ProcTree, processes: Processes) -> None:
    proc.add(42, uid=0, SLURM_JOB_ID="55", SLURM_JOB_USER="ada", RANK="1", SLURM_PROCID="9")

    job = processes.of(42)[1]

    assert job is not None
    assert (job.id, job.owner, job.rank) == ("55", "ada", "1")


def test_a_process_of_a_pod_tells_the_pod(proc: ProcTree, processes: Processes) -> None:
    proc.add(42, cgroup=POD, HOSTNAME="serve-0", POD_NAMESPACE="research")

    job = processes.of(42)[1]

    assert job is not None
    assert (job.id, job.name, job.namespace) == (UID, "serve-0", "research")
    assert (job.container, job.scheduler) == ("0123456789ab", "kubernetes")


def test_a_pod_with_the_hosts_network_is_not_named_after_the_node(
    proc: ProcTree, processes: Processes
) -> None:
    proc.add(42, cgroup=POD, HOSTNAME="gpu-7")

    job = processes.of(42)[1]

    assert job is not None
    assert (job.id, job.name) == (UID, "")


@pytest.mark.parametrize(("uid", "owner"), [(1000, "ada"), (4321, "uid 4321"), (0, "root")])
def test_any_other_process_tells_its_user(
    proc: ProcTree, processes: Processes, uid: int, owner: str
) -> None:
    proc.add(42, uid=uid, HOSTNAME="gpu-7")

    job = processes.of(42)[1]

    assert job is not None
    assert (job.name, job.owner, job.scheduler) == ("python3", owner, "process")


def test_nothing_else_of_the_environment_is_ever_told(proc: ProcTree, processes: Processes) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "SLURM_JOB_ID_": "hunter2",
        "XSLURM_JOB_ID": "hunter2",
        "SLURM_JOB_COMMENT": "hunter2",
        "POD_NAME_TOKEN": "hunter2",
        "slurm_job_name": "hunter2",
        "HF_TOKEN": "hunter2",
        "HOSTNAME": "hunter2",
    }
    for pid, cgroup in ((1, SLURM), (2, "0::/user.slice")):
        proc.add(pid, cgroup=cgroup, environ=secrets)

    told = [processes.of(pid) for pid in (1, 2)]

    assert "hunter2" not in repr((told, processes._known))
    assert processes._variables(proc.root / "1" / "environ", in_a_pod=False) == {}


def test_a_line_break_in_a_variable_makes_no_other_variable(
    proc: ProcTree, processes: Processes
) -> None:
    proc.add(42, cgroup=SLURM, EVIL="x\nSLURM_JOB_NAME=y", SLURM_JOB_ACCOUNT="a\x1b[31m\nb")

    job = processes.of(42)[1]

    assert job is not None
    assert (job.name, job.namespace) == ("", "a?[31m?b")


def test_names_that_are_looked_at_are_exactly_those_of_the_guide() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "guides" / "owners.md").read_text()

    listed = guide.partition("<!-- allow-list -->")[2].partition("<!-- end -->")[0]

    assert {word.strip("`,. ") for word in listed.split() if "`" in word} == {*ALLOWED, "HOSTNAME"}


def test_an_operators_own_variables_fill_fields(proc: ProcTree) -> None:
    processes = Processes(proc.root, job_env={"owner": "TEAM", "name": "RUN_NAME"})
    proc.add(42, TEAM="vision", OTHER="x")

    job = processes.of(42)[1]

    assert job is not None
    assert (job.owner, job.name) == ("vision", "python3")


@pytest.mark.parametrize(
    "job_env",
    [{"owner": "API_KEY"}, {"name": "HF_TOKEN"}, {"ended": "X"}, {"id": "A=B"}, {"id": ""}],
)
def test_variables_that_look_like_secrets_are_refused(job_env: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="job_env"):
        Processes(job_env=job_env)


def test_a_process_that_is_gone_has_no_name(processes: Processes) -> None:
    assert processes.of(4242) == ("", None)


def test_a_storm_about_one_process_reads_it_once(
    proc: ProcTree, processes: Processes, clock: Clock
) -> None:
    proc.add(42, cgroup=SLURM)

    for _ in range(10_000):
        clock.now += 0.005
        processes.of(42)
        processes.of(43)

    assert processes.reads <= 2 + 2


def test_a_process_that_died_keeps_its_job_for_a_minute(
    proc: ProcTree, processes: Processes, clock: Clock
) -> None:
    folder = proc.add(42, cgroup=SLURM)
    before = processes.of(42)
    for file in folder.iterdir():
        file.unlink()

    clock.now += 59
    soon = processes.of(42)
    clock.now += 2
    late = processes.of(42)

    assert soon == before
    assert late == ("", None)


def test_a_number_given_to_another_process_is_read_anew(
    proc: ProcTree, processes: Processes, clock: Clock
) -> None:
    proc.add(42, comm="old", start=7)
    processes.of(42)
    proc.add(42, comm="new", start=8)

    clock.now += 1.1

    assert processes.of(42)[0] == "new"


def test_within_a_second_a_number_is_not_even_looked_at(
    proc: ProcTree, processes: Processes, clock: Clock
) -> None:
    proc.add(42, comm="old", start=7)
    processes.of(42)
    proc.add(42, comm="new", start=8)

    clock.now += 0.9

    assert processes.of(42)[0] == "old"


def test_memory_of_processes_is_bounded(processes: Processes) -> None:
    for pid in range(KNOWN_MAX + 100):
        processes.of(pid)

    assert len(processes._known) == KNOWN_MAX


def test_an_environment_that_hangs_costs_a_moment_only(
    proc: ProcTree, processes: Processes
) -> None:
    for pid in range(40):
        environ = proc.add(pid, cgroup=SLURM) / "environ"
        environ.unlink()
        os.mkfifo(environ)

    begun = time.monotonic()
    jobs = [processes.of(pid)[1] for pid in range(40)]
    took = time.monotonic() - begun
    for pid in range(40):  # let the readers go
        (proc.root / str(pid) / "environ").unlink()

    assert all(job is not None and job.id == "123" for job in jobs)
    assert took < 2


def test_users_are_read_again_when_the_file_changes(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    users = Users(passwd)
    missing = users.name_of(1000)
    passwd.write_text("ada:x:1000:1000::/:/bin/sh\n")
    first = users.name_of(1000)
    passwd.write_text("bob:x:1000:1000::/:/bin/sh\n")
    os.utime(passwd, ns=(1, 1))

    assert (missing, first, users.name_of(1000)) == ("", "ada", "bob")


def test_this_process_can_be_read() -> None:
    name, job = Processes().of(os.getpid())

    assert name
    assert job is not None
