"""A kernel line becomes a page: the whole path, as deployed."""

from datetime import timedelta
from itertools import pairwise

import pytest

from reflexarc.emulator.processes import wait_until
from tests.emulator.story import Story, batch, rejected, xid

pytestmark = pytest.mark.emulator


def test_a_critical_fault_reaches_slack_and_pagerduty_once(story: Story) -> None:
    node = story.node()

    story.write(node, xid(79, says="pid=1, name=python3, GPU has fallen off the bus."))

    assert story.all_arrive_once()
    assert {page.channel for page in story.pages} == {"slack", "pagerduty"}


def test_the_message_says_what_where_and_what_to_do(story: Story) -> None:
    node = story.node()
    story.write(node, xid(79, says="pid=1, name=train.py, GPU has fallen off the bus."))
    story.all_arrive_once()

    message = story.slack_message(story.pages[0].key)

    assert "79" in str(message["blocks"])
    assert node.name in message["text"]
    assert "*Do:*" in str(message["blocks"])
    assert "kernel line to this page" in str(message["blocks"])


def test_every_hop_of_a_page_is_stamped_in_order(story: Story) -> None:
    story.write(story.node(), xid(79))
    story.all_arrive_once()

    hops = story.lane.hops(story.pages[0])

    assert hops is not None
    moments = [
        moment
        for moment in (
            hops.observed_at,
            hops.sent_at,
            hops.queued_at,
            hops.received_at,
            hops.decided_at,
            hops.delivered_at,
        )
        if moment is not None
    ]
    assert len(moments) == 6
    # SQS stamps whole milliseconds.
    assert all(b - a > timedelta(milliseconds=-1) for a, b in pairwise(moments))


def test_a_warning_goes_to_slack_alone(story: Story) -> None:
    story.write(story.node(), xid(31))

    assert story.all_arrive_once()
    assert {page.channel for page in story.pages} == {"slack"}


def test_noise_pages_nobody(story: Story) -> None:
    node = story.node()
    before = len(story.lane.standins.log())

    story.write(node, "[ 1.0] NVRM: loading NVIDIA UNIX Open Kernel Module", "nfs: server OK")
    story.write(node, xid(31))
    story.all_arrive_once()

    assert len(story.lane.standins.log()) == before + 1


def test_repeats_of_a_fault_stay_one_page(story: Story) -> None:
    node = story.node()

    story.write(node, *[xid(79)] * 200)

    assert story.all_arrive_once()


def test_a_graver_fault_updates_slack_and_pages_pagerduty(story: Story) -> None:
    node = story.node()
    story.write(node, xid(31))
    story.all_arrive_once()

    story.write(node, xid(79))

    assert story.all_arrive_once()
    assert [page.channel for page in story.pages] == ["slack", "pagerduty"]
    # A message that is new is not changed within its first second.
    assert wait_until(lambda: story.slack_message(story.pages[0].key)["revision"] >= 1, 5)
    assert "CRITICAL" in story.slack_message(story.pages[0].key)["text"]


def test_a_node_that_another_sender_claims_is_refused(story: Story) -> None:
    node = story.node()
    story.write(node, xid(31))
    story.all_arrive_once()
    stolen = batch(node.name, xid(79, gpu=0x5D))

    story.invoke_as("AROAINTRUDER:i-0", stolen)

    assert "claims node" in rejected(story.lane, stolen["id"])["reason"]
    assert story.all_arrive_once()
