import itertools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hypothesis import given

from reflexarc.events.page import Entry, Member, Story
from reflexarc.events.severity import Severity
from reflexarc.notify import slack_plan
from reflexarc.notify.model import Receipt, Task
from reflexarc.notify.slack_plan import FALLBACK, next_task
from samples.standins.block_kit import problems, too_long
from tests.support.notices import NOW, at, incident, member, page, story
from tests.support.notices import stories as hostile_stories
from tests.unit.notify.slack_texts import texts

OPENED = Entry(number=1, at=NOW, what="opened")
ACKED = Entry(number=2, at=at(30), what="acknowledged", by="alice")
RISE = Entry(number=2, at=at(40), what="severity rose from warning to critical", loud=True)


def spread(nodes: int, gpus: int = 1, joined: float = 0) -> tuple[Member, ...]:
    return tuple(
        member(gpu, f"node-{node}", joined_at=at(joined))
        for node in range(1, nodes + 1)
        for gpu in range(1, gpus + 1)
    )


def done(task: Task, receipt: Receipt | None, ts: str) -> Receipt:
    """Return the receipt as a sender that posts by token brings it back."""
    becomes = task.becomes
    if task.part == "root":
        return becomes.model_copy(update={"vendor_id": becomes.vendor_id or ts})
    name = slack_plan.known_as(task.part)
    known = receipt.parts.get(task.part) if receipt else None
    told = becomes.parts[name].model_copy(
        update={"vendor_id": known.vendor_id if known and known.vendor_id else ts}
    )
    return becomes.model_copy(update={"parts": {**becomes.parts, name: told}})


@dataclass
class Thread:
    """A channel that takes every task, as a sender that may wait for its pace brings it there."""

    now: datetime = NOW
    receipt: Receipt | None = None
    log: list[tuple[str, str, float]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def tell(self, about: Story, *, until: datetime | None = None) -> list[str]:
        """Do all that is due; with `until`, wait for what is due by then. Return the parts."""
        begun = len(self.log)
        while (task := next_task(about, "C0PAGES", self.receipt, self.now)) is not None:
            if task.earliest is not None and task.earliest > self.now:
                if until is None or task.earliest > until:
                    break
                self.now = task.earliest
                continue
            self.receipt = done(task, self.receipt, f"ts-{len(self.log)}")
            self.log.append((task.part, task.action, (self.now - NOW).total_seconds()))
            self.tasks.append(task)
            assert len(self.log) < 200
        return [part for part, _, _ in self.log[begun:]]


def opened(about: Story, seconds: float = 0) -> Thread:
    thread = Thread(now=at(seconds))
    thread.tell(about)
    return thread


def test_a_page_is_posted_at_once_and_pages() -> None:
    task = next_task(story(), "C0PAGES", None, at(0.084))

    assert task is not None
    assert (task.part, task.action, task.pages, task.earliest) == ("root", "trigger", True, None)
    becomes = task.becomes
    assert (becomes.destination, becomes.via, becomes.latency_ms) == ("C0PAGES", "slack", 84)
    assert (becomes.severity, becomes.state) == (Severity.CRITICAL, "open")


def test_a_page_that_was_over_before_it_was_told_pages_nobody() -> None:
    task = next_task(story(state="resolved"), "C0PAGES", None, NOW)

    assert task is not None
    assert not task.pages


def test_what_the_channel_knows_is_not_said_again() -> None:
    thread = opened(story(history=(OPENED,)))

    thread.now = at(100)
    assert thread.tell(story(version=2, history=(OPENED,)), until=at(200)) == []


def test_an_ack_edits_the_message_and_adds_a_quiet_line() -> None:
    thread = opened(story(history=(OPENED,)))
    thread.now = at(31)

    told = thread.tell(story(state="acked", history=(OPENED, ACKED)), until=at(40))

    assert told == ["root", "history/2"]
    [edit, reply] = thread.tasks[-2:]
    assert (edit.action, edit.pages, reply.action, reply.pages) == ("update", False, "reply", False)
    assert "reply_broadcast" not in reply.body
    assert thread.receipt is not None
    assert (thread.receipt.said, thread.receipt.state) == (2, "acked")


def test_a_rise_is_told_loudly_before_the_message_is_edited() -> None:
    warning = incident(severity=Severity.WARNING)
    thread = opened(story(lead=warning, history=(OPENED,)))
    thread.now = at(40.2)

    told = thread.tell(story(history=(OPENED, RISE)), until=at(50))

    assert told == ["history/2", "root"]
    [reply, edit] = thread.tasks[-2:]
    assert (reply.pages, reply.earliest, reply.body["reply_broadcast"]) == (True, None, True)
    assert not edit.pages
    assert thread.receipt is not None
    assert thread.receipt.severity is Severity.CRITICAL
    assert thread.receipt.latency_ms == 40_200


def test_a_reminder_is_loud_but_pages_nobody_anew() -> None:
    thread = opened(story(history=(OPENED,)))
    thread.now = at(40)

    thread.tell(story(history=(OPENED, RISE)), until=at(50))

    [reply] = [task for task in thread.tasks if task.part == "history/2"]
    assert (reply.pages, reply.body["reply_broadcast"]) == (False, True)


def test_a_channel_that_is_told_late_reads_what_happened_quietly() -> None:
    thread = Thread(now=at(900))

    told = thread.tell(story(history=(OPENED, RISE)), until=at(910))

    assert told == ["root", "history/2"]
    assert "reply_broadcast" not in thread.tasks[-1].body


def test_a_resolve_is_an_edit_that_says_so() -> None:
    thread = opened(story())
    thread.now = at(60)

    thread.tell(story(state="resolved"))

    assert thread.log[-1][:2] == ("root", "resolve")
    assert not thread.tasks[-1].pages


def test_ten_nodes_need_no_list_and_eleven_do() -> None:
    ten, eleven = (
        opened(story(*spread(nodes)[1:], lead=incident(1, "node-1"))) for nodes in (10, 11)
    )
    for thread, nodes in ((ten, 10), (eleven, 11)):
        thread.now = at(60)
        thread.tell(story(*spread(nodes)[1:], lead=incident(1, "node-1")), until=at(90))

    assert [part for part, _, _ in ten.log] == ["root"]
    assert [part for part, _, _ in eleven.log] == ["root", "list/1"]


def test_every_node_of_a_storm_is_in_the_thread_soon_and_slack_s_limits_are_kept() -> None:
    thread, lead = opened(story(lead=incident(1, "node-1"))), incident(1, "node-1")
    everyone = [m for m in spread(625, 8) if m.fingerprint != lead.fingerprint]
    seen: list[Member] = []
    for second in range(1, 13):  # so long the faults of one second take through the queues
        batch = everyone[len(seen) : len(seen) + 420]
        seen += [m.model_copy(update={"joined_at": at(second)}) for m in batch]
        thread.now = max(thread.now, at(second))
        thread.tell(story(*seen, lead=lead), until=at(second + 0.9))

    thread.tell(story(*seen, lead=lead), until=at(60))

    assert len(seen) == 4_999
    shown = {
        line.split("`")[1]
        for task in thread.tasks
        if task.part.startswith("list/")
        for text in texts(task.body)[1:]
        for line in text.splitlines()
    }
    assert shown == {f"node-{node}" for node in range(1, 626)}
    assert thread.log[-1][2] < 40
    posts = [second for _, action, second in thread.log if action in {"trigger", "reply"}]
    assert all(b - a >= 1.09 for a, b in itertools.pairwise(posts))
    updates = [second for _, action, second in thread.log if action == "update"]
    assert len(updates) <= 50
    roots = [second for part, _, second in thread.log if part == "root"]
    assert all(b - a >= 1.19 for a, b in itertools.pairwise(roots))


def test_list_pages_wait_while_nodes_still_join_and_are_shown_at_once_when_it_is_over() -> None:
    lead = incident(1, "node-1", opened_at=at(10))
    thread = opened(story(lead=lead), seconds=10)
    storm = spread(40, 2, joined=10)[1:]
    thread.now = at(11)

    assert "list/1" not in thread.tell(story(*storm, lead=lead), until=at(12))
    ended = page(lead=lead, state="resolved")
    assert thread.tell(story(*storm, about=ended), until=at(14)) == ["list/1", "root"]


def test_a_list_page_is_edited_while_its_nodes_are_repaired() -> None:
    lead = incident(1, "node-1")
    storm = spread(20)[1:]
    thread = opened(story(*storm, lead=lead))
    thread.tell(story(*storm, lead=lead), until=at(60))
    repaired = storm[3].model_copy(update={"state": "resolved", "resolved_at": at(70)})
    thread.now = at(71)

    thread.tell(story(*storm[:3], repaired, *storm[4:], lead=lead), until=at(90))

    part, action, _ = thread.log[-1]
    assert (part, action) == ("list/1", "update")
    assert "✅ `node-5` 1 GPU repaired" in texts(thread.tasks[-1].body)[1]
    assert thread.receipt is not None
    assert len(thread.receipt.parts) == 1


def test_a_list_page_that_nobody_needs_any_more_says_so() -> None:
    lead = incident(1, "node-1")
    storm = spread(200)[1:]
    thread = opened(story(*storm, lead=lead))
    thread.tell(story(*storm, lead=lead), until=at(60))
    assert thread.receipt is not None
    assert set(thread.receipt.parts) == {"list/1", "list/2", "list/3"}

    thread.now = at(70)
    thread.tell(story(*storm[:20], lead=lead), until=at(90))

    assert texts(thread.tasks[-1].body) == ["*Nothing more is affected*"]
    assert thread.tell(story(*storm[:20], lead=lead), until=at(200)) == []


def test_what_only_counts_further_is_shown_less_and_less_often() -> None:
    thread = opened(story())
    gaps = []
    for seconds in (2, 30, 300):
        thread.now = at(seconds)
        thread.tell(story(lead=incident(count=seconds)), until=at(seconds + 11))
        task = next_task(story(lead=incident(count=1)), "C0PAGES", thread.receipt, thread.now)
        assert task is not None
        assert task.earliest is not None
        gaps.append(round((task.earliest - thread.now).total_seconds(), 1))

    assert gaps == [1.2, 3.0, 10.0]


def test_a_message_that_is_gone_is_posted_anew() -> None:
    thread = opened(story())
    assert thread.receipt is not None
    gone = thread.receipt.model_copy(update={"vendor_id": "", "digest": "", "parts": {}})

    task = next_task(story(), "C0PAGES", gone, at(9))

    assert task is not None
    assert (task.part, task.pages, task.earliest) == ("root", False, None)


def test_words_that_slack_refuses_for_good_are_not_said_again() -> None:
    task = next_task(story(), "C0PAGES", None, NOW)
    assert task is not None

    assert next_task(story(), "C0PAGES", task.becomes, at(9)) is None


def by_webhook(**fields: Any) -> Receipt:
    values: dict[str, Any] = {
        "vendor_id": "",
        "via": FALLBACK,
        "posted_at": NOW,
        "severity": Severity.WARNING,
        "state": "open",
        "said": 1,
        "digest": "other",
    }
    return Receipt(**(values | fields))


def test_where_nothing_can_be_edited_only_a_rise_and_the_end_are_told() -> None:
    warning = incident(severity=Severity.WARNING)
    same = story(lead=warning, state="acked", history=(OPENED, ACKED))
    graver = story(history=(OPENED, RISE))
    ended = story(state="resolved")

    assert next_task(same, "C0PAGES", by_webhook(), at(50)) is None
    rise = next_task(graver, "C0PAGES", by_webhook(), at(50))
    assert rise is not None
    assert (rise.part, rise.pages, rise.earliest, rise.becomes.said) == ("root", True, None, 2)
    assert next_task(graver, "C0PAGES", rise.becomes, at(60)) is None
    end = next_task(ended, "C0PAGES", rise.becomes, at(70))
    assert end is not None
    assert (end.action, end.pages) == ("resolve", False)
    assert next_task(ended, "C0PAGES", end.becomes, at(80)) is None


def test_where_nothing_can_be_edited_a_reminder_is_one_more_line() -> None:
    again = Entry(number=3, at=at(50), what="still open", loud=True)
    known = by_webhook(severity=Severity.CRITICAL, said=2)

    task = next_task(story(history=(OPENED, RISE, again)), "C0PAGES", known, at(51))

    assert task is not None
    assert (task.part, task.becomes.said) == ("history/3", 3)


def test_plain_text_says_the_same_without_blocks() -> None:
    lead = incident(1, "node-1")
    storm = story(*spread(20)[1:], lead=lead, history=(OPENED, ACKED))
    thread = opened(storm)
    thread.tell(storm, until=at(60))

    said = {task.part: slack_plan.plain(task, storm).body for task in thread.tasks}

    assert [body["blocks"] for body in said.values()] == [[], [], []]
    assert "Since 2026-03-03 04:44:24 UTC, seen 20 times." in said["root"]["text"]
    assert "`node-17` 1 GPU: 01:00" in said["list/1"]["text"]
    assert said["history/2"]["text"].endswith("acknowledged (alice)")


@given(hostile_stories)
def test_slack_takes_all_that_is_told_of_any_page(about: Story) -> None:
    thread = Thread(now=at(1))
    thread.tell(about, until=at(1_000))

    assert thread.tasks
    assert next_task(about, "C0PAGES", thread.receipt, at(10_000)) is None
    for task in thread.tasks:
        assert_taken(task)
        assert_taken(slack_plan.plain(task, about))


def assert_taken(task: Task) -> None:
    blocks, text = task.body["blocks"], task.body["text"]
    assert problems(blocks) == []
    assert not too_long(blocks)
    assert 0 < len(text) < 4_000
    for said in (*texts(task.body), text):
        assert "<" not in said.replace("<!date^", "")
        assert "\u202e" not in said
