"""Whatever dies, doubles or stays silent: one page a generation and channel, and none is lost."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.chaos import World
from tests.support.histories import (
    STORIES,
    Chapters,
    chaos,
    live_through,
    plan_news,
    settle_down,
)
from tests.support.verdict import verify


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.data(),
    stories=st.lists(st.sampled_from(STORIES), min_size=1, max_size=3),
    steps=st.lists(
        st.sampled_from(["news", "deliver", "wait", "deliver", "lose", "double", "sweep"]),
        min_size=3,
        max_size=25,
    ),
)
def test_one_page_a_generation_and_channel_whatever_goes_wrong(
    data: st.DataObject, stories: list[Chapters], steps: list[str]
) -> None:
    world = World(choose=lambda what: data.draw(st.sampled_from(what)))
    plan_news(world, stories)

    chaos(world, ["news", *steps])
    settle_down(world)

    verify(world)


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_end_as_short_ones_do(seed: int) -> None:
    live_through(seed)
