"""Whatever dies in the middle: nothing is lost, nobody is paged twice."""

import signal

import pytest

from reflexarc.emulator import agents
from reflexarc.emulator.processes import wait_until
from tests.emulator.story import Story, kill_workers, xid

pytestmark = pytest.mark.emulator


def test_a_rate_limit_delays_a_page_and_does_not_repeat_it(story: Story) -> None:
    node = story.node()
    story.lane.standins.trouble(
        {"vendor": "slack", "do": "status", "status": 429, "retry_after": 2},
        {"vendor": "pagerduty", "do": "status", "status": 429, "retry_after": 2},
    )

    story.write(node, xid(79))

    assert story.all_arrive_once()
    assert all(2_000 <= alert.latency_ms < 10_000 for alert in story.so_far().alerts)


def test_an_answer_that_is_lost_does_not_repeat_the_page(story: Story) -> None:
    node = story.node()
    story.lane.standins.trouble(
        {"vendor": "slack", "method": "chat.postMessage", "do": "drop_after"}
    )
    story.write(node, xid(79))
    story.all_arrive_once()

    assert wait_until(story.nothing_owed, 20, every_s=0.2)
    assert story.all_arrive_once()


def test_a_sender_killed_between_post_and_commit_does_not_page_again(story: Story) -> None:
    node = story.node()
    story.lane.standins.trouble(
        {"vendor": "slack", "method": "chat.postMessage", "do": "hang", "seconds": 5},
        {"vendor": "pagerduty", "do": "hang", "seconds": 5},
    )
    story.write(node, xid(79))
    story.all_arrive_once()

    assert kill_workers(story.lane, "notify") >= 2

    assert not story.nothing_owed()
    assert wait_until(story.nothing_owed, 45, every_s=0.2)
    assert story.all_arrive_once()


def test_an_agent_killed_in_mid_stream_loses_nothing(story: Story) -> None:
    node = story.node()
    story.write(node, xid(31))
    story.all_arrive_once()
    story.write(node, *(xid(79, gpu) for gpu in range(0x10, 0x18)))
    node.agent.ask(signal.SIGKILL)
    node.agent.process.wait()
    story.write(node, *(xid(79, gpu) for gpu in range(0x18, 0x20)))

    again = story.restart(node)
    agents.wait_for([again])

    assert story.all_arrive_once()
    assert len(story.pages) == 33
