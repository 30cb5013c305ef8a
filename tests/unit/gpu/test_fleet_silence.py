from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.gpu.fleet_silence import (
    RACK_MAX,
    SILENT_AFTER,
    TICK,
    WITNESS,
    Ended,
    Pulse,
    Quiet,
    endings,
    instance_of,
    is_deaf,
    quiet_of,
    silences,
    silent_of,
    verdict_on,
)
from reflexarc.kernel.clock import epoch_ms
from tests.support.readings import NOW

NOBODY: frozenset[str] = frozenset()


def pulse(node: str = "node-1", age: float = 155, *, told: str | None = None, **more: Any) -> Pulse:
    """Return a node that was heard so many seconds before NOW; `told` of this very silence."""
    heard = epoch_ms(NOW - timedelta(seconds=age))
    facts: dict[str, Any] = {"rack": "r1", "sender": f"role:i-{node}", **more}
    if told is not None:
        rack = facts["rack"] if told in {"rack", "peer"} else ""
        facts["quiet"] = Quiet(heard_ms=heard, told=told, rack=rack)  # type: ignore[arg-type]  # of the test's own parameters
    return Pulse(node=node, heard_ms=heard, **facts)


def spoke(node: str = "node-1", told: str = "node") -> Pulse:
    """Return a node that was told of and is heard again."""
    before = pulse(node, 400, told=told)
    return pulse(node, 10, quiet=before.quiet)


def told_of(look: Pulse, *peers: Pulse, leavers: frozenset[str] = NOBODY) -> str | None:
    verdict = verdict_on(look, peers, leavers, NOW)
    return None if verdict is None else verdict.told


@pytest.mark.parametrize("age", [0, 60, 80, 89.9])
def test_a_node_that_speaks_every_minute_is_never_looked_at(age: float) -> None:
    assert silences([pulse(age=age)], NOW) == ()


@pytest.mark.parametrize(("age", "delay"), [(90, 65), (120, 35), (149.5, 6), (155, 0), (86_400, 0)])
def test_a_late_node_is_looked_at_when_its_silence_is_sure(age: float, delay: int) -> None:
    ((found),) = silences([pulse(age=age)], NOW)

    assert (found.unheard.node, found.delay_s) == ("node-1", delay)
    assert epoch_ms(found.unheard.heard_at) == pulse(age=age).heard_ms


@given(st.floats(0, 60), st.floats(0, 15))
def test_whenever_the_ticks_fall_the_look_comes_within_three_minutes_of_the_last_word(
    first: float, late: float
) -> None:
    """A tick may come a quarter of a minute late."""
    ages = [first + number * (TICK.total_seconds()) + late * (number > 0) for number in range(5)]

    looked = [age + found.delay_s for age in ages for found in silences([pulse(age=age)], NOW)]

    assert SILENT_AFTER.total_seconds() <= min(looked) < 170


@pytest.mark.parametrize("told", ["node", "rack", "peer", ""])
def test_what_was_told_is_not_looked_at_again_until_it_spoke(told: str) -> None:
    assert silences([pulse(told=told)], NOW) == ()

    later = pulse(age=100, quiet=pulse(age=400, told=told).quiet)
    assert len(silences([later], NOW)) == 1


def test_a_node_that_said_farewell_is_not_looked_at() -> None:
    assert silences([pulse(age=9_999, gone=True)], NOW) == ()


def test_a_look_names_the_rest_of_the_rack_but_those_that_left() -> None:
    fleet = [pulse("a"), pulse("b", 5), pulse("c", gone=True), pulse("d", rack="r2")]

    found = {each.unheard.node: each.unheard.peers for each in silences(fleet, NOW)}

    assert found == {"a": ("b",), "d": ()}


def test_a_look_names_nodes_elsewhere_that_were_heard_last() -> None:
    fleet = [pulse("a", 100), pulse("b", 1), pulse("gone", 2, rack="r2", gone=True)]
    fleet += [pulse(f"n{age}", age, rack="r2") for age in (30, 10, 40, 20)]
    alone = [pulse("a", 100, rack=""), pulse("b", 5, rack="")]

    assert silences(fleet, NOW)[0].unheard.witnesses == ("n10", "n20", "n30")
    assert silences(alone, NOW)[0].unheard.witnesses == ("b",)


@pytest.mark.parametrize(
    ("ages", "deaf"), [((), False), ((95,), True), ((95, 300), True), ((95, 89), False)]
)
def test_we_may_be_deaf_when_nobody_elsewhere_is_heard(ages: tuple[int, ...], deaf: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_deaf([pulse(f"n{age}", age) for age in ages], NOW) is deaf


def test_nodes_without_a_rack_have_no_peers_and_neither_has_a_label_that_hundreds_share() -> None:
    alone = [pulse("a", rack=""), pulse("b", rack="")]
    many = [pulse(f"n{number}", 5) for number in range(RACK_MAX)] + [pulse("a")]

    assert [each.unheard.peers for each in silences(alone, NOW)] == [(), ()]
    assert [each.unheard.peers for each in silences(many, NOW)] == [()]
    assert len(silences(many[1:], NOW)[0].unheard.peers) == RACK_MAX - 1


def test_a_silent_node_is_told_of_and_one_that_is_merely_late_is_not() -> None:
    assert told_of(pulse(age=155)) == "node"
    assert told_of(pulse(age=149)) is None


def test_silence_that_is_planned_is_remembered_and_not_told() -> None:
    assert told_of(pulse(gone=True)) == ""
    assert told_of(pulse(), leavers=frozenset({"i-node-1"})) == ""


@pytest.mark.parametrize("told", ["node", "rack", "peer", ""])
def test_a_look_that_is_repeated_tells_the_same(told: str) -> None:
    assert told_of(pulse(told=told), pulse("b", 5)) == told


def test_all_nodes_of_a_rack_late_is_the_rack() -> None:
    assert told_of(pulse(), pulse("b", 95), pulse("c", 120)) == "rack"


@pytest.mark.parametrize(
    "peers",
    [
        [pulse("b", 89)],
        [pulse("b", 95), pulse("c", 3)],
        [],
        [pulse("b", gone=True)],
        [pulse("b", 9_999, told="node")],
        [pulse("b", 200, told="")],
        [pulse("b", rack="r2")],
    ],
)
def test_one_node_of_a_rack_that_lives_or_has_no_other_is_the_node(peers: list[Pulse]) -> None:
    assert told_of(pulse(), *peers) == "node"


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (pulse("node-3", 86_400, told="peer"), "node"),
        (pulse("node-3", 86_400, told="rack"), "node"),
        (pulse("node-3", 86_400, told="node"), "rack"),
        (pulse("node-3", 200, told="peer"), "rack"),
        (pulse("node-3", 86_400, gone=True), "rack"),
    ],
)
def test_a_rack_of_which_one_node_never_came_back_dies_anew_node_by_node(
    left: Pulse, told: str
) -> None:
    assert told_of(pulse(), pulse("node-2", 140), left) == told


def test_an_instance_that_ends_says_nothing_about_its_rack() -> None:
    assert told_of(pulse(), pulse("b", 120), leavers=frozenset({"i-b"})) == "node"


def test_stragglers_of_a_rack_that_was_told_join_it() -> None:
    assert told_of(pulse(), pulse("b", 200, told="peer"), pulse("c", 190, told="node")) == "rack"


def test_the_nodes_of_a_silent_rack_are_those_that_are_silent() -> None:
    peers = [pulse("c", 120), pulse("b", 200, told="rack"), pulse("d", 3), pulse("e", gone=True)]

    found = silent_of(pulse("a"), peers, NOBODY, NOW)

    assert [each.node for each in found] == ["b", "a", "c"]


def test_a_silence_ends_when_the_node_is_heard_again() -> None:
    assert endings([pulse(told="node"), pulse("b", 3)], NOBODY) == ()

    (ended,) = endings([spoke()], NOBODY)

    assert (ended.node, ended.rack, ended.leavers) == ("node-1", "", frozenset())
    assert ended.seq == spoke().heard_ms


def test_a_silence_ends_when_the_instance_turns_out_to_be_ended_by_its_group() -> None:
    (ended,) = endings([pulse(told="node")], frozenset({"i-node-1"}))

    assert ended.leavers == {"node-1"}
    assert ended.seq == pulse().heard_ms + 1


def test_a_silence_that_was_told_to_nobody_ends_for_nobody() -> None:
    assert endings([spoke(told="")], NOBODY) == ()


def test_a_racks_silence_ends_when_all_its_nodes_speak_or_left() -> None:
    back, left, still = spoke("a", "rack"), pulse("b", told="peer"), pulse("c", told="peer")

    assert endings([back, left, still], frozenset({"i-b"})) == ()

    (ended,) = endings([back, left, spoke("c", "peer")], frozenset({"i-b"}))
    assert (ended.node, ended.rack, ended.leavers) == ("", "r1", frozenset({"b"}))
    assert [each.node for each in ended.pulses] == ["a", "b", "c"]
    assert ended.seq == back.heard_ms


@given(
    st.lists(st.tuples(st.floats(0, 500), st.booleans()), min_size=2, max_size=6),
)
def test_the_end_comes_after_the_silence_and_not_after_the_next_one(
    ends: list[tuple[float, bool]],
) -> None:
    marked = [pulse(f"n{place}", 600, told="rack") for place in range(len(ends))]
    pulses = tuple(
        each if left else pulse(each.node, age, quiet=each.quiet)
        for each, (age, left) in zip(marked, ends, strict=True)
    )

    ended = Ended(node="", rack="r1", pulses=pulses, leavers=NOBODY)

    assert ended.seq > max(each.heard_ms for each in marked)
    speaking = [each.heard_ms for each in pulses if each.told is None]
    if speaking:
        assert ended.seq <= max(speaking)


def test_what_a_row_says_of_a_silence_is_read_as_it_was_written() -> None:
    for quiet in (
        Quiet(heard_ms=5, told="node"),
        Quiet(heard_ms=6, told="rack", rack="r|1"),
        Quiet(heard_ms=7, told=""),
    ):
        assert quiet_of(quiet.text) == quiet


@pytest.mark.parametrize("text", ["", "x|node|", "5|nobody|", "|node|"])
def test_what_makes_no_sense_in_a_row_is_nothing(text: str) -> None:
    assert quiet_of(text) is None


def test_a_sender_of_no_session_is_no_instance() -> None:
    assert instance_of("AROAEXAMPLE:i-0a1b2c3d") == "i-0a1b2c3d"
    assert instance_of("AIDAEXAMPLE") == ""


def test_nobody_is_called_when_telemetry_stops_telling_of_a_node() -> None:
    seen = pulse("node-9", sender=WITNESS)

    (found,) = silences([seen, pulse()], NOW)

    assert found.unheard.node == "node-1"
    assert found.unheard.peers == ()
