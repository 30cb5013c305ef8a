"""A fault that several saw is one fault; what the kernel log missed is told once."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from reflexarc.events.severity import Severity
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.watch.model import XidSeen
from reflexarc.gpu.watch.witness import KEPT_MAX, Witness

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DEVICE = "0000:3b:00"


def nvml(code: int, **more: Any) -> XidSeen:
    return XidSeen(**{"witness": "nvml", "device": DEVICE, "code": code, "at": AT, **more})


def line(code: int, **more: Any) -> FaultLine:
    return FaultLine(kind="xid", code=code, pci="0000:3b:00", **more)


def test_a_report_that_the_kernel_log_said_before_is_corroborated() -> None:
    witness = Witness()
    witness.kernel(line(79), 100.0)

    witness.seen(nvml(79), 101.0)

    assert witness.due(math.inf) == ()
    assert witness.corroborated == 1


def test_a_report_that_the_kernel_log_says_within_seconds_is_corroborated() -> None:
    witness = Witness()
    witness.seen(nvml(48), 100.0)

    assert witness.due(104.9) == ()
    witness.kernel(line(48), 104.9)

    assert witness.due(200.0) == ()
    assert witness.corroborated == 1


def test_what_the_kernel_log_missed_is_told_once_after_five_seconds() -> None:
    witness = Witness()
    witness.seen(nvml(79, uuid="GPU-1", gpu_instance=2), 100.0)
    witness.seen(nvml(79, witness="dcgm"), 102.0)

    (finding,) = witness.due(105.0)

    assert (finding.rule, finding.state, finding.kind, finding.device) == (
        "xid/79",
        "raised",
        "gpu",
        DEVICE,
    )
    assert finding.says == "NVML and DCGM reported XID 79; the kernel log did not"
    assert finding.values == {"xid": 79, "gpu_instance": 2}
    assert finding.severity is Severity.CRITICAL
    assert finding.gpu_uuid == "GPU-1"
    assert witness.due(106.0) == ()
    witness.seen(nvml(79, witness="dcgm"), 110.0)
    assert witness.due(131.0) == ()


def test_the_same_fault_half_a_minute_later_is_another_one() -> None:
    witness = Witness()
    witness.seen(nvml(79), 100.0)
    assert len(witness.due(105.0)) == 1
    witness.due(131.0)

    witness.seen(nvml(79), 140.0)

    assert len(witness.due(145.0)) == 1


def test_another_code_or_another_gpu_is_not_confirmed() -> None:
    witness = Witness()
    witness.kernel(line(48), 100.0)
    witness.kernel(FaultLine(kind="xid", code=79, pci="0000:18:00"), 100.0)

    witness.seen(nvml(79), 100.0)

    assert [each.rule for each in witness.due(105.0)] == ["xid/79"]
    assert witness.corroborated == 0


def test_falling_off_the_bus_without_an_xid_confirms_79() -> None:
    witness = Witness()
    witness.seen(nvml(79), 100.0)

    witness.kernel(FaultLine(kind="lost", pci="0000:3B:00.0"), 101.0)

    assert witness.due(106.0) == ()


def test_lines_that_are_no_faults_confirm_nothing() -> None:
    witness = Witness()
    witness.kernel(FaultLine(kind="none"), 100.0)
    witness.seen(nvml(79), 100.0)

    assert len(witness.due(105.0)) == 1


def test_xid_zero_is_no_fault() -> None:
    witness = Witness()

    witness.seen(nvml(0), 100.0)

    assert witness.due(math.inf) == ()


def test_an_xid_that_nvml_cannot_name_is_confirmed_by_any_of_that_gpu() -> None:
    before, after, alone = Witness(), Witness(), Witness()
    before.kernel(line(109), 99.0)

    before.seen(nvml(999), 100.0)
    after.seen(nvml(999), 100.0)
    after.kernel(line(154, recovery_to=2), 101.0)
    alone.seen(nvml(999), 100.0)

    assert before.due(105.0) == ()
    assert after.due(105.0) == ()
    (finding,) = alone.due(105.0)
    assert finding.severity is Severity.WARNING


def test_a_recovery_action_is_confirmed_by_the_same_action_alone() -> None:
    witness = Witness()
    witness.kernel(line(154, recovery_to=2), 99.0)

    witness.seen(nvml(154, recovery_to=2), 100.0)
    witness.seen(nvml(154, recovery_to=0), 100.0)

    (finding,) = witness.due(105.0)
    assert (finding.state, finding.values) == ("cleared", {"xid": 154, "recovery_to": 0})


def test_a_switch_is_another_thing_than_a_gpu() -> None:
    witness = Witness()
    witness.kernel(line(12028), 100.0)

    witness.seen(nvml(12028, sxid=True, witness="dcgm"), 100.0)
    witness.kernel(FaultLine(kind="sxid", code=12029, pci=DEVICE), 100.0)

    (finding,) = witness.due(105.0)
    assert (finding.rule, finding.kind) == ("sxid/12028", "nvswitch")


def test_what_waits_survives_a_restart_and_can_still_be_confirmed() -> None:
    before, told, confirmed = Witness(), Witness(), Witness()
    before.seen(nvml(79), 100.0)
    before.seen(nvml(31), 50.0)
    before.due(100.0)

    told.restore(before.snapshot(), 7.0)
    confirmed.restore(before.snapshot(), 7.0)
    confirmed.kernel(line(79), 8.0)

    assert [each.rule for each in told.due(12.0)] == ["xid/79"]
    assert confirmed.due(12.0) == ()


def test_a_storm_of_reports_and_lines_is_bounded() -> None:
    witness = Witness()

    for code in range(1, KEPT_MAX + 11):
        witness.kernel(line(100_000 + code), 100.0)
        witness.seen(nvml(code), 100.0)

    assert len(witness.due(105.0)) == KEPT_MAX
    witness.seen(nvml(100_001), 100.0)
    assert [each.values["xid"] for each in witness.due(105.0)] == [100_001]


@pytest.mark.parametrize("step", [-50.0, 0.0])
def test_a_clock_that_goes_back_loses_nothing(step: float) -> None:
    witness = Witness()
    witness.seen(nvml(79), 100.0)

    told = [*witness.due(100.0 + step), *witness.due(106.0 + step), *witness.due(200.0)]

    assert [each.rule for each in told] == ["xid/79"]
