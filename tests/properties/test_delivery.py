"""Whatever dies, doubles or stays silent: one page a generation and channel, and none is lost."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflexarc.events.notice import Action
from tests.support.chaos import World

# Bounded patience: after the last trouble a group is clean after its waiting messages and this
# many looks more, sweeps included.
LOOKS = 40
STORIES: tuple[tuple[Action, ...], ...] = (
    ("trigger",),
    ("trigger", "update"),
    ("trigger", "resolve"),
    ("trigger", "update", "resolve"),
    ("trigger", "resolve", "trigger"),
    ("trigger", "resolve", "trigger", "update", "resolve"),
)


def plan_news(world: World, stories: list[tuple[Action, ...]]) -> None:
    for gpu, actions in enumerate(stories, start=1):
        generation = 0
        for version, action in enumerate(actions, start=1):
            generation += action == "trigger"
            chapter = (action, gpu, generation, version)
            world.news.append(lambda chapter=chapter: world.commit(*chapter))  # type: ignore[misc]


def chaos(world: World, steps: list[str]) -> None:
    for step in steps:
        if step == "news" and world.news:
            world.news.pop(0)()
        elif step == "deliver":
            world.deliver_one()
        elif step == "lose" and world.queue:
            world.queue.pop(0)
        elif step == "double" and world.queue:
            world.queue.append(world.queue[0])
        elif step == "sweep":
            world.sweep()
        elif step == "wait":
            world.clock.forward(7)


def settle_down(world: World) -> None:
    """Let the rest of the story happen without trouble, until nothing is left to do."""
    while world.news:
        world.news.pop(0)()
    world.calm, world.looks = True, -len(world.queue) - len(world.re_wakes)
    while world.looks < LOOKS and (
        world.deliver_one()
        or world.queue
        or world.re_wakes
        or any(world.outbox.store.rows.values())
    ):
        world.clock.forward(1)
        if not (world.queue or world.re_wakes):
            world.clock.now += timedelta(seconds=60)
            world.sweep()


def verify(world: World) -> None:
    assert world.looks < LOOKS, "no end of looks"
    assert not any(world.outbox.store.rows.values()), "a notice was never sent"
    assert world.undeliverable.kept == []
    messages = [
        message["metadata"]["event_payload"]
        for channel in world.slack.channels.values()
        for message in channel
    ]
    roots = Counter(payload["key"] for payload in messages)
    alerts = Counter(alert["dedup_key"] for alert in world.pagerduty.incidents)
    assert roots == dict.fromkeys(world.truth, 1), "Slack: a root a generation"
    shown = {payload["key"]: payload["version"] for payload in messages}
    assert shown == {key: last.incident.version for key, last in world.truth.items()}
    # A generation that was over before PagerDuty heard of it is still told, both halves.
    assert alerts == dict.fromkeys(world.truth, 1), "PagerDuty: an incident a generation"
    states = {alert["dedup_key"]: alert["status"] for alert in world.pagerduty.incidents}
    for key, last in world.truth.items():
        assert (states[key] == "resolved") == (last.action == "resolve"), "a zombie"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
    data: st.DataObject, stories: list[tuple[Action, ...]], steps: list[str]
) -> None:
    world = World(choose=lambda what: data.draw(st.sampled_from(what)))
    plan_news(world, stories)

    chaos(world, ["news", *steps])
    settle_down(world)

    verify(world)


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_end_as_short_ones_do(seed: int) -> None:
    import random  # noqa: PLC0415 - seeded, for this test alone

    dice = random.Random(seed)
    world = World(choose=dice.choice)
    plan_news(world, dice.choices(STORIES, k=8))

    chaos(
        world,
        dice.choices(["news", "deliver", "wait", "deliver", "double", "sweep", "wait"], k=200),
    )
    settle_down(world)

    verify(world)
