"""The rules beside heat: drivers, presence, ports, wear; restarts, clocks that jump, strangers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.events.gpu_faults import Finding
from reflexarc.gpu.watch.model import HW_THERMAL, GpuSample, NodeSample, PortSample
from reflexarc.gpu.watch.rules import DEVICES_MAX, Watch
from reflexarc.gpu.watch.thresholds import Thresholds

START = datetime(2026, 11, 24, tzinfo=UTC)
GPU = "0000:3b:00"


def look(second: float, **parts: Any) -> NodeSample:
    values = {"driver": "answers", **parts}
    return NodeSample(at=START + timedelta(seconds=second), seconds=second, **values)


def gpu(**values: Any) -> GpuSample:
    return GpuSample(**{"device": GPU, "uuid": "GPU-1", **values})


def run(watch: Watch, looks: Iterable[NodeSample]) -> list[tuple[str, str, str, float]]:
    return [
        (found.rule, found.state, found.device, each.seconds)
        for each in looks
        for found in watch.step(each)
    ]


def steady(start: int, end: int, **parts: Any) -> list[NodeSample]:
    return [look(second, **parts) for second in range(start, end)]


def test_a_driver_that_hangs_is_told_after_thirty_seconds_and_cleared_when_it_answers() -> None:
    watch = Watch()

    found = run(watch, [*steady(0, 40, driver="hung"), *steady(40, 60)])

    assert found == [
        ("driver/unresponsive", "raised", "", 30),
        ("driver/unresponsive", "cleared", "", 50),
    ]


def test_a_driver_that_was_never_here_is_no_fault() -> None:
    assert run(Watch(), steady(0, 300, driver="absent")) == []


def test_a_driver_that_goes_away_is_told_after_two_minutes() -> None:
    watch = Watch()

    found = run(watch, [*steady(0, 5), *steady(5, 200, driver="failing")])

    assert found == [("driver/absent", "raised", "", 125)]


def test_no_driver_is_judged_where_nobody_asks_it() -> None:
    watch = Watch()
    run(watch, steady(0, 5))

    assert run(watch, steady(5, 300, driver="off")) == []


def test_a_gpu_that_the_driver_calls_lost_is_told_and_its_health_is_lost() -> None:
    watch = Watch()
    run(watch, steady(0, 5, gpus=(gpu(margin_c=30.0),)))
    assert watch.health(GPU) == "ok"

    found = run(watch, steady(5, 15, gpus=(gpu(lost=True),)))

    assert found == [("gpu/lost", "raised", GPU, 10)]
    assert watch.health(GPU) == "lost"
    assert watch.active(GPU) == ("gpu/lost",)


def test_gpus_that_nobody_reads_are_not_lost() -> None:
    watch = Watch()
    run(watch, steady(0, 5, gpus=(gpu(),)))

    assert run(watch, steady(5, 60, driver="failing")) == []


def test_the_only_gpu_of_a_node_is_missed_by_a_driver_that_answers() -> None:
    watch = Watch()
    run(watch, steady(0, 5, gpus=(gpu(),)))

    assert run(watch, steady(5, 60)) == [("gpu/lost", "raised", GPU, 10)]


def test_a_gpu_that_was_lost_from_the_start_is_not_known() -> None:
    watch = Watch()

    assert run(watch, steady(0, 60, gpus=(gpu(lost=True),))) == []
    assert watch.health(GPU) == "unknown"
    assert watch.active(GPU) == ()


def test_a_port_that_was_up_and_is_down_or_gone_is_told() -> None:
    watch = Watch()
    up, down = PortSample(name="mlx5_0/1", state="ACTIVE"), PortSample(name="a/1", state="DOWN")

    found = run(
        watch,
        [
            *steady(0, 5, ports=(up, down)),
            *steady(5, 20, ports=(down,)),
            *steady(20, 60, ports=(up, down)),
        ],
    )

    assert found == [
        ("network/port-down", "raised", "mlx5_0/1", 10),
        ("network/port-down", "cleared", "mlx5_0/1", 50),
    ]


def test_a_port_whose_link_goes_down_again_and_again_flaps() -> None:
    watch = Watch()

    def port(second: int) -> PortSample:
        downs = min(second // 60, 4)
        return PortSample(name="mlx5_0/1", state="ACTIVE", counters={"link_downed": downs})

    found = run(watch, [look(second, ports=(port(second),)) for second in range(1200)])

    assert [each[:3] for each in found] == [
        ("network/port-flapping", "raised", "mlx5_0/1"),
        ("network/port-flapping", "cleared", "mlx5_0/1"),
    ]
    assert found[0][3] == 180


def test_ecc_errors_that_are_new_are_told_and_old_ones_are_not() -> None:
    watch = Watch()

    old = run(watch, steady(0, 100, gpus=(gpu(ecc_uncorrected_volatile=7),)))
    new = run(watch, steady(100, 4000, gpus=(gpu(ecc_uncorrected_volatile=9),)))

    assert old == []
    assert [each[:2] for each in new] == [
        ("memory/ecc-uncorrected", "raised"),
        ("memory/ecc-uncorrected", "cleared"),
    ]
    assert new[1][3] - new[0][3] >= 3_600


def test_a_flood_of_corrected_errors_is_told() -> None:
    watch = Watch()

    found = run(watch, [look(s, gpus=(gpu(ecc_corrected_volatile=s * 5),)) for s in range(200)])

    assert [each[:2] for each in found] == [("memory/ecc-corrected-rate", "raised")]


def test_rows_that_wear_out_within_a_day_are_a_trend() -> None:
    watch = Watch()

    found = run(
        watch, [look(s, gpus=(gpu(remapped_uncorrectable=s // 1000),)) for s in range(3_500)]
    )

    assert found == [("memory/remap-trend", "raised", GPU, 3_000)]


def test_nvlink_errors_and_lanes_that_are_gone_are_told() -> None:
    watch = Watch()

    found = run(
        watch,
        [
            look(s, gpus=(gpu(nvlink_errors=s * 10, pcie_width=8, pcie_width_max=16),))
            for s in range(150)
        ],
    )

    assert {each[0] for each in found} == {"link/nvlink-errors", "link/pcie-width"}
    assert watch.health(GPU) == "warning"


def test_a_slowdown_that_is_not_heat_is_one_of_power() -> None:
    watch = Watch()

    found = run(watch, steady(0, 20, gpus=(gpu(reasons=0x8, power_w=300.0),)))

    assert found == [("power/hw-slowdown", "raised", GPU, 10)]


def test_a_restarted_agent_tells_nothing_twice_and_clears_what_the_first_one_told() -> None:
    first, second = Watch(), Watch()
    hot, cool = gpu(reasons=HW_THERMAL), gpu(reasons=0, margin_c=20.0)
    port = PortSample(name="p/1", state="ACTIVE")
    assert len(run(first, steady(0, 20, gpus=(hot,), ports=(port,)))) == 1
    assert first.health(GPU) == "critical"

    second.restore(first.snapshot())
    found = run(
        second,
        [
            *steady(0, 30, gpus=(hot,), ports=(port,)),
            *steady(30, 200, gpus=(cool,), ports=(PortSample(name="q/1", state="DOWN"),)),
        ],
    )

    assert found == [
        ("network/port-down", "raised", "p/1", 35),
        ("thermal/hw-slowdown", "cleared", GPU, 150),
    ]


def test_a_warning_that_waited_when_the_agent_ended_is_raised_by_the_next() -> None:
    first, second = Watch(), Watch()
    warm = gpu(margin_c=4.0)
    assert run(first, steady(0, 65, gpus=(warm,))) == []

    second.restore(first.snapshot())

    assert [each[0] for each in run(second, steady(0, 80, gpus=(warm,)))] == ["thermal/near-limit"]


def test_a_cooling_fault_survives_a_restart_as_one() -> None:
    first, second = Watch(), Watch()

    def warm(margin: float) -> tuple[GpuSample, ...]:
        return tuple(GpuSample(device=f"0000:{n:02x}:00", margin_c=margin) for n in range(4))

    assert [each[0] for each in run(first, steady(0, 80, gpus=warm(4.0)))] == ["thermal/cooling"]

    second.restore(first.snapshot())
    found = run(second, [*steady(0, 100, gpus=warm(4.0)), *steady(100, 250, gpus=warm(20.0))])

    assert found == [("thermal/cooling", "cleared", "", 220)]


def test_a_critical_gpu_does_not_wait_for_company() -> None:
    watch = Watch()

    found = run(watch, steady(0, 5, gpus=(gpu(margin_c=-1.0, temperature_c=95.0),)))

    assert found == [("thermal/limit", "raised", GPU, 2)]


def test_what_is_graver_in_the_same_look_leads() -> None:
    watch = Watch()
    limits = {"near_s": 0.0, "hw_thermal_s": 0.0, "together_s": 0.0}
    watch = Watch(Thresholds(**limits))

    found = run(watch, steady(0, 1, gpus=(gpu(margin_c=3.0, reasons=HW_THERMAL),)))

    assert found == [("thermal/hw-slowdown", "raised", GPU, 0)]


def test_flapping_that_gets_graver_is_told_and_clears_after_a_quiet_window() -> None:
    limits = Thresholds(near_s=0, together_s=0, clear_s=0, flaps=1, flap_window_s=20)
    watch = Watch(limits)
    near, cool, limit = gpu(margin_c=4.0), gpu(margin_c=20.0), gpu(margin_c=0.0)

    found = run(
        watch,
        [
            look(0, gpus=(near,)),
            look(1, gpus=(cool,)),
            look(2, gpus=(near,)),
            look(3, gpus=(cool,)),
            look(4, gpus=(near,)),
            *steady(5, 8, gpus=(limit,)),
            *steady(8, 40, gpus=(cool,)),
        ],
    )

    assert [(rule, state) for rule, state, _, _ in found] == [
        ("thermal/near-limit", "raised"),
        ("thermal/near-limit", "cleared"),
        ("thermal/flapping", "raised"),
        ("thermal/limit", "raised"),
        ("thermal/near-limit", "cleared"),
    ]
    assert found[-1][3] == 28


def test_a_clock_that_jumps_back_neither_raises_nor_crashes() -> None:
    watch = Watch()
    hot = gpu(reasons=HW_THERMAL, pcie_replays=1, margin_c=4.0)

    found = run(watch, [*steady(1000, 1009, gpus=(hot,)), *steady(5, 14, gpus=(hot,))])

    assert found == []
    assert run(watch, steady(14, 16, gpus=(hot,))) == [("thermal/hw-slowdown", "raised", GPU, 15)]


def test_more_devices_than_a_node_has_are_not_watched() -> None:
    watch = Watch()
    gpus = tuple(GpuSample(device=f"{n:04x}:00:00") for n in range(DEVICES_MAX + 1))
    ports = tuple(PortSample(name=f"p{n}/1", state="DOWN") for n in range(DEVICES_MAX + 1))

    watch.step(look(0, gpus=gpus, ports=ports))

    assert watch.health(f"{DEVICES_MAX - 1:04x}:00:00") == "ok"
    assert watch.health(f"{DEVICES_MAX:04x}:00:00") == "unknown"
    assert len(watch.snapshot()["ports"]) == DEVICES_MAX


def test_thresholds_refuse_names_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="nera_s"):
        Thresholds.model_validate({"nera_s": 3})


def test_a_finding_says_what_was_measured() -> None:
    watch = Watch()
    found: list[Finding] = []
    for second in range(12):
        sample = gpu(reasons=HW_THERMAL, temperature_c=91.0, memory_c=80.0, margin_c=2.0)
        found += watch.step(look(second, gpus=(sample,)))

    (finding,) = found
    assert finding.says == "slowed down by the hardware for heat, for 10 s at 91 C"
    assert finding.values == {"temperature_c": 91, "margin_c": 2, "memory_c": 80}
    assert (finding.aspect, finding.gpu_uuid) == ("thermal", "GPU-1")


def test_openings_that_lie_far_apart_are_no_flapping() -> None:
    limits = Thresholds(near_s=0, together_s=0, clear_s=0, flaps=1, flap_window_s=20)
    watch = Watch(limits)
    near, cool = gpu(margin_c=4.0), gpu(margin_c=20.0)

    found = run(watch, [look(s, gpus=(near if s % 30 == 0 else cool,)) for s in range(91)])

    assert [each[0] for each in found if each[1] == "raised"] == ["thermal/near-limit"] * 4


def test_a_gpu_of_several_hot_ones_tells_its_own_clear_if_it_told_its_own_fault() -> None:
    watch = Watch()

    def node(first: float, others: float) -> tuple[GpuSample, ...]:
        return (
            gpu(margin_c=first),
            *(GpuSample(device=f"0000:{n:02x}:00", margin_c=others) for n in range(2)),
        )

    found = run(
        watch,
        [
            *steady(0, 10, gpus=node(-1.0, 20.0)),
            *steady(10, 80, gpus=node(-1.0, 4.0)),
            *steady(80, 210, gpus=node(20.0, 20.0)),
        ],
    )

    assert found == [
        ("thermal/limit", "raised", GPU, 2),
        ("thermal/cooling", "raised", "", 70),
        ("thermal/cooling", "cleared", "", 200),
        ("thermal/limit", "cleared", GPU, 200),
    ]


def test_a_lesser_rule_of_a_gpu_that_is_at_its_limit_is_no_news_to_the_node() -> None:
    watch = Watch()

    def node(first: float) -> tuple[GpuSample, ...]:
        return (
            gpu(margin_c=first),
            *(GpuSample(device=f"0000:{n:02x}:00", margin_c=4.0) for n in range(3)),
        )

    found = run(watch, [*steady(0, 70, gpus=node(20.0)), *steady(70, 140, gpus=node(-1.0))])

    assert found == [("thermal/cooling", "raised", "", 60), ("thermal/cooling", "raised", "", 72)]
    assert watch.active(GPU) == ("thermal/limit", "thermal/near-limit")


@pytest.mark.parametrize(
    ("hot", "blind", "well"),
    [
        ({"margin_c": -1.0, "reasons": 0}, {"reasons": 0}, {"margin_c": 20.0, "reasons": 0}),
        ({"margin_c": 12.0, "reasons": HW_THERMAL}, {"margin_c": 12.0}, {"reasons": 0}),
    ],
    ids=["margin", "reasons"],
)
def test_heat_is_not_over_while_the_sensor_that_found_it_says_nothing(
    hot: dict[str, Any], blind: dict[str, Any], well: dict[str, Any]
) -> None:
    watch = Watch()
    run(watch, steady(0, 20, gpus=(gpu(**hot),)))

    unread = run(watch, steady(20, 400, gpus=(gpu(**blind),)))
    read = run(watch, steady(400, 530, gpus=(gpu(**well),)))

    assert unread == []
    assert [each[1:] for each in read] == [("cleared", GPU, 520)]


def test_a_margin_that_is_not_known_does_not_hide_that_the_hardware_still_slows_down() -> None:
    watch = Watch()
    run(watch, steady(0, 20, gpus=(gpu(margin_c=-1.0, reasons=HW_THERMAL),)))

    assert run(watch, steady(20, 300, gpus=(gpu(reasons=HW_THERMAL),))) == []
    assert watch.active(GPU) == ("thermal/hw-slowdown", "thermal/limit")


def test_a_trend_of_rows_ends_after_a_day_without_though_looks_are_missed() -> None:
    watch = Watch()
    worn = gpu(remapped_uncorrectable=5)
    run(watch, [look(0, gpus=(gpu(remapped_uncorrectable=0),)), look(1, gpus=(worn,))])
    day = 86_400

    before = run(watch, [look(s, gpus=(worn,)) for s in range(2, day - 9, 10)])
    after = run(watch, [look(s, gpus=(worn,)) for s in range(day, day + 1_200)])

    assert before == []
    assert [each[:3] for each in after] == [("memory/remap-trend", "cleared", GPU)]


def test_a_trend_of_rows_is_not_over_because_the_agent_was_restarted() -> None:
    first, second = Watch(), Watch()
    worn = gpu(remapped_uncorrectable=5)
    run(first, [look(0, gpus=(gpu(remapped_uncorrectable=0),)), look(1, gpus=(worn,))])

    second.restore(first.snapshot())

    assert run(second, steady(10, 2_000, gpus=(worn,))) == []
    assert second.active(GPU) == ("memory/remap-trend",)
