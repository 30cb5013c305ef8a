"""Whatever the sensors say: no crash, nothing told twice, nothing cleared that was not told."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.events.gpu_faults import Finding
from reflexarc.gpu.watch.model import GpuSample, NodeSample, PortSample
from reflexarc.gpu.watch.rules import Watch
from reflexarc.gpu.watch.thresholds import Thresholds

START = datetime(2026, 11, 24, tzinfo=UTC)
# Short holds let few looks reach every state.
QUICK = Thresholds(
    hw_thermal_s=2, near_s=3, clear_s=3, memory_near_s=2, memory_limit_s=1, flap_window_s=30,
    together_s=1, power_s=2, power_clear_s=2, lost_s=2, hung_s=2, absent_s=3, port_down_s=2,
    port_clear_s=2, ecc_clear_s=3,
)  # fmt: skip
DEVICES = [f"0000:{n:02x}:00" for n in range(4)]

margins = st.sampled_from([None, -2.0, 0.0, 3.0, 6.0, 12.0, 40.0])
gpus = st.builds(
    GpuSample,
    device=st.sampled_from(DEVICES),
    lost=st.sampled_from([False, False, False, True]),
    margin_c=margins,
    memory_margin_c=margins,
    reasons=st.sampled_from([None, 0, 0x1, 0x4, 0x8, 0x40, 0x80, 0x48]),
    ecc_uncorrected_volatile=st.none() | st.integers(0, 5),
    ecc_corrected_volatile=st.none() | st.integers(0, 5_000),
    remapped_uncorrectable=st.none() | st.integers(0, 20),
    remap_pending=st.none() | st.booleans(),
    remap_failure=st.none() | st.booleans(),
    pcie_replays=st.none() | st.integers(0, 5_000),
    pcie_width=st.sampled_from([None, 0, 8, 16]),
    pcie_width_max=st.sampled_from([None, 16]),
)
ports = st.builds(
    PortSample, name=st.just("mlx5_0/1"), state=st.sampled_from(["ACTIVE", "DOWN", ""])
)
drivers = st.sampled_from(["answers", "hung", "absent", "failing", "off"])
steps = st.sampled_from([1.0, 1.0, 1.0, 1.0, 2.0, 10.0, -5.0])
looks = st.lists(
    st.tuples(steps, st.lists(gpus, max_size=4), st.lists(ports, max_size=1), drivers),
    max_size=60,
)


def samples(drawn: list[tuple[float, list[GpuSample], list[PortSample], str]]) -> list[NodeSample]:
    seconds, made = 1_000.0, []
    for step, gpu, port, driver in drawn:
        seconds += step
        made.append(
            NodeSample(
                at=START + timedelta(seconds=seconds),
                seconds=seconds,
                gpus=tuple({each.device: each for each in gpu}.values()),
                ports=tuple(port),
                driver=driver,  # type: ignore[arg-type]
            )
        )
    return made


def open_after(findings: list[Finding]) -> set[tuple[str, str, str]]:
    still: set[tuple[str, str, str]] = set()
    for each in findings:
        place = (each.kind, each.device, each.aspect)
        if each.state == "raised":
            still.add(place)
        else:
            assert place in still, "cleared what was not open"
            still.remove(place)
    return still


@settings(max_examples=150)
@given(looks)
def test_findings_are_cleared_only_where_they_were_raised(drawn: list[object]) -> None:
    watch = Watch(QUICK)

    found = [each for sample in samples(drawn) for each in watch.step(sample)]  # type: ignore[arg-type]

    open_after(found)


@settings(max_examples=60)
@given(looks)
def test_the_same_samples_give_the_same_findings(drawn: list[object]) -> None:
    once, again = Watch(QUICK), Watch(QUICK)

    for sample in samples(drawn):  # type: ignore[arg-type]
        assert once.step(sample) == again.step(sample)


@settings(max_examples=150)
@given(looks, st.integers(0, 60))
def test_a_restart_at_any_point_clears_only_what_is_open(drawn: list[object], cut: int) -> None:
    first, second = Watch(QUICK), Watch(QUICK)
    made = samples(drawn)  # type: ignore[arg-type]
    found = [each for sample in made[:cut] for each in first.step(sample)]

    second.restore(json.loads(json.dumps(first.snapshot())))
    found += [each for sample in made[cut:] for each in second.step(sample)]

    open_after(found)
    assert json.loads(json.dumps(second.snapshot()))


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=150, max_size=150))
def test_looks_that_fail_make_no_finding_of_their_own(read: list[bool]) -> None:
    watch = Watch()
    gpu = GpuSample(device=DEVICES[0], margin_c=20.0, reasons=0x4, pcie_replays=5)
    other = GpuSample(device=DEVICES[1], margin_c=20.0, reasons=0x4)

    found = [
        each
        for second, here in enumerate(read)
        for each in watch.step(
            NodeSample(
                at=START,
                seconds=float(second),
                gpus=(gpu, other) if here else (),
                driver="answers" if here else "off",
            )
        )
    ]

    assert found == []
