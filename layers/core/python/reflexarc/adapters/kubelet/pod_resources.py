"""Fills agent.ports.Sensor: which pod holds which GPU, as this node's kubelet tells.

grpcio and protobuf are an extra of their own: 20 MB that a Slurm node need not carry.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reflexarc.adapters.kubelet.workload import workload_of
from reflexarc.events.gpu_faults import Job
from reflexarc.gpu.watch.model import Observation
from reflexarc.kernel.errors import Rejected, Unavailable

# https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/
SOCKET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
TIMEOUT_S = 4.0
# The kubelet itself answers with up to 16 MiB.
_ANSWER_MAX = 16 << 20
# GKE's plugin says nvidia0, NVIDIA's says GPU-uuid, MIG-uuid, and GPU-uuid::3 for a time slice.
_IDS = ("GPU-", "MIG-", "nvidia")
_RESOURCES = ("nvidia.com/",)
_SHOWN_MAX = 3


class PodResources:
    """Asks the kubelet each ten seconds.

    `place_of` says which device, or "device/instance", a device plugin's id is.
    """

    name = "kubelet"
    interval_s = 10.0

    def __init__(
        self,
        socket: Path = SOCKET,
        *,
        place_of: Callable[[str], str | None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._socket = socket
        self._place_of = place_of
        self._timeout_s = timeout_s
        self._channel: Any = None
        self._ask: Callable[[], Any] | None = None
        self._remarks: tuple[str, ...] = ()

    def read(self) -> Observation:
        """Ask once; raises Rejected where there is no kubelet or no gRPC."""
        jobs: dict[str, Job] = {}
        unplaced: set[str] = set()
        for device_id, job in _held(self._answer()):
            place = self._place_of(device_id.partition("::")[0])
            if place is None:
                unplaced.add(device_id[:64])
            else:
                jobs.setdefault(place, job)
        self._remarks = self._unplaced(unplaced)
        return Observation(jobs=jobs)

    def remarks(self) -> tuple[str, ...]:
        """Return which devices of pods could not be found on this node."""
        return self._remarks

    def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._ask = None

    def _answer(self) -> Any:
        if not self._socket.is_socket():
            self.close()
            raise Rejected(
                f"no kubelet's socket at {self._socket}: on Kubernetes, mount"
                f" {self._socket.parent} into the agent; elsewhere nothing is missing"
            )
        try:
            import grpc  # noqa: PLC0415
        except ImportError as error:
            raise Rejected(
                "pods cannot be asked for without gRPC: pip install 'reflexarc[kubernetes]'"
            ) from error
        ask = self._ask or self._connect(grpc)
        try:
            return ask()
        except grpc.RpcError as error:
            self.close()
            raise self._refused(grpc, error) from error

    def _connect(self, grpc: Any) -> Callable[[], Any]:
        from reflexarc.adapters.kubelet.wire import METHOD, messages  # noqa: PLC0415

        wire = messages()
        self._channel = grpc.insecure_channel(
            f"unix://{self._socket.absolute()}",
            options=(
                ("grpc.max_receive_message_length", _ANSWER_MAX),
                ("grpc.enable_http_proxy", 0),
                # Go's server refuses the escaped path that would stand here.
                ("grpc.default_authority", "localhost"),
            ),
        )
        call = self._channel.unary_unary(
            METHOD,
            request_serializer=wire.request.SerializeToString,
            response_deserializer=wire.response.FromString,
        )
        self._ask = lambda: call(wire.request(), timeout=self._timeout_s)
        return self._ask

    def _refused(self, grpc: Any, error: Any) -> Rejected | Unavailable:
        code = error.code()
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return Rejected(
                "this kubelet has no pod-resources API v1: it came with Kubernetes 1.20"
            )
        return Unavailable(
            f"the kubelet at {self._socket} does not answer ({code.name}): is it running, and may"
            " the agent open its socket?"
        )

    @staticmethod
    def _unplaced(ids: set[str]) -> tuple[str, ...]:
        if not ids:
            return ()
        shown = ", ".join(sorted(ids)[:_SHOWN_MAX])
        words = f"{len(ids)} devices of pods are not known here ({shown}): their GPUs have not been"
        return (f"{words} read yet, or NVML is off",)


def _held(answer: Any) -> Iterator[tuple[str, Job]]:
    """Yield each GPU's id with the pod that holds it."""
    for pod in answer.pod_resources:
        for container in pod.containers:
            for devices in container.devices:
                ours = devices.resource_name.startswith(_RESOURCES)
                for device_id in devices.device_ids:
                    if ours or device_id.startswith(_IDS):
                        yield (
                            device_id,
                            Job(
                                name=pod.name,
                                namespace=pod.namespace,
                                container=container.name,
                                workload=workload_of(pod.name),
                                scheduler="kubernetes",
                            ),
                        )
