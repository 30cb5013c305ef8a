"""What made a pod, told from the pod's name alone. Pure, and a guess: names may be anything."""

import re

# Kubernetes generates suffixes from these letters only, so that they form no words.
# https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
# Deployment: name-<hash of its ReplicaSet, 6 to 10>-<5>.
_DEPLOYMENT = re.compile(rf"(.+)-[{_SAFE}]{{6,10}}-[{_SAFE}]{{5}}")
# CronJob: name-<minutes since 1970, 8 digits>-<5>. https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
_CRON_JOB = re.compile(rf"(.+)-[0-9]{{8}}-[{_SAFE}]{{5}}")
# Indexed Job: name-<index>-<5>.
_INDEXED_JOB = re.compile(rf"(.+)-[0-9]{{1,6}}-[{_SAFE}]{{5}}")
# Job, DaemonSet, bare ReplicaSet: name-<5>.
_GENERATED = re.compile(rf"(.+)-[{_SAFE}]{{5}}")
# StatefulSet: name-<ordinal>; PyTorchJob: name-worker-<n>, name-master-0.
_REPLICA = re.compile(r"(.+?)(?:-(?:master|worker|launcher|ps|chief))?-[0-9]{1,5}")
_SHAPES = (_CRON_JOB, _INDEXED_JOB, _DEPLOYMENT, _GENERATED, _REPLICA)


def workload_of(pod: str) -> str:
    """Return the name of what made the pod, or the pod's own where it has no known shape."""
    for shape in _SHAPES:
        if found := shape.fullmatch(pod):
            return found[1]
    return pod
