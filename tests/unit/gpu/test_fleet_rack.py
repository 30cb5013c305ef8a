import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.events.severity import Severity
from reflexarc.gpu.config import GpuPolicy, RuleOverride
from reflexarc.gpu.fleet_rack import SILENT_MS, Heat, decide, heat_of, signal_of
from tests.support.readings import NOW, at, state

MINUTE = 60_000


def heat(node: str, gpus: int, since: int = 0, *, critical: bool = False, at: int = 0) -> Heat:
    base = 10**12
    return Heat(
        node=node,
        gpus=gpus,
        critical=critical,
        since_ms=base + since,
        queued_ms=base + max(since, at),
    )


@pytest.mark.parametrize(
    ("rows", "decision"),
    [
        ((), "clear"),
        ((heat("a", 0), heat("b", 0)), "clear"),
        ((heat("a", 8),), ""),
        ((heat("a", 1), heat("b", 1)), ""),
        ((heat("a", 2), heat("b", 1)), "fire"),
        ((heat("a", 2), heat("b", 2, since=3 * MINUTE)), "fire"),
        ((heat("a", 2), heat("b", 2, since=3 * MINUTE + 1)), ""),
        ((heat("x", 9), heat("a", 2, 4 * MINUTE), heat("b", 2, 5 * MINUTE)), "fire"),
        ((heat("a", 2), heat("b", 2), heat("c", 0, at=SILENT_MS)), "clear"),
    ],
)
def test_a_rack_is_hot_when_enough_gpus_of_two_nodes_grew_hot_together(
    rows: tuple[Heat, ...], decision: str
) -> None:
    assert decide(rows) == decision


def test_heat_is_of_gpus_on_which_a_thermal_rule_holds() -> None:
    hot = state(hot={0: "thermal/near-limit", 3: "thermal/limit", 5: "power/brake"})

    found = heat_of(hot, "")

    assert (found.gpus, found.critical) == (2, True)
    assert found.since_ms == found.queued_ms


def test_heat_lasts_from_when_it_began_and_ends_with_the_node() -> None:
    first = heat_of(state(hot={0: "thermal/rising"}), "")
    later = heat_of(state(hot={0: "thermal/rising"}, queued_at=at(60)), first.told)
    gone = heat_of(state(hot={0: "thermal/rising"}, farewell=True), later.told)

    assert later.since_ms == first.since_ms
    assert later.queued_ms > first.queued_ms
    assert gone.told == ""


def test_a_hot_node_is_told_again_after_ten_minutes_or_a_change() -> None:
    told = {
        heat_of(state(hot={0: rule}, queued_at=at(seconds)), "1|1|0|1").told
        for rule, seconds in (
            ("thermal/rising", 0), ("thermal/rising", 60), ("thermal/limit", 0),
            ("thermal/rising", 660),
        )
    }  # fmt: skip

    assert len(told) == 3


def test_the_signal_says_which_nodes_and_is_as_grave_as_the_gravest() -> None:
    rows = (heat("b", 1, 1_000), heat("a", 4, critical=True), heat("c", 0))

    fire = signal_of("r12", rows, "fire", GpuPolicy(), NOW)

    assert (fire.entity.kind, fire.entity.device, fire.entity.aspect) == ("rack", "r12", "thermal")
    assert (fire.cause, fire.severity, fire.owner) == ("rack/cooling", Severity.CRITICAL, "oncall")
    assert fire.marks == ("5 GPUs of 2 nodes, within 1 s",)
    assert fire.evidence[0].startswith("a: 4 hot since ")
    assert fire.labels["rack"] == "r12"


def test_the_fleet_may_judge_a_rack_differently() -> None:
    policy = GpuPolicy(rules=(RuleOverride(rule="rack/cooling", severity=Severity.INFO),))
    rows = (heat("a", 4, critical=True), heat("b", 4))

    assert signal_of("r", rows, "fire", policy, NOW).severity is Severity.INFO
    assert signal_of("r", rows, "fire", GpuPolicy(), NOW).severity is Severity.CRITICAL
    assert signal_of("r", rows[1:], "fire", GpuPolicy(), NOW).severity is Severity.WARNING


def test_the_end_of_it_is_of_the_same_thing_and_later() -> None:
    rows = (heat("a", 4), heat("b", 4))
    over = (heat("a", 0, at=9), heat("b", 0, at=8))

    fire = signal_of("r", rows, "fire", GpuPolicy(), NOW)
    clear = signal_of("r", over, "clear", GpuPolicy(), NOW)

    assert clear.entity.fingerprint == fire.entity.fingerprint
    assert clear.kind == "clear"
    assert clear.order is not None
    assert fire.order is not None
    assert clear.order.seq > fire.order.seq


rows = st.lists(
    st.builds(
        heat,
        st.sampled_from("abcdef"),
        st.integers(0, 8),
        st.integers(0, 600_000),
        critical=st.booleans(),
    ),
    min_size=1,
    unique_by=lambda row: row.node,
)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_in_which_nodes_are_heard_decides_nothing(
    heats: list[Heat], order: random.Random
) -> None:
    shuffled = list(heats)
    order.shuffle(shuffled)

    assert decide(shuffled) == decide(heats)
    assert signal_of("r", shuffled, "clear", GpuPolicy(), NOW) == signal_of(
        "r", heats, "clear", GpuPolicy(), NOW
    )
