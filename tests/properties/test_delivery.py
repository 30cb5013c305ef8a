"""Whatever dies, doubles or stays silent: one page a generation and channel, and none is lost."""

import json
import random
from collections import Counter
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflexarc.events.page import Page, Story
from reflexarc.events.severity import Severity
from reflexarc.notify import slack_plan
from reflexarc.notify.pagerduty_plan import alert_key
from tests.support.chaos import Author, World
from tests.support.notices import SLACK

Chapters = tuple[str, ...]
# Bounded patience: after the last trouble the groups are clean after so many looks, sweeps
# included. Slack takes a message a second, so each message may cost one.
LOOKS = 100
STORIES: tuple[Chapters, ...] = (
    ("open",),
    ("open", "rise"),
    ("open", "join", "join", "heal"),
    ("open", "crowd", "join", "heal"),
    ("open", "ack", "resolve"),
    ("open", "crowd", "rise", "heal", "resolve"),
    ("open", "resolve", "open", "join"),
    ("open", "ack", "rise", "resolve", "open", "join", "resolve"),
)


def plan_news(world: World, stories: list[Chapters]) -> None:
    """Let each story happen to a scope of its own, all at the same time."""
    author = Author(world)
    lines = [author.steps_of(number, story) for number, story in enumerate(stories, start=1)]
    for steps in zip_longest(*lines):
        world.news += [step for step in steps if step is not None]


def chaos(world: World, steps: list[str]) -> None:
    for step in steps:
        if step == "news" and world.news:
            world.news.pop(0)()
        elif step == "deliver":
            world.deliver_one()
        elif step == "lose" and world.queue:
            world.lost.add(world.queue.pop(0)[1])
        elif step == "double" and world.queue:
            world.queue.append(world.queue[0])
        elif step == "sweep":
            world.sweep()
        elif step == "wait":
            world.clock.forward(7)


def settle_down(world: World, looks: int = LOOKS) -> None:
    """Let the rest of the story happen without trouble, until nothing is left to do."""
    while world.news:
        world.news.pop(0)()
    world.calm, world.looks = True, -len(world.queue) - len(world.re_wakes)
    while world.looks < looks and (
        world.deliver_one() or world.queue or world.re_wakes or any(world.book.store.rows.values())
    ):
        world.clock.forward(1)
        if not (world.queue or world.re_wakes):
            world.clock.now += timedelta(seconds=60)
            world.sweep()
    assert world.looks < looks, "no end of looks"


def verify(world: World) -> None:
    assert not any(world.book.store.rows.values()), "a notice was never sent"
    assert world.undeliverable.kept == []
    pages = list(world.book.store.pages.values())
    verify_slack(world, pages)
    verify_pagerduty(world, pages)


def verify_slack(world: World, pages: list[Page]) -> None:
    messages = [message for channel in world.slack.channels.values() for message in channel]
    assert {payload(message)["key"] for message in messages} == {page.key for page in pages}
    for page in pages:
        ours = [message for message in messages if payload(message)["key"] == page.key]
        roots = [message for message in ours if payload(message)["part"] == "root"]
        assert len(roots) == 1, "Slack: one root a page"
        verify_thread(world, page, roots[0], [each for each in ours if each is not roots[0]])


def verify_thread(
    world: World, page: Page, root: dict[str, Any], replies: list[dict[str, Any]]
) -> None:
    known = world.book.store.receipts[page.scope, page.generation, SLACK.name]
    story, later = Story(page=page, members=world.book.members(page.ref)), timedelta(days=1)
    behind = slack_plan.next_task(story, SLACK.destination, known, world.clock.now + later)
    assert behind is None, "Slack: shows less than there is to know"
    assert (root["ts"], payload(root)["digest"]) == (known.vendor_id, known.digest)
    assert {reply["thread_ts"] for reply in replies} <= {root["ts"]}
    lists = Counter(part for part in map(part_of, replies) if part.startswith("list/"))
    assert lists == Counter({part: 1 for part in known.parts if part.startswith("list/")})
    for reply in replies:
        if part_of(reply) in known.parts:
            assert payload(reply)["digest"] == known.parts[part_of(reply)].digest
    said = json.dumps([reply["blocks"] for reply in replies if "history" in part_of(reply)])
    for entry in page.history[1:]:  # the root itself says that the page was opened
        assert (
            said.count(f"{entry.what} ")
            + said.count(f"{entry.what}\\")
            + said.count(f'{entry.what}"')
            == 1
        ), f"Slack: {entry.what}, told once"


def payload(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = message["metadata"]["event_payload"]
    return found


def part_of(message: dict[str, Any]) -> str:
    return str(payload(message)["part"])


def verify_pagerduty(world: World, pages: list[Page]) -> None:
    """Check that each page has one alert a severity, of which at most the gravest is open."""
    alerts = world.pagerduty.incidents
    opened = Counter(alert["dedup_key"] for alert in alerts)
    assert set(opened.values()) <= {1}, "PagerDuty: one alert a key"
    assert set(opened) <= {alert_key(page, each) for page in pages for each in Severity}
    statuses = {alert["dedup_key"]: alert["status"] for alert in alerts}
    for page in pages:
        keys = [alert_key(page, severity) for severity in Severity]
        ours = {key: statuses[key] for key in keys if key in statuses}
        assert ours, "PagerDuty: a page that nobody was woken for"
        standing = {key: status for key, status in ours.items() if status != "resolved"}
        status = "acknowledged" if page.state == "acked" else "triggered"
        due = {} if page.state == "resolved" else {alert_key(page, page.severity): status}
        assert standing == due, "PagerDuty: a zombie, or a page that went quiet"


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


STEPS = ("news", "deliver", "wait", "deliver", "double", "lose", "sweep", "wait")


def live_through(seed: int) -> None:
    """Let eight stories happen in a bad world, and check what people were told."""
    dice = random.Random(seed)
    world = World(choose=dice.choice)
    plan_news(world, dice.choices(STORIES, k=8))
    chaos(world, dice.choices(STEPS, k=250))
    settle_down(world, looks=300)
    verify(world)


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_end_as_short_ones_do(seed: int) -> None:
    live_through(seed)
