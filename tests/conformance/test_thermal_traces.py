"""Every trace in samples/thermal-traces gives its wanted transitions in time, and no other."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflexarc.events.gpu_faults import Finding
from reflexarc.gpu.watch.model import GpuSample, NodeSample
from reflexarc.gpu.watch.rules import Watch

TRACES = sorted(Path("samples/thermal-traces").glob("*.yaml"))
START = datetime(2026, 11, 24, tzinfo=UTC)
STEPS = {"reasons", "index", "remap_pending", "remap_failure"}
COUNTS = {"pcie_replays", "ecc_corrected_volatile"}
LAYOUT = {"times", "unread", "noise"}


def test_there_are_enough_traces() -> None:
    assert len(TRACES) >= 24


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_a_trace_gives_its_transitions_in_time_and_no_other(path: Path) -> None:
    trace = yaml.safe_load(path.read_text())

    found = [_shown(second, each) for second, each in replay(trace)]

    wanted = trace["want"]
    assert [each[:3] for each in found] == [
        (want["rule"], want["state"], want["device"]) for want in wanted
    ]
    late = [
        (each, want["within"])
        for each, want in zip(found, wanted, strict=True)
        if not want["within"][0] <= each[3] <= want["within"][1]
    ]
    assert late == []


def replay(trace: dict[str, Any]) -> list[tuple[int, Finding]]:
    """Return what the rules find, and in which second."""
    watch = Watch()
    chance = random.Random(7)
    gpus = [gpu for each in trace["gpus"] for gpu in [each] * each.get("times", 1)]
    found = []
    for second in range(trace["seconds"]):
        drawn = (_sample(gpu, place, second, chance) for place, gpu in enumerate(gpus))
        samples = tuple(each for each in drawn if each is not None)
        sample = NodeSample(
            at=START + timedelta(seconds=second),
            seconds=1_000.0 + second,
            gpus=samples,
            driver="answers" if samples else "failing",
        )
        found += [(second, finding) for finding in watch.step(sample)]
    return found


def _sample(
    gpu: dict[str, Any], place: int, second: int, chance: random.Random
) -> GpuSample | None:
    jitter = chance.uniform(-1, 1) * gpu.get("noise", 0)
    if any(start <= second < end for start, end in gpu.get("unread", ())):
        return None
    values: dict[str, Any] = {
        name: _value(name, points, second) for name, points in gpu.items() if name not in LAYOUT
    }
    if "margin_c" in values:
        values["margin_c"] += jitter
    return GpuSample(device=f"0000:{place:02x}:00", uuid=f"GPU-{place}", **values)


def _value(name: str, points: list[list[float]], second: int) -> float | int | bool:
    before = [point for point in points if point[0] <= second][-1]
    after = [point for point in points if point[0] > second]
    value = before[1]
    if after and name not in STEPS:
        share = (second - before[0]) / (after[0][0] - before[0])
        value += share * (after[0][1] - before[1])
    if name.startswith("remap_"):
        return bool(value)
    return int(value) if name in STEPS | COUNTS else value


def _shown(second: int, finding: Finding) -> tuple[str, str, int | str, int]:
    device = int(finding.device.split(":")[1], 16) if finding.kind == "gpu" else finding.kind
    return finding.rule, finding.state, device, second
