"""Two sinks: the first while it takes messages, else the second; none lost, none reordered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.agent.failover import PROBE_S, Failover
from reflexarc.agent.log import AgentLog
from reflexarc.kernel.errors import RateLimited, ReflexError, Rejected, Unavailable

ONE, TWO = [("1", "a")], [("2", "b"), ("3", "c")]


@dataclass
class Sink:
    """Fills Queue, ill as planned."""

    ill: Unavailable | None = None
    problems: dict[str, ReflexError] = field(default_factory=dict)
    asked: list[Sequence[tuple[str, str]]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        self.asked.append(entries)
        if self.ill is not None:
            raise self.ill
        self.taken += [name for name, _ in entries if name not in self.problems]
        return {name: self.problems[name] for name, _ in entries if name in self.problems}


@dataclass
class Both:
    """Two sinks and a clock."""

    first: Sink = field(default_factory=Sink)
    second: Sink = field(default_factory=Sink)
    now: float = 1_000.0
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = Failover(
            first=self.first,
            second=self.second,
            log=AgentLog(write=self.written.append),
            monotonic=lambda: self.now,
        )


def test_a_healthy_first_sink_gets_everything() -> None:
    both = Both()

    both.queue.send(ONE)
    both.queue.send(TWO)

    assert both.first.taken == ["1", "2", "3"]
    assert both.second.asked == []


def test_the_second_takes_the_same_messages_at_once() -> None:
    both = Both(first=Sink(ill=Unavailable("no route")))

    assert both.queue.send(TWO) == {}

    assert both.second.asked == [TWO]
    assert "no route" in both.written[0]


def test_an_ill_first_sink_is_left_alone_for_a_minute() -> None:
    both = Both(first=Sink(ill=Unavailable("down")))
    both.queue.send(ONE)

    both.now += PROBE_S - 0.1
    both.queue.send(TWO)

    assert len(both.first.asked) == 1
    assert both.second.taken == ["1", "2", "3"]


def test_the_first_is_tried_again_each_minute_and_kept_once_it_takes_messages() -> None:
    both = Both(first=Sink(ill=Unavailable("down")))
    both.queue.send(ONE)
    both.now += PROBE_S
    both.queue.send(ONE)
    assert len(both.first.asked) == 2
    both.first.ill = None
    both.now += PROBE_S

    both.queue.send(TWO)
    both.queue.send(ONE)

    assert both.first.taken == ["2", "3", "1"]
    assert both.second.taken == ["1", "1"]
    assert [line for line in both.written if "takes messages again" in line] == both.written[1:]
    assert len(both.written) == 2


def test_one_message_that_a_healthy_sink_does_not_take_moves_nothing() -> None:
    both = Both(first=Sink(problems={"2": Rejected("never"), "3": Unavailable("later")}))

    problems = both.queue.send(TWO)

    assert problems.keys() == {"2", "3"}
    assert both.second.asked == []


def test_a_first_sink_that_limits_the_rate_is_spared_too() -> None:
    both = Both(first=Sink(ill=RateLimited("busy", timedelta(seconds=30))))

    both.queue.send(ONE)

    assert both.second.taken == ["1"]


def test_when_neither_takes_messages_both_reasons_are_told_and_both_are_tried_again() -> None:
    both = Both(Sink(ill=Unavailable("one is down")), Sink(ill=Unavailable("two is down")))

    for _ in range(2):
        with pytest.raises(Unavailable, match="one is down; the second sink: two is down"):
            both.queue.send(ONE)

    assert len(both.first.asked) == len(both.second.asked) == 2


def test_a_second_sink_that_falls_ill_sends_the_agent_back_to_the_first() -> None:
    both = Both(first=Sink(ill=Unavailable("one is down")))
    both.queue.send(ONE)
    both.first.ill, both.second.ill = None, Unavailable("two is down")

    with pytest.raises(Unavailable, match=r"^two is down$"):
        both.queue.send(TWO)
    both.queue.send(TWO)

    assert both.first.taken == ["2", "3"]


def test_two_rate_limits_wait_for_the_shorter() -> None:
    both = Both(
        Sink(ill=RateLimited("busy", timedelta(seconds=30))),
        Sink(ill=RateLimited("busy", timedelta(seconds=3))),
    )

    with pytest.raises(RateLimited) as limited:
        both.queue.send(ONE)

    assert limited.value.retry_after == timedelta(seconds=3)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 90)), max_size=40))
def test_every_message_is_taken_once_and_in_order_whatever_falls_ill(
    weather: list[tuple[bool, bool, float]],
) -> None:
    both, sent, down = Both(), 0, Unavailable("down")
    order: list[str] = []
    for one_ill, two_ill, passes in weather:
        both.first.ill, both.second.ill = (down if ill else None for ill in (one_ill, two_ill))
        both.now += passes
        before = len(both.first.taken), len(both.second.taken)
        try:
            both.queue.send([(str(sent), "")])
            sent += 1
        except Unavailable:
            assert two_ill
        order += both.first.taken[before[0] :] + both.second.taken[before[1] :]

    assert order == [str(number) for number in range(sent)]
