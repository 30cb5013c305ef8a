import pytest

from reflexarc.adapters.kubelet.workload import workload_of


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("serve-7c9d8b6f5d-x2v4k", "serve"),
        ("my-api-server-54b8c6d7f9-kq5zx", "my-api-server"),
        ("nightly-eval-29384756-zx8wq", "nightly-eval"),
        ("sweep-12-qx7zr", "sweep"),
        ("dcgm-exporter-x7k2p", "dcgm-exporter"),
        ("train-run-4h8vd", "train-run"),
        ("notebook-0", "notebook"),
        ("redis-cluster-11", "redis-cluster"),
        ("llama-pretrain-worker-31", "llama-pretrain"),
        ("llama-pretrain-master-0", "llama-pretrain"),
        ("debug", "debug"),
        ("my-model", "my-model"),
        ("a-train", "a-train"),
        ("", ""),
    ],
)
def test_a_pods_name_tells_what_made_it(pod: str, workload: str) -> None:
    assert workload_of(pod) == workload
