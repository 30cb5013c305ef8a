"""Xids and recovery actions as NVML reports them, over the stub in samples/nvml-stub."""

from datetime import UTC, datetime

import pytest

from reflexarc.adapters.nvml.events import NvmlEvents
from reflexarc.adapters.nvml.library import Nvml
from reflexarc.emulator.nvml_stub import NvmlScenario
from reflexarc.gpu.watch.model import XidSeen
from reflexarc.kernel.errors import Rejected
from tests.support.nvml import UUID, cards

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def collect(events: NvmlEvents, scenario: NvmlScenario, seconds: float = 0.3) -> list[XidSeen]:
    """Read for a while, at least once."""
    end = scenario.now() + seconds
    seen = list(events.read().xids)
    while scenario.now() < end:
        seen += events.read().xids
    return seen


def play(scenario: NvmlScenario, *events: str) -> None:
    """Let events happen a tenth of a second from now, in this order."""
    at = scenario.now() + 0.1
    scenario.add(
        *(f"event {at + number / 1000:.4f} {event}" for number, event in enumerate(events))
    )


def test_an_xid_names_its_gpu_and_no_instance(scenario: NvmlScenario, nvml: Nvml) -> None:
    cards(scenario, 2)
    events = NvmlEvents(nvml, clock=lambda: AT, wait_s=0.15)
    events.read()
    play(scenario, "1 8 79")

    seen = collect(events, scenario)
    events.close()

    assert seen == [XidSeen(witness="nvml", device="0000:2a:00", uuid=UUID[1], code=79, at=AT)]


def test_an_xid_of_a_mig_instance_names_it(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario)
    events.read()
    play(scenario, "0 8 94 2 1")

    (seen,) = collect(events, scenario)

    assert (seen.code, seen.gpu_instance, seen.compute_instance) == (94, 2, 1)


def test_xid_0_is_no_fault(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario)
    events.read()
    play(scenario, "0 8 0", "0 8 13")

    assert [xid.code for xid in collect(events, scenario)] == [13]


@pytest.mark.parametrize(
    ("action", "recovery_to"),
    [("1", 1), ("2", 2), ("0", 0), ("na", None), ("!NOT_SUPPORTED", None)],
)
def test_a_changed_recovery_action_is_xid_154_with_the_action(
    scenario: NvmlScenario, events: NvmlEvents, action: str, recovery_to: int | None
) -> None:
    cards(scenario, 1, {"recovery": f"0:{action}"})
    events.read()
    play(scenario, "0 8000 0")

    (seen,) = collect(events, scenario)

    assert (seen.code, seen.recovery_to) == (154, recovery_to)


def test_xid_154_reads_its_action(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario, 1, {"recovery": "0:4"})
    events.read()
    play(scenario, "0 8 154")

    (seen,) = collect(events, scenario)

    assert (seen.code, seen.recovery_to) == (154, 4)


@pytest.mark.parametrize(("action", "recovery_to"), [("2", 2), ("0", None)])
def test_an_unavailable_gpu_is_xid_154_and_never_a_resolved_one(
    scenario: NvmlScenario, events: NvmlEvents, action: str, recovery_to: int | None
) -> None:
    cards(scenario, 1, {"recovery": f"0:{action}"})
    events.read()
    play(scenario, "0 4000 0")

    (seen,) = collect(events, scenario)

    assert (seen.code, seen.recovery_to) == (154, recovery_to)


def test_an_unavailable_gpu_that_is_lost_is_off_the_bus(
    scenario: NvmlScenario, events: NvmlEvents
) -> None:
    cards(scenario, 2)
    events.read()
    at = scenario.now() + 0.1
    scenario.add(f"event {at:.3f} 0 4000 0", f"lost 0 {at:.3f} -")

    assert [(xid.device, xid.code) for xid in collect(events, scenario)] == [("0000:18:00", 79)]


def test_a_lost_gpu_does_not_silence_the_others(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario, 2)
    events.read()
    at = scenario.now() + 0.1
    scenario.add(f"event {at:.3f} 0 8 79", f"lost 0 {at:.3f} -", f"event {at + 0.8:.3f} 1 8 45")

    seen = collect(events, scenario, 1.3)

    assert [(xid.device, xid.code) for xid in seen] == [("0000:18:00", 79), ("0000:2a:00", 45)]


def test_a_burst_is_taken_in_one_read(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario)
    events.read()
    at = scenario.now() + 0.1
    scenario.add(*(f"event {at:.3f} 0 8 {code}" for code in range(13, 63)))

    assert [xid.code for xid in events.read().xids] == list(range(13, 63))


def test_only_what_a_gpu_supports_is_registered(scenario: NvmlScenario, events: NvmlEvents) -> None:
    """As on older drivers: no GpuUnavailable and no GpuRecoveryAction."""
    cards(scenario, 1, {"events": "0:0xF"})
    events.read()
    play(scenario, "0 8000 0", "0 8 31")

    assert [xid.code for xid in collect(events, scenario)] == [31]
    assert events.remarks() == ()


def test_a_gpu_without_events_is_a_remark(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario, 2)
    scenario.add("hold 0 events 0:0")

    events.read()

    assert events.remarks() == ("no events from 0000:18:00",)


def test_no_gpu_with_events_is_no_sensor(scenario: NvmlScenario, events: NvmlEvents) -> None:
    cards(scenario, 1, {"events": "0:0"})

    with pytest.raises(Rejected, match="the kernel log still does"):
        events.read()


def test_a_quiet_read_ends_in_time_and_finds_nothing(
    scenario: NvmlScenario, events: NvmlEvents
) -> None:
    cards(scenario)
    before = scenario.now()

    seen = events.read()

    assert seen.xids == ()
    assert 0.15 <= scenario.now() - before < 2
