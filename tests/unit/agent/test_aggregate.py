import math
from datetime import datetime, timedelta
from typing import Any

import pytest

from reflexarc.agent.aggregate import DEVICES_MAX, Aggregator, Standing, Window
from reflexarc.events.gpu_faults import Job
from reflexarc.events.gpu_readings import Vitals
from reflexarc.gpu.watch.model import (
    HW_THERMAL,
    IDLE,
    GpuSample,
    NodeSample,
    PortSample,
)
from tests.agent.fakes import NOW

A, B = "0000:3b:00", "0000:5e:00"
JOB = Job(id="42", owner="ada", scheduler="slurm")


class Bench:
    """An aggregator, with time in the test's hands."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self.seconds = 100.0
        self.aggregator = Aggregator(started_at=at, seconds=self.seconds)

    def look(self, *gpus: GpuSample, step: float = 1.0, **facts: Any) -> None:
        self.seconds += step
        self.at += timedelta(seconds=step)
        ports = facts.pop("ports", ())
        standing = {gpu.device: Standing(health="ok") for gpu in gpus}
        self.aggregator.look(
            NodeSample(at=self.at, seconds=self.seconds, gpus=gpus, ports=ports),
            **{"standing": standing} | facts,
        )

    def swap(self) -> Window:
        return self.aggregator.swap(self.seconds)


def gpu(device: str = A, **facts: Any) -> GpuSample:
    return GpuSample(device=device, **facts)


def test_gauge_is_least_mean_most_and_last_of_the_looks_that_read_it() -> None:
    bench = Bench()
    for temperature in (40.0, 60.0, None, 50.0):
        bench.look(gpu(temperature_c=temperature))

    [reading] = bench.swap().gpus
    gauge = reading.gauges["temperature_c"]
    assert (gauge.min, gauge.mean, gauge.max, gauge.last) == (40, 50, 60, 50)
    assert reading.looks == 4


def test_what_could_not_be_read_is_absent_and_never_zero() -> None:
    bench = Bench()
    bench.look(gpu(temperature_c=math.nan, power_w=math.inf))

    [reading] = bench.swap().gpus
    assert (reading.gauges, reading.counters, reading.throttled_s) == ({}, {}, {})


def test_counters_are_as_last_read() -> None:
    bench = Bench()
    bench.look(gpu(pcie_replays=7, remap_pending=True))
    bench.look(gpu(pcie_replays=9))

    assert bench.swap().gpus[0].counters == {"pcie_replays": 9, "remap_pending": 1}


def test_seconds_are_counted_for_each_reason() -> None:
    bench = Bench()
    bench.look(gpu(reasons=IDLE))
    bench.look(gpu(reasons=HW_THERMAL | IDLE))
    bench.look(gpu(reasons=HW_THERMAL), step=2)

    assert bench.swap().gpus[0].throttled_s == {"idle": 2, "hw_thermal": 3}


def test_window_begins_anew_when_it_was_swapped() -> None:
    bench = Bench()
    bench.look(gpu(temperature_c=80.0))
    first = bench.swap()
    bench.look(gpu(temperature_c=40.0))

    second = bench.swap()
    assert (first.seconds, second.seconds) == (1, 1)
    assert second.gpus[0].gauges["temperature_c"].max == pytest.approx(40)


def test_gpu_that_was_not_read_in_the_window_is_of_unknown_health() -> None:
    bench = Bench()
    bench.look(gpu(uuid="GPU-a"), gpu(B))
    bench.swap()
    bench.look(gpu(B))

    missing, read = bench.swap().gpus
    assert (missing.device, missing.uuid) == (A, "GPU-a")
    assert (missing.health, missing.looks) == ("unknown", 0)
    assert read.health == "ok"


def test_gpu_that_the_rules_hold_for_lost_is_lost_though_nothing_reads_it() -> None:
    bench = Bench()
    bench.look(gpu())
    bench.swap()
    bench.look(standing={A: Standing(health="lost", active=("gpu/lost",))})

    [reading] = bench.swap().gpus
    assert (reading.health, reading.active) == ("lost", ("gpu/lost",))


def test_lost_sample_is_lost_and_keeps_its_name() -> None:
    bench = Bench()
    bench.look(gpu(uuid="GPU-a", name="H100"))
    bench.look(gpu(lost=True))

    [reading] = bench.swap().gpus
    assert (reading.health, reading.uuid, reading.name) == ("lost", "GPU-a", "H100")
    assert reading.looks == 1


def test_ports_vitals_and_driver_are_the_newest() -> None:
    bench = Bench()
    bench.look(ports=(PortSample(name="mlx5_0/1", state="DOWN"),), driver="580.1")
    bench.look(ports=(PortSample(name="mlx5_0/1", state="ACTIVE", counters={"symbol": 3}),))
    bench.look(
        ports=(PortSample(name="mlx5_0/1", state="ACTIVE", counters={"symbol": 4}),),
        vitals=Vitals(load1=2.0),
    )

    window = bench.swap()
    assert [(port.state, port.counters) for port in window.ports] == [("ACTIVE", {"symbol": 4})]
    assert window.vitals == Vitals(load1=2.0)
    assert window.driver == "580.1"


def test_idle_and_allocated_idle_seconds_of_an_hour() -> None:
    bench = Bench()
    bench.look(gpu(utilization=99.0), busy=[A])
    bench.look(gpu(utilization=4.9), busy=[])
    bench.look(gpu(utilization=0.0), busy=[A], standing={A: Standing(health="ok", job=JOB)}, step=2)
    bench.look(gpu(utilization=None), busy=[A])

    [hour] = bench.swap().hours
    assert (hour.observed_s, hour.idle_s, hour.allocated_idle_s) == (4, 3, 2)
    assert (hour.job, hour.closed) == (JOB, False)


def test_hour_is_cut_at_its_end_and_told_as_closed_once() -> None:
    bench = Bench(NOW + timedelta(minutes=59, seconds=58))
    bench.look(gpu(utilization=0.0))
    bench.look(gpu(utilization=0.0))
    bench.look(gpu(utilization=0.0))

    first, second = bench.swap().hours
    assert (first.hour, first.observed_s, first.closed) == (NOW, 1, True)
    assert (second.hour, second.observed_s, second.closed) == (NOW + timedelta(hours=1), 2, False)
    bench.look(gpu(utilization=0.0))
    [running] = bench.swap().hours
    assert (running.hour, running.observed_s) == (second.hour, 3)


def test_running_hour_goes_on_after_a_restart_with_the_same_since() -> None:
    before = Bench()
    before.look(gpu(utilization=0.0), busy=[A], standing={A: Standing(job=JOB)})
    kept = before.swap().running
    after = Bench(NOW + timedelta(minutes=5))
    after.aggregator.restore(kept)
    after.look(gpu(utilization=0.0))

    [hour] = after.swap().hours
    assert (hour.observed_s, hour.allocated_idle_s, hour.job) == (2, 1, JOB)
    assert hour.since == NOW


def test_hour_that_ended_while_the_agent_was_down_is_told_as_closed() -> None:
    before = Bench()
    before.look(gpu(utilization=0.0))
    after = Bench(NOW + timedelta(hours=3))
    after.aggregator.restore(before.swap().running)

    [hour] = after.swap().hours
    assert (hour.hour, hour.closed) == (NOW, True)
    assert after.swap().hours == ()


def test_suspend_adds_no_more_than_one_step() -> None:
    bench = Bench()
    bench.look(gpu(utilization=0.0, reasons=IDLE), step=3000)

    window = bench.swap()
    assert window.hours[0].observed_s == pytest.approx(5)
    assert window.gpus[0].throttled_s == {"idle": 5}


def test_clock_that_jumps_back_a_little_goes_on_in_the_hour_it_told_before() -> None:
    bench = Bench(NOW + timedelta(minutes=59, seconds=59))
    bench.look(gpu(utilization=0.0))
    bench.aggregator.swap(bench.seconds)
    bench.at = NOW + timedelta(minutes=30)
    bench.look(gpu(utilization=0.0))
    bench.look(gpu(utilization=0.0))

    told = {(hour.hour, hour.closed): hour.observed_s for hour in bench.swap().hours}
    assert told[NOW, False] == pytest.approx(2)


def test_numbers_of_one_hour_and_run_only_grow_though_the_clock_jumps_back_a_day() -> None:
    bench = Bench()
    bench.look(gpu(utilization=0.0), step=5)
    first = bench.swap().hours[0]
    for _ in range(30):
        bench.at += timedelta(hours=1)
        bench.look(gpu(utilization=0.0))
        bench.swap()
    bench.at = NOW
    bench.look(gpu(utilization=0.0))

    again = next(hour for hour in bench.swap().hours if hour.hour == NOW)
    assert again.since != first.since


def test_addresses_without_end_do_not_fill_the_memory() -> None:
    bench = Bench()
    for number in range(3 * DEVICES_MAX):
        bench.look(gpu(f"0000:{number:02x}:00", utilization=0.0))

    assert len(bench.swap().gpus) == DEVICES_MAX
