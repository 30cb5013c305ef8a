import pytest

from reflexarc.agent.owners.cgroups import place_of

UID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
UNDER = UID.replace("-", "_")
ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "job"),
    [
        ("11:devices:/slurm/uid_1000/job_123/step_0/task_0", "123"),
        ("9:memory:/slurm_node7/uid_0/job_98/step_batch", "98"),
        ("0::/system.slice/slurmstepd.scope/job_4242/step_0/user/task_0", "4242"),
        ("0::/system.slice/node7_slurmstepd.scope/job_1/step_extern/user/task_special", "1"),
        ("1:name=systemd:/\n11:devices:/slurm/uid_1/job_5/step_0", "5"),
        ("0::/user.slice/job_7/step_0", ""),
        ("0::/system.slice/slurmd.service", ""),
        ("", ""),
    ],
)
def test_slurms_cgroup_tells_the_job(text: str, job: str) -> None:
    assert place_of(text).slurm_job == job


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods/burstable/pod{UID}/{ID}",
        f"/kubepods/pod{UID}/{ID}",
        f"/kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-{ID}.scope",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDER}.slice/crio-{ID}.scope",
        f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UNDER}.slice/docker-{ID}.scope",
        f"/system.slice/containerd.service/kubepods-burstable-pod{UNDER}.slice:cri-containerd:{ID}",
    ],
)
@pytest.mark.parametrize("hierarchy", ["0::", "4:memory:"])
def test_a_pods_cgroup_tells_uid_and_container(hierarchy: str, path: str) -> None:
    place = place_of(f"{hierarchy}{path}")

    assert (place.pod_uid, place.container_id, place.slurm_job) == (UID, ID, "")


def test_a_static_pods_uid_has_no_dashes() -> None:
    bare = UID.replace("-", "")

    assert place_of(f"0::/kubepods/burstable/pod{bare}/{ID}").pod_uid == bare


def test_a_container_without_kubernetes_is_a_container_only() -> None:
    place = place_of(f"0::/system.slice/docker-{ID}.scope")

    assert place == ("", ID, "")
