from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.collapse import Collapser
from reflexarc.agent.lines import Line
from reflexarc.events.gpu_faults import LINE_MAX, Fault
from tests.agent.fakes import NOW


def line(seconds: float = 0, text: str = "fault", seq: int | None = None) -> Line:
    return Line(text=text, at=NOW + timedelta(seconds=seconds), kernel_seq=seq)


def test_first_occurrence_leaves_at_once() -> None:
    assert Collapser().observe("a", line(seq=7), 0) == [
        Fault(line="fault", observed_at=NOW, kernel_seq=7)
    ]


def test_repeats_leave_as_one_count_when_the_window_ends() -> None:
    collapser = Collapser()
    collapser.observe("a", line(), 0)
    for second in (1, 2, 3):
        assert collapser.observe("a", line(second, seq=second), second) == []

    assert collapser.due(4.9) == []
    assert collapser.due(5) == [
        Fault(
            line="fault",
            observed_at=NOW + timedelta(seconds=1),
            last_at=NOW + timedelta(seconds=3),
            count=3,
            kernel_seq=1,
        )
    ]


def test_single_repeat_has_no_last_time() -> None:
    collapser = Collapser()
    collapser.observe("a", line(), 0)
    collapser.observe("a", line(1), 1)

    [fault] = collapser.due(5)

    assert (fault.count, fault.last_at) == (1, None)


def test_windows_double_up_to_a_minute() -> None:
    collapser = Collapser()
    collapser.observe("a", line(), 0)
    left_at = []
    for second in range(1, 400):
        collapser.observe("a", line(second), second)
        if collapser.due(second):
            left_at.append(second)

    assert left_at == [5, 15, 35, 75, 135, 195, 255, 315, 375]


def test_quiet_window_closes_the_key() -> None:
    collapser = Collapser()
    collapser.observe("a", line(), 0)
    assert collapser.due(5) == []

    assert len(collapser.observe("a", line(6), 6)) == 1


def test_keys_do_not_mix() -> None:
    collapser = Collapser()

    assert len(collapser.observe("a", line(), 0)) == 1
    assert len(collapser.observe("b", line(), 0)) == 1


def test_more_keys_than_it_holds_push_the_oldest_out_with_its_count() -> None:
    collapser = Collapser(capacity=2)
    collapser.observe("a", line(), 0)
    collapser.observe("a", line(), 0)
    collapser.observe("b", line(), 0)

    pushed, new = collapser.observe("c", line(text="third"), 0)

    assert (pushed.line, pushed.count) == ("fault", 1)
    assert new.line == "third"


def test_line_is_cut_where_a_fault_ends() -> None:
    collapser = Collapser()
    [first] = collapser.observe("a", line(text="x" * 10_000), 0)
    collapser.observe("a", line(text="x" * 10_000), 0)
    [repeat] = collapser.drain()

    assert len(first.line) == len(repeat.line) == LINE_MAX


def test_another_process_goes_on_counting() -> None:
    before = Collapser()
    before.observe("a", line(), 0)
    before.observe("a", line(1, seq=4), 1)
    before.observe("b", line(), 1)
    after = Collapser()

    after.restore(before.snapshot(), 1000)
    after.observe("a", line(2), 1001)

    assert after.due(1005) == [
        Fault(
            line="fault",
            observed_at=NOW + timedelta(seconds=1),
            last_at=NOW + timedelta(seconds=2),
            count=2,
            kernel_seq=4,
        )
    ]


@pytest.mark.parametrize("capacity", [1, 3, 4096])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from("abcde"), st.floats(0, 40), st.sampled_from(["tick", "restart", ""])
        )
    )
)
def test_counts_that_leave_add_up_to_the_lines_that_came(
    capacity: int, steps: list[tuple[str, float, str]]
) -> None:
    collapser = Collapser(capacity=capacity)
    now = 0.0
    left: list[Fault] = []
    for key, pause, then in steps:
        now += pause
        left += collapser.observe(key, line(now, text=key), now)
        if then == "tick":
            left += collapser.due(now)
        elif then == "restart":
            snapshot = collapser.snapshot()
            collapser = Collapser(capacity=capacity)
            collapser.restore(snapshot, now)

    left += collapser.drain()

    came = [key for key, _, _ in steps]
    counted = {
        key: sum(fault.count for fault in left if fault.line == key) for key in sorted(set(came))
    }
    assert counted == {key: came.count(key) for key in sorted(set(came))}
    assert all(fault.last_at is None or fault.observed_at <= fault.last_at for fault in left)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_messages_grow_with_the_time_that_passes_and_not_with_the_repeats(
    pauses: list[float],
) -> None:
    collapser = Collapser()
    now = 0.0
    left = 0
    for pause in pauses:
        now += pause
        left += len(collapser.observe("a", line(now), now)) + len(collapser.due(now))

    assert left <= 1 + min(now / 5, 4 + now / 60)
