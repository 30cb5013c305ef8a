import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reflexarc.agent.owners.hpc_files import HpcFiles
from reflexarc.agent.owners.places import Places
from reflexarc.agent.owners.slurm_jobs import FILE_MAX, SlurmJobs
from reflexarc.gpu.watch.model import GpuSample, Observation

SCRIPTS = Path(__file__).parents[4] / "samples" / "agent" / "slurm"
DEVICES = ("0000:1b:00", "0000:43:00")


def seen(*, mig: bool = False) -> Places:
    places = Places()
    gpus = tuple(
        GpuSample(device=device, uuid=f"GPU-{index}", index=index, mig=mig)
        for index, device in enumerate(DEVICES)
    )
    places.learn(Observation(gpus=gpus, driver="550"))
    return places


def write(folder: Path, file: str, **facts: Any) -> Path:
    folder.mkdir(exist_ok=True)
    aside = folder / ".aside"
    aside.write_text(json.dumps({"id": "123", "user": "ada", **facts}))
    return aside.rename(folder / file)


def holders(folder: Path, places: Places | None = None) -> dict[str, str]:
    jobs = SlurmJobs(folder)
    jobs.refresh()
    return {place: job.id for place, job in jobs.by_place(places or seen()).items()}


@pytest.mark.parametrize("gpu", [1, "1", "GPU-1", "00000000:43:00.0", "0000:43:00"])
def test_a_gpu_may_be_named_by_index_uuid_or_address(tmp_path: Path, gpu: Any) -> None:
    write(tmp_path, "123.json", gpus=[gpu])

    assert holders(tmp_path) == {DEVICES[1]: "123"}


def test_a_file_tells_all_of_the_job(tmp_path: Path) -> None:
    write(tmp_path, "1.json", name="t\nx", account="nlp", nodes="n[1-2]", gpus=[0], other={"a": 1})
    jobs = SlurmJobs(tmp_path)
    jobs.refresh()

    job = jobs.by_place(seen())[DEVICES[0]]

    assert (job.owner, job.name, job.namespace) == ("ada", "t?x", "nlp")
    assert (job.nodes, job.scheduler) == ("n[1-2]", "slurm")


def test_no_folder_means_no_jobs(tmp_path: Path) -> None:
    assert holders(tmp_path / "none") == {}


def test_a_bad_file_is_refused_with_words_and_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path, "1.json", gpus=[0])
    (tmp_path / "2.json").write_text('{"id": ')
    (tmp_path / "3.json").write_text('{"id": "3", "gpus": 7}')
    (tmp_path / "4.json").write_bytes(b"x" * (FILE_MAX + 1))
    (tmp_path / "5.json").symlink_to(tmp_path / "1.json")
    os.mkfifo(tmp_path / "6.json")
    (tmp_path / "notes.txt").write_text("not a job")
    jobs = SlurmJobs(tmp_path)

    jobs.refresh()

    assert list(jobs.by_place(seen())) == [DEVICES[0]]
    assert sorted(jobs.refused) == [f"{n}.json" for n in (2, 3, 4, 5, 6)]
    assert "larger than" in jobs.refused["4.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(write(tmp_path, "7.json", gpus=[1]), 12_345, 12_345)
    jobs = SlurmJobs(tmp_path)

    jobs.refresh()

    assert jobs.refused == {"7.json": "user 12345 owns it, not root"}
    assert jobs.by_place(seen()) == {}


def test_a_folder_is_read_again_when_it_changed_only(tmp_path: Path) -> None:
    now = [0.0]
    write(tmp_path, "1.json", gpus=[0])
    os.utime(tmp_path, ns=(1, 1))
    jobs = SlurmJobs(tmp_path, monotonic=lambda: now[0])
    for _ in range(5):
        now[0] += 1
        jobs.refresh()
    quiet = jobs.scans
    (tmp_path / "1.json").unlink()

    jobs.refresh()

    assert quiet == 1
    assert jobs.by_place(seen()) == {}


def test_a_file_rewritten_in_place_is_seen_in_half_a_minute(tmp_path: Path) -> None:
    now = [0.0]
    path = write(tmp_path, "1.json", gpus=[0])
    os.utime(tmp_path, ns=(1, 1))
    jobs = SlurmJobs(tmp_path, monotonic=lambda: now[0])
    jobs.refresh()
    path.write_text('{"id": "9", "gpus": [0]}')

    now[0] = 31
    jobs.refresh()

    assert jobs.by_place(seen())[DEVICES[0]].id == "9"


def test_too_many_files_are_remarked(tmp_path: Path) -> None:
    for number in range(1_001):
        (tmp_path / f"{number}.json").write_text('{"id": "1"}')
    jobs = SlurmJobs(tmp_path)

    jobs.refresh()

    assert "does the epilog run?" in jobs.refused[str(tmp_path)]


def test_slurms_numbers_mean_nothing_where_gpus_are_partitioned(tmp_path: Path) -> None:
    write(tmp_path, "1.json", gpus=["0"])
    write(tmp_path, "2.json", id="2", gpus=["GPU-1"])

    assert holders(tmp_path, seen(mig=True)) == {DEVICES[1]: "2"}


def run(script: str, folder: Path, **variables: str) -> int:
    done = subprocess.run(  # noqa: S603 - our own script
        [str(SCRIPTS / script)],
        check=False,
        env={"REFLEXARC_JOBS_DIR": str(folder), **variables},
        timeout=10,
        capture_output=True,
    )
    assert done.stderr == b""
    return done.returncode


def test_prolog_writes_what_the_agent_reads_and_epilog_removes_it(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "jobs"
    code = run(
        "prolog.sh",
        folder,
        SLURM_JOB_ID="123",
        SLURM_JOB_USER="ada",
        SLURM_JOB_NAME='a "b" \\c $(id) `id`\t%s \u00e9',
        SLURM_JOB_ACCOUNT="nlp",
        SLURM_NODELIST="n[1-2]",
        SLURM_JOB_GPUS="0,gpu:1,$(id)",
    )
    jobs = SlurmJobs(folder)
    jobs.refresh()
    held = jobs.by_place(seen())

    ended = run("epilog.sh", folder, SLURM_JOB_ID="123")

    assert (code, ended) == (0, 0)
    assert list(held) == list(DEVICES)
    job = held[DEVICES[0]]
    assert job.name == 'a "b" \\c $(id) `id`%s \u00e9'
    assert (job.id, job.owner, job.namespace, job.nodes) == ("123", "ada", "nlp", "n[1-2]")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("script", ["prolog.sh", "epilog.sh"])
@pytest.mark.parametrize("job", ["", "../../etc/x", "12;id", "-rf"])
def test_scripts_never_fail_a_job_whatever_its_id(tmp_path: Path, script: str, job: str) -> None:
    assert run(script, tmp_path / "jobs", SLURM_JOB_ID=job) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["prolog.sh", "epilog.sh"])
def test_scripts_never_fail_a_job_where_they_cannot_write(tmp_path: Path, script: str) -> None:
    (tmp_path / "file").write_text("")

    assert run(script, tmp_path / "file" / "jobs", SLURM_JOB_ID="1") == 0


def test_a_job_without_gpus_or_anything_is_a_valid_file(tmp_path: Path) -> None:
    run("prolog.sh", tmp_path, SLURM_JOB_ID="1")

    jobs = SlurmJobs(tmp_path)
    jobs.refresh()

    assert jobs.refused == {}
    assert json.loads((tmp_path / "1.json").read_text())["gpus"] == []


def test_files_of_the_exporters_folder_tell_the_newest_job(tmp_path: Path) -> None:
    now = [0.0]
    (tmp_path / "0").write_text("11\n12\n\n")
    (tmp_path / "1.3").write_text("13\n")
    (tmp_path / "README").write_text("x")
    (tmp_path / "2").symlink_to("/etc/passwd")
    (tmp_path / "1").write_text("")
    files = HpcFiles(tmp_path, monotonic=lambda: now[0])
    files.refresh()
    first = files.by_place(seen())
    (tmp_path / "0").unlink()
    files.refresh()
    soon = files.by_place(seen())
    now[0] = 5
    files.refresh()

    assert {place: job.id for place, job in first.items()} == {
        DEVICES[0]: "12",
        f"{DEVICES[1]}/3": "13",
    }
    assert soon == first
    assert DEVICES[0] not in files.by_place(seen())
    assert list(files.refused) == ["2"]


def test_an_exporters_folder_that_is_missing_is_quiet(tmp_path: Path) -> None:
    files = HpcFiles(tmp_path / "none")
    files.refresh()

    assert files.by_place(seen()) == {}
    assert HpcFiles(None).by_place(seen()) == {}
