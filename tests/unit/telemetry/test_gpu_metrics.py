from datetime import timedelta

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.adapters.dcgm.telemetry import DcgmTelemetry
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.telemetry.gpu_metrics import gpu_metrics
from reflexarc.telemetry.told import Batch, Told
from tests.support.otlp import NOW, Value, gauge, metrics

LABELS: dict[str, Value] = {
    "gpu": "3",
    "UUID": "GPU-1c9b9d4e",
    "pci_bus_id": "00000000:3B:00.0",
    "modelName": "NVIDIA H100 80GB HBM3",
    "Hostname": "node-7",
    "pod": "trainer-0",
    "namespace": "ml",
}


def found(payload: bytes) -> list[Told]:
    batch = Batch(id="b-1", signal="metrics", payload=payload, received_at=NOW, source="gateway-1")
    return list(gpu_metrics(batch, DcgmTelemetry(), NOW))


def told(*given: Metric, resource: dict[str, Value] | None = None) -> list[GpuReadings]:
    return [
        GpuReadings.model_validate(each.message.model_dump(by_alias=True))
        for each in found(metrics(*given, resource=resource))
    ]


def test_a_gpu_is_told_of_as_its_exporter_sees_it() -> None:
    (message,) = told(
        gauge("DCGM_FI_DEV_GPU_TEMP", (71.0, LABELS)),
        gauge("DCGM_FI_DEV_POWER_USAGE", (640.5, LABELS)),
        gauge("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", (3.0, LABELS)),
    )

    (gpu,) = message.gpus
    assert (message.source.node, message.source.agent) == ("node-7", "telemetry")
    assert (gpu.device, gpu.uuid, gpu.index) == ("0000:3b:00", "GPU-1c9b9d4e", 3)
    assert gpu.gauges["temperature_c"].last == 71.0
    assert gpu.gauges["power_w"].mean == 640.5
    assert gpu.counters == {"pcie_replays": 3}
    assert gpu.job is not None
    assert (gpu.job.name, gpu.job.namespace) == ("trainer-0", "ml")


def test_no_rule_was_asked_so_its_health_is_not_known() -> None:
    (message,) = told(gauge("DCGM_FI_DEV_GPU_TEMP", (71.0, LABELS)))

    assert (message.gpus[0].health, message.gpus[0].looks) == ("unknown", 1)
    assert message.heartbeat.farewell is False


def test_the_newest_of_several_points_counts_and_dates_the_message() -> None:
    later = NOW + timedelta(seconds=30)

    (message,) = told(
        gauge("DCGM_FI_DEV_GPU_TEMP", (60.0, LABELS)),
        gauge("DCGM_FI_DEV_GPU_TEMP", (75.0, LABELS), at=later),
    )

    assert message.gpus[0].gauges["temperature_c"].last == 75.0
    assert message.seq == int(later.timestamp())
    assert message.heartbeat.started_at == later


def test_sums_are_read_as_gauges_are() -> None:
    counted = Metric(name="DCGM_FI_DEV_ECC_DBE_VOL_TOTAL")
    counted.sum.data_points.extend(gauge("x", (2.0, LABELS)).gauge.data_points)

    (message,) = told(counted)

    assert message.gpus[0].counters == {"ecc_uncorrected_volatile": 2}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2_147_483_632.0])
def test_a_number_that_is_none_is_left_out(value: float) -> None:
    assert told(gauge("DCGM_FI_DEV_GPU_TEMP", (value, LABELS))) == []


def test_a_point_without_a_number_is_left_out() -> None:
    empty = Metric(name="DCGM_FI_DEV_GPU_TEMP")
    empty.gauge.data_points.add()

    assert told(empty) == []


def test_each_node_of_a_gateway_has_a_message() -> None:
    two = {**LABELS, "Hostname": "node-8"}

    messages = told(gauge("DCGM_FI_DEV_GPU_TEMP", (60.0, LABELS), (61.0, two)))

    assert {each.source.node for each in messages} == {"node-7", "node-8"}


def test_kubernetes_name_of_the_node_comes_before_the_exporters_own() -> None:
    (message,) = told(
        gauge("DCGM_FI_DEV_GPU_TEMP", (60.0, {**LABELS, "Hostname": "dcgm-exporter-x2f"})),
        resource={"k8s.node.name": "node-9"},
    )

    assert message.source.node == "node-9"


@pytest.mark.parametrize(
    "payload",
    [
        metrics(gauge("http.server.duration", (1.0, LABELS))),
        metrics(gauge("dcgm", (1.0, {"about": "DCGM_FI_DEV_GPU_TEMP"}))),
        metrics(gauge("DCGM_FI_DEV_GPU_TEMP", (60.0, {"gpu": "0"}))),
        metrics(gauge("DCGM_FI_DEV_GPU_TEMP", (60.0, {**LABELS, "pci_bus_id": "", "UUID": ""}))),
    ],
    ids=["others", "mention", "no node", "no device"],
)
def test_what_tells_of_no_gpu_is_passed_over(payload: bytes) -> None:
    assert found(payload) == []


def test_other_signals_are_passed_over() -> None:
    batch = Batch(id="b", signal="logs", payload=b"DCGM_FI_", received_at=NOW, source="g")

    assert list(gpu_metrics(batch, DcgmTelemetry(), NOW)) == []


def test_the_same_batch_tells_under_the_same_id() -> None:
    first, second = (told(gauge("DCGM_FI_DEV_GPU_TEMP", (60.0, LABELS)))[0] for _ in range(2))

    assert first.id == second.id


def test_more_nodes_and_points_than_there_can_be_are_not_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reflexarc.telemetry.gpu_metrics.NODES_MAX", 1)
    monkeypatch.setattr("reflexarc.telemetry.gpu_metrics.POINTS_MAX", 2)
    other = {**LABELS, "Hostname": "node-8"}

    (message,) = found(
        metrics(gauge("DCGM_FI_DEV_GPU_TEMP", *((60.0, each) for each in (LABELS, other) * 3)))
    )

    assert (message.message.source.node, message.items) == ("node-7", 2)
