"""Incidents of one cause are one page: who joins it, and when it is over."""

import pytest

from reflexarc.emulator.processes import wait_until
from reflexarc.notify.extent import TOP
from tests.emulator.story import Story, too_hot, xid

pytestmark = pytest.mark.emulator


def says(story: Story, key: str) -> str:
    message = story.slack_message(key)
    return f"{message['text']} {message['blocks']}"


def test_a_second_node_joins_the_page_of_the_first(grouped: Story) -> None:
    first, second = (grouped.node({"cluster": "joined"}) for _ in range(2))
    grouped.write(first, xid(79))
    assert grouped.all_arrive_once()
    key = grouped.pages[0].key

    grouped.write(second, xid(79))

    assert wait_until(lambda: second.name in says(grouped, key), 10)
    assert grouped.all_arrive_once()
    assert "2 GPUs of 2 nodes" in says(grouped, key)
    assert grouped.pager(key) == ["triggered"]


def test_what_a_message_has_no_room_for_is_named_in_its_thread(grouped: Story) -> None:
    nodes = [f"crowd-{number:02d}" for number in range(TOP + 2)]
    for node in nodes:
        grouped.found(node, too_hot(), labels={"rack": "crowded"})
    assert grouped.all_arrive_once()
    key = grouped.pages[0].key
    assert {page.key for page in grouped.pages} == {key}

    root = grouped.slack_message(key)["ts"]

    def told() -> str:
        every = (m for channel in grouped.lane.standins.slack().values() for m in channel)
        return str([message["blocks"] for message in every if message["thread_ts"] == root])

    assert wait_until(lambda: all(node in told() for node in nodes), 15)
    assert wait_until(lambda: f"{len(nodes)} GPUs of {len(nodes)} nodes" in says(grouped, key), 10)
    assert grouped.pager(key) == ["triggered"]


def test_another_cluster_has_a_page_of_its_own(grouped: Story) -> None:
    nodes = [grouped.node({"cluster": f"apart-{number}"}) for number in range(2)]

    for node in nodes:
        grouped.write(node, xid(79))

    assert grouped.all_arrive_once()
    assert len({page.key for page in grouped.pages}) == 2


def test_a_page_is_over_when_all_of_it_is_well(grouped: Story) -> None:
    labels = {"rack": "rack-of-two"}
    nodes = ("well-1", "well-2")
    pages = [page for node in nodes for page in grouped.found(node, too_hot(), labels=labels)]
    key = pages[0].key
    assert {page.key for page in pages} == {key}
    assert grouped.all_arrive_once()
    assert wait_until(lambda: "2 GPUs of 2 nodes" in says(grouped, key), 10)

    grouped.found(nodes[0], too_hot(over=True), labels=labels)

    assert wait_until(lambda: "1 of 2 repaired" in says(grouped, key), 10)
    assert grouped.pager(key) == ["triggered"]

    grouped.found(nodes[1], too_hot(over=True), labels=labels)

    assert wait_until(lambda: "Resolved" in says(grouped, key), 10)
    assert wait_until(lambda: grouped.pager(key) == ["resolved"], 10)
    assert grouped.all_arrive_once()
