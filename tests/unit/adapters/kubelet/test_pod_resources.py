import builtins
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from reflexarc.adapters.kubelet.pod_resources import PodResources
from reflexarc.adapters.kubelet.wire import messages
from reflexarc.kernel.errors import Rejected, Unavailable

PLACES = {
    "GPU-a": "0000:1b:00",
    "GPU-b": "0000:43:00",
    "MIG-c": "0000:52:00/2",
    "nvidia3": "0000:61:00",
}


class Kubelet:
    """A gRPC server on a socket that answers as the test says."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.wire = messages()
        self.answer: Any = self.wire.response()
        self.refuse: grpc.StatusCode | None = None
        self.server: Any = None

    def holds(self, pod: str, *ids: str, resource: str = "nvidia.com/gpu") -> None:
        held = self.answer.pod_resources.add(name=pod, namespace="research")
        container = held.containers.add(name="trainer")
        container.devices.add(resource_name=resource, device_ids=ids)

    def start(self, service: str = "v1.PodResourcesLister") -> None:
        def answer(_: Any, context: grpc.ServicerContext) -> Any:
            if self.refuse is not None:
                context.abort(self.refuse, "no")
            return self.answer

        handler = grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=self.wire.request.FromString,
            response_serializer=self.wire.response.SerializeToString,
        )
        self.server = grpc.server(ThreadPoolExecutor(1))
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"List": handler}),)
        )
        self.server.add_insecure_port(f"unix://{self.socket}")
        self.server.start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop(None).wait()


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    made = Kubelet(tmp_path / "k.sock")
    yield made
    made.stop()


@pytest.fixture
def sensor(kubelet: Kubelet) -> Iterator[PodResources]:
    made = PodResources(kubelet.socket, place_of=PLACES.get, timeout_s=2)
    yield made
    made.close()


def test_pods_are_told_by_device_and_instance(kubelet: Kubelet, sensor: PodResources) -> None:
    kubelet.holds("serve-7c9d8b6f5d-x2v4k", "GPU-a", "GPU-b::3")
    kubelet.holds("notebook-0", "MIG-c", resource="nvidia.com/mig-1g.10gb")
    kubelet.holds("gke-0", "nvidia3")
    kubelet.holds("net-0", "0000:aa:00.1", resource="intel.com/sriov")
    kubelet.start()

    jobs = sensor.read().jobs

    assert {place: job.name for place, job in jobs.items()} == {
        "0000:1b:00": "serve-7c9d8b6f5d-x2v4k",
        "0000:43:00": "serve-7c9d8b6f5d-x2v4k",
        "0000:52:00/2": "notebook-0",
        "0000:61:00": "gke-0",
    }
    job = jobs["0000:1b:00"]
    assert (job.workload, job.namespace, job.container) == ("serve", "research", "trainer")
    assert job.scheduler == "kubernetes"
    assert sensor.remarks() == ()


def test_a_device_that_is_not_known_is_remarked(kubelet: Kubelet, sensor: PodResources) -> None:
    kubelet.holds("serve-0", "GPU-zzz")
    kubelet.start()

    assert sensor.read().jobs == {}
    assert "1 devices of pods are not known here (GPU-zzz)" in sensor.remarks()[0]


def test_a_node_without_a_kubelet_is_quietly_off(sensor: PodResources) -> None:
    with pytest.raises(Rejected, match="elsewhere nothing is missing"):
        sensor.read()


def test_a_file_in_the_sockets_place_is_no_kubelet(tmp_path: Path) -> None:
    (tmp_path / "k.sock").write_text("")

    with pytest.raises(Rejected, match="no kubelet's socket"):
        PodResources(tmp_path / "k.sock", place_of=PLACES.get).read()


def test_without_the_extra_the_words_say_what_to_install(
    kubelet: Kubelet, sensor: PodResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubelet.start()
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "grpc":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(Rejected, match=r"pip install 'reflexarc\[kubernetes\]'"):
        sensor.read()


def test_a_kubelet_too_old_is_rejected(kubelet: Kubelet, sensor: PodResources) -> None:
    kubelet.start("v1alpha1.PodResourcesLister")

    with pytest.raises(Rejected, match="no pod-resources API v1"):
        sensor.read()


def test_a_kubelet_that_refuses_is_asked_again(kubelet: Kubelet, sensor: PodResources) -> None:
    kubelet.holds("serve-0", "GPU-a")
    kubelet.refuse = grpc.StatusCode.RESOURCE_EXHAUSTED
    kubelet.start()
    with pytest.raises(Unavailable, match="RESOURCE_EXHAUSTED"):
        sensor.read()
    kubelet.refuse = None

    assert set(sensor.read().jobs) == {"0000:1b:00"}


def test_nothing_of_grpc_is_loaded_before_the_first_look() -> None:
    program = (
        "import sys, reflexarc.adapters.kubelet.pod_resources as p;"
        "p.PodResources(place_of={}.get);"
        "print('grpc' in sys.modules, 'google.protobuf' in sys.modules)"
    )

    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.split() == ["False", "False"]
