"""Which job or pod a process belongs to, by the cgroup it is in. Pure.

A process cannot choose its cgroup, as it can choose its environment.
"""

import re
from typing import NamedTuple

# Slurm, v1: /slurm/uid_1000/job_123/step_0/task_0; /slurm_node1/...
# v2: /system.slice/slurmstepd.scope/job_123/step_0/user/task_0; .../node1_slurmstepd.scope/...
# https://slurm.schedmd.com/cgroup_v2.html
_SLURM = re.compile(r"slurm[^/]*/(?:[^/]+/)?job_([0-9]{1,12})(?:/|$)")
# cgroupfs: /kubepods/burstable/pod<uid>/<id>; systemd: /kubepods.slice/kubepods-burstable.slice/
# kubepods-burstable-pod<uid with _>.slice/cri-containerd-<id>.scope; a static pod's uid has no -.
# https://kubernetes.io/docs/concepts/architecture/cgroups/
_POD = re.compile(
    r"kubepods.*pod([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12})"
)
_CONTAINER = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")


class Place(NamedTuple):
    """What the cgroups of a process say; empty where they say nothing."""

    pod_uid: str = ""
    container_id: str = ""
    slurm_job: str = ""


def place_of(text: str) -> Place:
    """Return what /proc/<pid>/cgroup says: one line a hierarchy, `number:controllers:path`."""
    pod = container = job = ""
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        if not pod and (found := _POD.search(path)):
            pod = found[1].replace("_", "-")
        if not container and (found := _CONTAINER.search(path)):
            container = found[1]
        if not job and (found := _SLURM.search(path)):
            job = found[1]
    return Place(pod, container, job)
