from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.fleet_usage import Waste, wasted
from reflexarc.gpu.fleet_view import health_of, is_hot, status_of
from reflexarc.gpu.readings import GpuState, RunningHour
from tests.support.readings import at, hour, state

TODAY = date(2026, 11, 24)
H100 = "NVIDIA H100 80GB HBM3"
PRICED = GpuPolicy(hourly_usd={"H100": Decimal("3.60")})


def told(**more: Any) -> RunningHour:
    return RunningHour.model_validate(
        hour(0) | {"observed_s": 3600, "idle_s": 900, "allocated_idle_s": 600} | more
    )


def test_hours_and_runs_add_up_and_the_last_word_of_each_counts() -> None:
    hours = [
        told(),
        told(observed_s=1800, idle_s=10),
        told(since="2026-11-24T03:30:00Z", observed_s=60, idle_s=60, allocated_idle_s=0),
        told(hour="2026-11-24T02:00:00Z"),
    ]

    assert wasted(hours, TODAY, H100, PRICED) == Waste(
        observed_s=7260, idle_s=1860, allocated_idle_s=1200, dollars=Decimal("1.20")
    )


def test_other_days_do_not_count() -> None:
    assert wasted([told()], TODAY - timedelta(days=1), H100, PRICED).observed_s == 0


def test_a_gpu_without_a_price_is_unpriced_and_not_free() -> None:
    assert wasted([told()], TODAY, "NVIDIA L4", PRICED).dollars is None
    assert wasted([], TODAY, H100, PRICED).dollars == Decimal("0.00")


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, "live"), (89, "live"), (90, "stale"), (149, "stale"), (150, "silent")],
)
def test_a_node_that_does_not_speak_grows_stale_then_silent(seconds: int, status: str) -> None:
    assert status_of(state(), at(seconds)) == status


def test_silence_after_a_farewell_is_planned() -> None:
    assert status_of(state(farewell=True), at(10_000)) == "left"


def test_the_health_of_a_silent_node_is_not_known() -> None:
    (gpu, *_) = state().gpus

    assert [health_of(gpu, status) for status in ("live", "stale", "silent", "left")] == [
        "ok", "ok", "unknown", "unknown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "hot"),
    [
        (GpuState(device="a", margin_c=10.1), False),
        (GpuState(device="a", margin_c=10.0), True),
        (GpuState(device="a", active=("thermal/rising",)), True),
        (GpuState(device="a", active=("power/brake",)), False),
    ],
)
def test_hot_is_a_thermal_finding_or_little_margin(gpu: GpuState, *, hot: bool) -> None:
    assert is_hot(gpu) is hot
