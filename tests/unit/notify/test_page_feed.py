import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from reflexarc.events.gpu_faults import Job
from reflexarc.events.page import Entry, Story
from reflexarc.events.page_event import PageEvent
from reflexarc.events.severity import Severity
from reflexarc.notify import page_feed, sns_message
from reflexarc.notify.model import Receipt, Task
from samples.standins.sns import SIZE_MAX, SnsStandIn
from tests.support.notices import NOW, WEBHOOK, at, incident, member, page, stories, story

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


class Feed:
    """One channel that is told story by story, whatever its pace."""

    def __init__(self) -> None:
        self.receipt: Receipt | None = None
        self.tasks: list[Task] = []

    def learns(self, told: Story, now: datetime = NOW) -> list[str]:
        done = []
        while task := page_feed.next_task(told, self.receipt, now, "webhook"):
            PageEvent.model_validate(task.body)
            self.receipt = task.becomes
            self.tasks.append(task)
            done.append(task.part)
            assert len(done) < 5
        return done

    @property
    def ids(self) -> list[str]:
        return [task.body["id"] for task in self.tasks]


def said(*numbers: int, loud: bool = True) -> tuple[Entry, ...]:
    return tuple(Entry(number=n, at=NOW, what="nobody acknowledged", loud=loud) for n in numbers)


def test_a_page_s_life_is_opened_acknowledged_and_resolved() -> None:
    feed = Feed()

    assert feed.learns(story()) == ["opened"]
    assert feed.learns(story(state="acked")) == ["acknowledged"]
    assert feed.learns(story(state="resolved")) == ["resolved"]
    assert [task.action for task in feed.tasks] == ["trigger", "acknowledge", "resolve"]
    assert [task.pages for task in feed.tasks] == [True, False, False]
    assert len(set(feed.ids)) == 3
    assert {task.body["key"] for task in feed.tasks} == {page().key}


@pytest.mark.parametrize(("state", "then"), [("resolved", "resolved"), ("acked", "acknowledged")])
def test_what_happened_before_the_page_was_told_is_told_after_it(state: str, then: str) -> None:
    feed = Feed()

    assert feed.learns(story(state=state)) == ["opened", then]
    assert [task.body["state"] for task in feed.tasks] == [state, state]
    assert len(set(feed.ids)) == 2


def test_the_same_state_has_the_same_id_whenever_it_is_told() -> None:
    first, again, other = Feed(), Feed(), Feed()

    first.learns(story(), at(1))
    again.learns(story(), at(99))
    other.learns(story(member(2)), at(1))

    assert first.ids == again.ids != other.ids


def test_seeing_a_known_fault_again_is_no_event() -> None:
    feed = Feed()
    feed.learns(story(member(2)))

    more = incident(count=800_000, last_at=at(900), version=70)

    assert feed.learns(story(member(2, count=9, last_at=at(9)), lead=more)) == []
    assert feed.learns(story(member(2), state="closing")) == []


def test_small_changes_come_at_most_every_ten_seconds() -> None:
    feed = Feed()
    feed.learns(story(), at(1))

    feed.learns(story(member(2)), at(3))
    feed.learns(story(member(2), member(3)), at(14))

    assert [task.part for task in feed.tasks] == ["opened", "updated", "updated"]
    assert [task.earliest for task in feed.tasks] == [None, at(11), at(13)]


def test_what_hurries_is_not_paced() -> None:
    feed = Feed()
    feed.learns(story(severity=WARNING), at(1))

    feed.learns(story(severity=CRITICAL), at(2))
    feed.learns(story(severity=CRITICAL, history=said(1)), at(3))
    feed.learns(story(severity=CRITICAL, history=said(1), state="acked"), at(4))
    feed.learns(story(severity=CRITICAL, history=said(1), state="resolved"), at(5))

    parts = ["opened", "updated", "repeated", "acknowledged", "resolved"]
    assert [task.part for task in feed.tasks] == parts
    assert [task.earliest for task in feed.tasks] == [None] * 5
    assert [task.pages for task in feed.tasks] == [True, True, False, False, False]


def test_an_ack_is_an_event_of_its_own_even_beside_a_rise() -> None:
    feed = Feed()
    feed.learns(story(severity=WARNING))

    assert feed.learns(story(severity=CRITICAL, state="acked")) == ["updated", "acknowledged"]
    assert feed.learns(story(severity=CRITICAL)) == ["updated"]
    assert feed.receipt is not None
    assert feed.receipt.state == "open"


def test_a_quiet_line_of_history_is_a_small_change() -> None:
    feed = Feed()
    feed.learns(story(history=said(1)))

    assert feed.learns(story(history=said(1) + said(2, loud=False))) == ["updated"]


def test_nothing_follows_the_end() -> None:
    feed = Feed()
    feed.learns(story(state="resolved"))

    assert feed.learns(story(member(2), state="resolved", history=said(1))) == []


def test_a_page_of_many_lists_the_worst_nodes_first_and_counts_all() -> None:
    members = [member(gpu, node) for node in ("node-8", "node-9") for gpu in (2, 3)]
    gone = member(4, "node-6", state="resolved")
    feed = Feed()
    feed.learns(story(gone, *members))

    body = feed.tasks[0].body

    assert [node["node"] for node in body["nodes"]] == ["node-8", "node-9", "node-7", "node-6"]
    assert body["nodes"][0] == {"node": "node-8", "devices": 2, "open": 2}
    assert body["nodes"][-1] == {"node": "node-6", "devices": 1, "open": 0}
    assert body["counts"] == {
        "incidents": 6, "devices": 6, "open_devices": 5, "nodes": 4, "seen": 6,
    }  # fmt: skip
    assert body["truncated"] is False


@pytest.mark.parametrize(("name", "listed"), [("gpu-node-{}", 1_000), ("節" * 200 + "{}", 102)])
def test_what_does_not_fit_is_left_out_and_said(name: str, listed: int) -> None:
    feed = Feed()
    feed.learns(story(*(member(2, name.format(number)) for number in range(1_500))))

    body = feed.tasks[0].body

    assert len(body["nodes"]) == listed
    assert body["truncated"] is True
    assert body["counts"]["nodes"] == 1_501


def test_the_job_of_the_lead_is_named() -> None:
    job = Job(id="4711", name="train-llama", owner="team-nlp", namespace="research")
    feed = Feed()
    feed.learns(story(lead=incident(job=job)))

    assert feed.tasks[0].body["lead"]["job"] == {
        "id": "4711", "name": "train-llama", "owner": "team-nlp", "namespace": "research",
    }  # fmt: skip


def test_a_plain_event_is_the_same_event_with_less() -> None:
    feed = Feed()
    feed.learns(story(member(2), lead=incident(evidence=("NVRM: Xid",), labels={"rack": "r1"})))

    plain = page_feed.plain(feed.tasks[0]).body

    assert plain["id"] == feed.ids[0]
    assert (plain["nodes"], plain["truncated"], plain["history"]) == ([], True, [])
    assert (plain["lead"]["evidence"], plain["lead"]["labels"]) == ([], {})
    PageEvent.model_validate(plain)


def published(body: Mapping[str, Any]) -> dict[str, Any]:
    vendor = SnsStandIn(WEBHOOK.destination)
    vendor.publish(TopicArn=WEBHOOK.destination, **sns_message.render(body))
    return vendor.messages[0]


def test_a_message_of_sns_can_be_filtered_without_reading_it() -> None:
    feed = Feed()
    feed.learns(story())

    message = published(feed.tasks[0].body)

    assert message["subject"] == (
        "[critical] XID 79: GPU has fallen off the bus - GPU 0000:01:00 on node-7"
    )
    assert {name: each["StringValue"] for name, each in message["attributes"].items()} == {
        "severity": "critical", "state": "open", "event": "opened",
    }  # fmt: skip
    assert json.loads(message["message"]) == feed.tasks[0].body


def test_a_subject_tells_an_end_and_is_cut() -> None:
    feed = Feed()
    feed.learns(story(state="resolved", lead=incident(title="Xid " * 50)))

    subject = published(feed.tasks[-1].body)["subject"]

    assert subject.startswith("[resolved] Xid Xid")
    assert subject.endswith("...")
    assert len(subject) == 99


@settings(max_examples=60, deadline=None)
@given(stories)
def test_any_page_makes_events_that_are_valid_and_fit_sns(told: Story) -> None:
    feed = Feed()
    feed.learns(told)

    for task in feed.tasks:
        assert len(json.dumps(task.body, ensure_ascii=False).encode()) < SIZE_MAX
        published(task.body)
        published(page_feed.plain(task).body)
