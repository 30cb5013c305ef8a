"""Bad input: the good goes on, the bad lands in the dead-letter queue with a reason."""

import json

import pytest

from tests.emulator.story import Story, batch, rejected, xid

pytestmark = pytest.mark.emulator


def test_what_is_not_json_is_kept_with_its_reason(story: Story) -> None:
    story.send("kaboom-1 not json")

    assert "not JSON" in rejected(story.lane, "kaboom-1")["reason"]


def test_a_truncated_body_is_kept_with_its_reason(story: Story) -> None:
    text = json.dumps(batch("cut-node", xid(79)))

    story.send(text[: len(text) // 2])

    assert "cut off" in rejected(story.lane, text[:80])["reason"]


def test_an_oversized_body_is_kept_with_its_reason(story: Story) -> None:
    story.send(batch("big-node", xid(79), padding="x" * 460_000))

    letter = rejected(story.lane, "big-node")
    assert "bytes" in letter["reason"]
    assert letter["truncated"]


def test_a_poisoned_record_does_not_stop_its_neighbours(story: Story) -> None:
    message = batch("poisoned-node", xid(79), xid(31, gpu=0x5D))
    message["faults"].insert(1, {"line": 7, "observed_at": "yesterday"})
    for line in (xid(79), xid(31, gpu=0x5D)):
        story.tell("poisoned-node", line)

    story.send(message)

    assert story.all_arrive_once()
    assert "fault 2 of 3" in rejected(story.lane, "poisoned-node")["reason"]


def test_an_unknown_version_pages_and_says_so(story: Story) -> None:
    line = xid(79)
    story.tell("future-node", line)

    story.send(batch("future-node", line, schema="gpu_faults/9"))

    assert story.all_arrive_once()
    message = story.slack_message(story.pages[0].key)
    assert "version 9" in str(message["blocks"])


def test_a_clock_that_is_hours_off_is_shown_and_not_trusted(story: Story) -> None:
    line = xid(79)
    story.tell("skewed-node", line)
    message = batch("skewed-node", line, sent_at="2020-01-01T00:00:00Z")
    message["faults"][0]["observed_at"] = "2020-01-01T00:00:00Z"

    story.send(message)

    assert story.all_arrive_once()
    assert "node clock is" in str(story.slack_message(story.pages[0].key)["blocks"])


def test_the_same_message_twice_counts_once(story: Story) -> None:
    line = xid(79)
    story.tell("repeated-node", line)
    message = batch("repeated-node", line)

    for _ in range(3):
        story.send(message)

    assert story.all_arrive_once()
