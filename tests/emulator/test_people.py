"""What people do about pages, and what happens when nobody does anything."""

import time

import pytest
from typer.testing import CliRunner

from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.cli.silence import silence_app
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import wait_until
from reflexarc.events.incident import Incident
from reflexarc.events.page import page_key
from reflexarc.runtime.config import KEPT_FOR
from tests.emulator.story import QUIET_S, Story, too_hot, xid

pytestmark = pytest.mark.emulator
DRILL = {"cluster": "drill"}


def incidents_of(lane: Lane, node: str) -> dict[str, Incident]:
    """Return the incidents of a node by their devices."""
    table = lane.stack.outputs["IncidentsTableName"]
    found = IncidentList(lane.endpoint.client("dynamodb"), table).recent(1000)
    return {each.entity.device: each for each in found if each.entity.node == node}


def test_a_silence_keeps_quiet_what_is_new_and_not_that_the_old_is_over(
    story: Story, as_operator: Lane
) -> None:
    node, labels = "quiet-node", {"cluster": "quiet"}
    (told, _) = story.found(node, too_hot(), labels=labels)
    assert story.all_arrive_once()
    words = ["add", "--label", "cluster=quiet", "--for", "1h", "--reason", "work on the coolant"]
    added = CliRunner().invoke(silence_app, [*words, "--endpoint", as_operator.endpoint.url])
    assert added.exit_code == 0, added.output
    time.sleep(KEPT_FOR.total_seconds() + QUIET_S)

    # No page is due for it: whatever comes of it is one too many.
    quiet, *_ = story.found(node, too_hot("0000:5d:00"), labels=labels)
    story.pages = [page for page in story.pages if page.key != quiet.key]
    story.found(node, too_hot(over=True), labels=labels)

    assert wait_until(lambda: story.pager(told.key) == ["resolved"], 10)
    assert wait_until(lambda: "Resolved" in story.slack_message(told.key)["text"], 10)
    kept = incidents_of(story.lane, node)["0000:5d:00"]
    assert kept.page is not None
    assert (kept.state, story.pager(page_key(kept.page))) == ("open", [])
    assert story.slack_message(page_key(kept.page)) == {}
    assert story.all_arrive_once()


def test_a_page_that_nobody_takes_on_is_told_to_the_next(story: Story) -> None:
    node = story.node(DRILL)
    story.write(node, xid(31))
    assert story.all_arrive_once()
    taken = story.pages[0].key
    url = story.lane.stack.outputs["SlackActionUrl"]
    story.lane.standins.press(taken, "reflexarc_ack", "dana", url)
    assert wait_until(lambda: "dana" in str(story.slack_message(taken)["blocks"]), 5)

    story.write(node, xid(31, gpu=0x5D))
    assert story.all_arrive_once()
    left = story.pages[-1].key

    assert story.pager(left) == []
    assert wait_until(lambda: story.pager(left) == ["triggered"], 15)
    assert story.pager(taken) == []
