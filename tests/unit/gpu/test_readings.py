import json
from typing import Any

import pytest

from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.gpu.readings import BODY_MAX, GpuState, hours_of, read, state_of
from reflexarc.kernel.errors import Rejected
from tests.support.readings import JOB, NOW, delivery, gpu, hour, readings, state


def only(**more: Any) -> GpuState:
    (kept,) = state(gpus=[gpu(0) | more]).gpus
    return kept


def test_what_is_kept_of_a_gpu_is_its_last_heat_and_its_mean_power_and_use() -> None:
    kept = only(job=JOB)

    assert (kept.temperature_c, kept.margin_c, kept.power_w) == (31.0, 55.0, 70.3)
    assert (kept.utilization, kept.memory_used_mib) == (0.0, 4.0)
    assert (kept.health, kept.throttled, kept.name) == ("ok", ("idle",), "NVIDIA H100 80GB HBM3")
    assert kept.job is not None
    assert kept.job.owner == "team-a"


def test_what_was_not_read_is_absent_and_never_zero() -> None:
    kept = only(gauges={}, throttled_s={"sw_power_cap": 0.0})

    assert (kept.temperature_c, kept.power_w, kept.throttled) == (None, None, ())


@pytest.mark.parametrize(
    ("told", "looks", "kept"),
    [("ok", 60, "ok"), ("ok", 0, "unknown"), ("lost", 0, "lost"), ("unknown", 60, "unknown")],
)
def test_a_gpu_of_which_nothing_was_read_is_never_well(told: str, looks: int, kept: str) -> None:
    assert only(health=told, looks=looks).health == kept


def test_a_node_keeps_what_explains_its_gpus() -> None:
    kept = state(farewell=True)

    assert (kept.driver, kept.labels["rack"], kept.left) == ("570.124.06", "r12", True)
    assert kept.counters == {"lines": 81_234, "samples": 86_400, "sent": 1_440}
    assert kept.ports["mlx5_7/1"] == "ACTIVE"
    assert kept.vitals is not None
    assert [sensor.name for sensor in kept.sensors] == ["nvml", "dcgm"]
    assert kept.queued_at == NOW


def test_hours_are_parted_into_those_that_run_and_those_that_closed() -> None:
    message = GpuReadings.model_validate(readings(hours=[hour(0), hour(1, closed=True)]))

    (running,), (closed,) = (hours_of(message, closed=closed) for closed in (False, True))

    assert (running.device, closed.device) == ("0000:1b:00", "0000:3b:00")
    assert state_of(message, NOW).hours == (running,)


def test_an_hour_is_named_as_its_gpu_is() -> None:
    message = GpuReadings.model_validate(readings(hours=[hour(0, name="")]))

    (running,) = hours_of(message, closed=False)

    assert running.name == "NVIDIA H100 80GB HBM3"


def test_a_canary_is_nothing() -> None:
    assert read(delivery({"schema": "canary/1", "sent_at": NOW.isoformat()})) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("nonsense", "Invalid JSON"),
        (json.dumps({"schema": "gpu_faults/1"}), "schema"),
        (json.dumps(readings() | {"schema": "gpu_readings/2"}), "schema"),
        (json.dumps({}), "and 2 more"),
        ("x" * (BODY_MAX + 1), "at most 262,144"),
    ],
)
def test_what_is_no_reading_is_refused_with_its_reason(body: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        read(delivery(body))
