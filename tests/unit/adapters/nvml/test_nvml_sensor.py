"""What one look at the GPUs tells, over the stub in samples/nvml-stub."""

import pytest

from reflexarc.adapters.nvml.sensor import NvmlSensor
from reflexarc.emulator.nvml_stub import H100, NvmlScenario
from reflexarc.gpu.watch.model import HW_THERMAL, SW_THERMAL, GpuSample
from reflexarc.kernel.errors import Rejected
from tests.support.nvml import PCI, UUID, cards
from tests.unit.adapters.nvml.conftest import Hand

FULL = {
    "temp": "0:71",
    "margin": "0:16",
    "memtemp": "0:84",
    "reasons": "0:0x60",
    "power": "0:512.5",
    "limit": "0:700",
    "sm": "0:1410",
    "mclk": "0:2619",
    "util": "0:97",
    "used": "0:70000",
    "sbe_vol": "0:3",
    "dbe_vol": "0:1",
    "sbe_agg": "0:30",
    "dbe_agg": "0:2",
    "remap_cor": "0:5",
    "remap_unc": "0:4",
    "remap_pending": "0:1",
    "remap_failure": "0:0",
    "recovery": "0:2",
    "nvlink_flit": "0:100",
    "nvlink_data": "0:20",
    "nvlink_replay": "0:3",
    "nvlink_recovery": "0:4",
    "replays": "0:7",
    "width": "0:8",
    "mig": "0:1",
}


def only(sensor: NvmlSensor) -> GpuSample:
    (sample,) = sensor.read().gpus
    return sample


def test_one_look_reads_everything_that_a_gpu_tells(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    cards(scenario, 1, FULL)
    scenario.add("process 0 0 - 4242 c", "process 0 0 - 17 g", "process 0 0 - 4242 g")

    seen = sensor.read()

    assert seen.driver == "595.45.04"
    assert seen.gpus == (
        GpuSample(
            device="0000:18:00",
            uuid=UUID[0],
            index=0,
            name="NVIDIA H100 80GB HBM3",
            temperature_c=71,
            margin_c=16,
            memory_c=84,
            memory_margin_c=11,
            reasons=SW_THERMAL | HW_THERMAL,
            power_w=512.5,
            power_limit_w=700,
            sm_clock_mhz=1410,
            memory_clock_mhz=2619,
            utilization=97,
            memory_used_mib=70000,
            memory_total_mib=81559,
            ecc_corrected_volatile=3,
            ecc_uncorrected_volatile=1,
            ecc_corrected_aggregate=30,
            ecc_uncorrected_aggregate=2,
            remapped_correctable=5,
            remapped_uncorrectable=4,
            remap_pending=True,
            remap_failure=False,
            recovery_action=2,
            nvlink_errors=127,
            pcie_replays=7,
            pcie_width=8,
            pcie_width_max=16,
            mig=True,
            pids=(17, 4242),
        ),
    )
    assert sensor.remarks() == ()


def test_without_a_margin_it_is_the_way_to_the_slowdown_threshold(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    """As on an A100, which knows no T.Limit."""
    cards(scenario, 1, {"temp": "0:80", "margin": "0:!NOT_SUPPORTED", "slowdown": "0:89"})

    assert only(sensor).margin_c == 9


def test_a_margin_beyond_the_limit_is_negative(scenario: NvmlScenario, sensor: NvmlSensor) -> None:
    cards(scenario, 1, {"margin": "0:-3"})

    assert only(sensor).margin_c == -3


def test_what_a_card_cannot_tell_is_not_known_and_never_zero(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    scenario.gpu(PCI[0], UUID[0], "Tesla T4", {"temp": "0:50", "slowdown": "0:93"})
    scenario.write()

    sample = only(sensor)

    assert sample == GpuSample(
        device="0000:18:00",
        uuid=UUID[0],
        index=0,
        name="Tesla T4",
        temperature_c=50,
        margin_c=43,
        pids=(),
    )
    assert "NVLink errors before NVLink 5: this card does not tell it (1 of 1 GPUs)" in (
        sensor.remarks()
    )


def test_all_bits_set_is_no_value(scenario: NvmlScenario, sensor: NvmlSensor) -> None:
    cards(scenario, 1, {key: "0:na" for key in H100 if key not in {"links", "events"}})

    sample = only(sensor)

    assert sample == GpuSample(
        device="0000:18:00", uuid=UUID[0], index=0, name="NVIDIA H100 80GB HBM3", pids=()
    )


@pytest.mark.parametrize("broken", ["255", "511", "-100"])
def test_a_temperature_that_no_chip_has_is_no_value(
    scenario: NvmlScenario, sensor: NvmlSensor, broken: str
) -> None:
    cards(scenario, 1, {"temp": f"0:{broken}", "memtemp": f"0:{broken}", "margin": "0:5"})

    sample = only(sensor)

    assert (sample.temperature_c, sample.memory_c, sample.margin_c) == (None, None, None)


def test_an_error_of_one_value_leaves_the_others(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    cards(scenario, 1, {"power": "0:!UNKNOWN", "sbe_vol": "0:!UNKNOWN"})

    sample = only(sensor)

    assert (sample.power_w, sample.ecc_corrected_volatile) == (None, None)
    assert (sample.temperature_c, sample.ecc_uncorrected_volatile) == (45, 0)


def test_a_passing_error_is_asked_again_at_once(scenario: NvmlScenario, sensor: NvmlSensor) -> None:
    cards(scenario, 1, {"power": "0:!UNKNOWN"})
    before = only(sensor)

    rewrite(scenario, {"power": "0:300"})

    assert (before.power_w, only(sensor).power_w) == (None, 300)


def rewrite(scenario: NvmlScenario, values: dict[str, str]) -> None:
    """Let the GPU tell something else from now on."""
    scenario.add(*(f"hold 0 {key} {points}" for key, points in values.items()))
    settle()


def settle() -> None:
    """Wait until the stub has noticed: it looks at its file every 5 ms."""
    import time  # noqa: PLC0415

    time.sleep(0.02)


def test_an_unsupported_value_is_asked_again_after_ten_minutes(
    scenario: NvmlScenario, sensor: NvmlSensor, clock: Hand
) -> None:
    cards(scenario, 1, {"power": "0:!NOT_SUPPORTED", "memtemp": "0:!NOT_SUPPORTED"})
    only(sensor)
    rewrite(scenario, {"power": "0:300", "memtemp": "0:60"})

    clock.seconds += 599
    early = only(sensor)
    clock.seconds += 2
    late = only(sensor)

    assert (early.power_w, early.memory_c) == (None, None)
    assert (late.power_w, late.memory_c) == (300, 60)


def test_quick_values_are_read_each_time_and_slow_ones_every_five_seconds(
    scenario: NvmlScenario, sensor: NvmlSensor, clock: Hand
) -> None:
    cards(scenario, 1)
    only(sensor)
    rewrite(scenario, {"temp": "0:60", "dbe_vol": "0:2"})

    clock.seconds += 1
    soon = only(sensor)
    clock.seconds += 5
    later = only(sensor)

    assert (soon.temperature_c, soon.ecc_uncorrected_volatile) == (60, 0)
    assert (later.temperature_c, later.ecc_uncorrected_volatile) == (60, 2)


def test_slow_looks_of_many_gpus_do_not_fall_together(
    scenario: NvmlScenario, sensor: NvmlSensor, clock: Hand
) -> None:
    cards(scenario, 5)
    sensor.read()
    scenario.add("hold * dbe_vol 0:1")
    settle()

    fresh = []
    for _ in range(9):
        clock.seconds += 1
        fresh.append(sum(gpu.ecc_uncorrected_volatile or 0 for gpu in sensor.read().gpus))

    assert fresh == [0, 0, 0, 0, 1, 2, 3, 4, 5]


def test_links_of_nvlink_5_are_added_up(scenario: NvmlScenario, sensor: NvmlSensor) -> None:
    before_5 = ("nvlink_flit", "nvlink_data", "nvlink_replay", "nvlink_recovery")
    cards(
        scenario,
        1,
        {
            **dict.fromkeys(before_5, "0:!NOT_SUPPORTED"),
            "links": "0:3",
            "nvlink5_rcv": "0:2",
            "nvlink5_recovery": "0:1",
        },
    )

    assert only(sensor).nvlink_errors == 9


def test_a_gpu_without_a_uuid_is_known_by_its_address(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    scenario.gpu("0000000A:3B:00.0")
    scenario.write()

    sample = only(sensor)

    assert (sample.device, sample.uuid, sample.temperature_c) == ("000a:3b:00", "", 45)


def test_a_change_of_the_mig_mode_asks_everything_again(
    scenario: NvmlScenario, sensor: NvmlSensor, clock: Hand
) -> None:
    """With MIG on, a card tells no utilization; it does again when MIG is off."""
    cards(scenario, 1, {"mig": "0:1", "util": "0:!NOT_SUPPORTED"})
    with_mig = only(sensor)
    rewrite(scenario, {"mig": "0:0", "util": "0:55"})

    clock.seconds += 6
    only(sensor)
    without = only(sensor)

    assert (with_mig.mig, with_mig.utilization) == (True, None)
    assert (without.mig, without.utilization) == (False, 55)


def test_an_old_driver_is_read_as_far_as_it_goes_and_says_what_it_lacks(
    scenario: NvmlScenario, sensor: NvmlSensor
) -> None:
    scenario.driver = "525.60.13"
    cards(scenario, 2, {"temp": "0:70", "slowdown": "0:89", "reasons": "0:0x4"})
    scenario.add(
        "lacks nvmlDeviceGetTemperatureV nvmlDeviceGetMarginTemperature field:230",
        "lacks nvmlDeviceGetCurrentClocksEventReasons",
    )

    seen = sensor.read()
    sample = seen.gpus[1]

    assert seen.driver == "525.60.13"
    assert (sample.temperature_c, sample.margin_c, sample.reasons) == (70, 19, 4)
    assert sample.recovery_action is None
    assert sensor.remarks() == (
        "T.Limit margin: the driver is too old to tell it (2 of 2 GPUs)",
        "recovery action: the driver is too old to tell it (2 of 2 GPUs)",
    )


def test_missing_rights_are_a_remark(scenario: NvmlScenario, sensor: NvmlSensor) -> None:
    cards(scenario, 1, {"limit": "0:!NO_PERMISSION"})

    assert only(sensor).power_limit_w is None
    assert sensor.remarks() == ("power limit: this process may not read it (1 of 1 GPUs)",)


def test_a_driver_without_a_gpu_says_what_to_do(scenario: NvmlScenario, sensor: NvmlSensor) -> None:
    scenario.write()

    with pytest.raises(Rejected, match="lists no GPU here: in a container"):
        sensor.read()
