import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reflexarc.events.page import Entry, Page, Story
from reflexarc.events.severity import Severity
from reflexarc.notify import pagerduty_plan as plan
from reflexarc.notify.model import Receipt, Task
from samples.standins.limits import Limits
from samples.standins.pagerduty import PagerDutyStandIn
from tests.support.notices import NOW, at, incident, member, page, story

KEY = "k" * 32
WARNING, CRITICAL, INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO


class PagerDuty:
    """One channel at the stand-in, brought up to date story by story."""

    def __init__(self) -> None:
        self.vendor = PagerDutyStandIn(KEY, Limits(1e6, 1e6))
        self.receipt: Receipt | None = None
        self.pages: list[str] = []

    def learns(self, told: Story) -> list[str]:
        done = []
        while task := plan.next_task(told, self.receipt, at(1)):
            whole = {"routing_key": KEY, **task.body}
            assert self.vendor.enqueue(whole, len(json.dumps(whole).encode())).status == 202
            self.receipt = task.becomes
            self.pages += [task.part] * task.pages
            done.append(task.part)
            assert len(done) < 9
        return done

    def incidents(self) -> list[tuple[str, str]]:
        return [(i["payload"]["severity"], i["status"]) for i in self.vendor.incidents]


def said(*numbers: int, loud: bool = True) -> tuple[Entry, ...]:
    return tuple(Entry(number=n, at=NOW, what="nobody acknowledged", loud=loud) for n in numbers)


def test_a_page_is_triggered_acknowledged_and_resolved_under_its_own_key() -> None:
    channel = PagerDuty()

    assert channel.learns(story()) == ["trigger"]
    assert channel.learns(story(state="acked")) == ["acknowledge"]
    assert channel.learns(story(state="resolved")) == ["resolve"]

    (incident_there,) = channel.vendor.incidents
    assert incident_there["dedup_key"] == page().key
    assert channel.incidents() == [("critical", "resolved")]
    assert channel.pages == ["trigger"]


def test_a_page_that_ended_before_it_was_told_is_told_with_both_halves() -> None:
    channel = PagerDuty()

    assert channel.learns(story(state="resolved")) == ["trigger", "resolve"]
    assert channel.incidents() == [("critical", "resolved")]


def test_a_page_that_somebody_took_before_it_was_told_is_acknowledged_at_once() -> None:
    assert PagerDuty().learns(story(state="acked")) == ["trigger", "acknowledge"]


def test_details_that_change_later_cause_no_event() -> None:
    channel = PagerDuty()
    channel.learns(story())

    grown = story(member(2), member(3), lead=incident(count=9_000, title="other words"))

    assert channel.learns(grown) == []
    assert channel.learns(story(state="closing")) == []


def test_a_rise_to_higher_urgency_gets_a_key_of_its_own_and_ends_the_milder_alert() -> None:
    channel = PagerDuty()
    channel.learns(story(severity=WARNING))

    assert channel.learns(story(severity=CRITICAL)) == ["raise", "superseded"]

    mild, grave = channel.vendor.incidents
    assert channel.incidents() == [("warning", "resolved"), ("critical", "triggered")]
    assert grave["dedup_key"] == page().key
    assert mild["dedup_key"] == plan.alert_key(page(), WARNING) != page().key
    assert grave["payload"]["custom_details"]["instead_of"] == mild["dedup_key"]
    assert channel.learns(story(severity=CRITICAL, state="resolved")) == ["resolve"]
    assert channel.incidents() == [("warning", "resolved"), ("critical", "resolved")]
    assert channel.pages == ["trigger", "raise"]


def test_a_rise_within_the_same_urgency_is_appended_and_wakes_nobody() -> None:
    channel = PagerDuty()
    channel.learns(story(severity=INFO))

    assert channel.learns(story(severity=WARNING)) == ["remind"]
    assert channel.incidents() == [("info", "triggered")]
    assert channel.pages == ["trigger"]


def test_a_rise_that_withdraws_an_ack_pages_anew_at_any_urgency() -> None:
    channel = PagerDuty()
    channel.learns(story(severity=INFO, state="acked"))

    assert channel.learns(story(severity=WARNING)) == ["raise", "superseded"]
    assert channel.incidents() == [("info", "resolved"), ("warning", "triggered")]


def test_a_rise_of_a_page_that_ended_meanwhile_wakes_nobody() -> None:
    channel = PagerDuty()
    channel.learns(story(severity=WARNING))

    assert channel.learns(story(severity=CRITICAL, state="resolved")) == ["resolve"]
    assert channel.incidents() == [("warning", "resolved")]


def test_a_sender_that_died_between_the_two_halves_of_a_rise_leaves_the_rest_to_the_next() -> None:
    channel = PagerDuty()
    channel.learns(story(severity=WARNING))
    raised = plan.next_task(story(severity=CRITICAL), channel.receipt, at(1))
    assert raised is not None
    channel.vendor.enqueue({"routing_key": KEY, **raised.body}, 1)

    assert channel.learns(story(severity=CRITICAL)) == ["raise", "superseded"]
    assert channel.incidents() == [("warning", "resolved"), ("critical", "triggered")]


class Suspicious(PagerDuty):
    """A channel that another sender may have told something, without leaving word."""

    def learns(self, told: Story) -> list[str]:
        done = []
        while task := plan.next_task(told, self.receipt, at(1)):
            if (known := plan.suspected(task, told, self.receipt)) is not None:
                self.receipt = known
                continue
            self.tell(task)
            done.append(task.part)
            assert len(done) < 9
        return done

    def tell(self, task: Task | None) -> None:
        assert task is not None
        self.vendor.enqueue({"routing_key": KEY, **task.body}, 1)
        self.receipt = task.becomes


def lost(channel: Suspicious, told: Story) -> None:
    """Let another sender do what comes next, and die before it says so."""
    known = channel.receipt
    channel.tell(plan.next_task(told, known, at(1)))
    channel.receipt = known


def test_an_alert_that_was_opened_milder_and_not_recorded_is_replaced() -> None:
    channel = Suspicious()
    lost(channel, story(severity=WARNING))

    done = channel.learns(story(severity=CRITICAL))

    assert done == ["trigger", "superseded/info", "superseded/warning"]
    assert channel.incidents() == [("warning", "resolved"), ("critical", "triggered")]


def test_an_alert_that_was_raised_and_not_recorded_ends_with_the_page() -> None:
    channel = Suspicious()
    channel.learns(story(severity=WARNING))
    lost(channel, story(severity=CRITICAL))

    channel.learns(story(severity=CRITICAL, state="resolved"))

    assert channel.incidents() == [("warning", "resolved"), ("critical", "resolved")]


def test_a_trigger_whose_answer_was_lost_opens_nothing_when_it_is_repeated() -> None:
    channel = Suspicious()
    lost(channel, story())

    channel.learns(story())

    assert channel.incidents() == [("critical", "triggered")]


def test_a_page_that_can_have_no_milder_alert_is_suspected_of_none() -> None:
    assert Suspicious().learns(story(severity=INFO)) == ["trigger"]


def test_a_loud_line_is_appended_once_and_a_quiet_one_not() -> None:
    channel = PagerDuty()
    channel.learns(story(history=said(1)))

    assert channel.learns(story(history=said(1) + said(2, loud=False))) == []
    assert channel.learns(story(history=said(1, 3))) == ["remind"]
    assert channel.learns(story(history=said(1, 3))) == []


def test_nothing_follows_a_resolve() -> None:
    channel = PagerDuty()
    channel.learns(story(state="resolved"))

    assert channel.learns(story(state="resolved", history=said(1, 2))) == []
    assert channel.learns(story(severity=CRITICAL, history=said(1, 2, 3))) == []


def test_a_plain_event_keeps_the_key_and_an_ending_is_plain_already() -> None:
    told = story(severity=CRITICAL)
    first = plan.next_task(told, None, NOW)
    assert first is not None
    end = plan.next_task(story(state="resolved"), first.becomes, NOW)
    assert end is not None

    simple = plan.plain(first, told)

    assert simple.body["dedup_key"] == page().key
    assert set(simple.body["payload"]) == {"summary", "source", "severity"}
    assert plan.plain(end, told) is end


_states = st.sampled_from(["open", "acked", "closing"])
_severities = st.sampled_from(Severity)


def _life(steps: list[tuple[Any, Severity, bool]], *, ends: bool) -> list[Page]:
    """Return what a page may become: its severity and history only grow."""
    pages, gravest, lines = [], INFO, 0
    for state, severity, speaks in steps:
        gravest = max(gravest, severity, key=lambda known: known.rank)
        lines += speaks
        pages.append(page(state=state, severity=gravest, history=said(*range(1, lines + 1))))
    last = pages[-1]
    if ends:
        pages.append(page(state="resolved", severity=gravest, history=last.history))
    return pages


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(_states, _severities, st.booleans()), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=7, max_size=7),
    st.booleans(),
)
def test_whatever_a_page_goes_through_pagerduty_shows_how_it_stands(
    steps: list[tuple[Any, Severity, bool]],
    seen: list[bool],
    ends: bool,  # noqa: FBT001 - drawn
) -> None:
    channel = PagerDuty()
    life = _life(steps, ends=ends)
    told = [story(about=state) for state, looked in zip(life, seen, strict=False) if looked]
    told.append(story(about=life[-1]))

    for each in told:
        channel.learns(each)

    last = life[-1]
    standing = [status for _, status in channel.incidents() if status != "resolved"]
    assert len(standing) == (0 if ends else 1)
    if last.state == "acked":
        assert standing == ["acknowledged"]
    keys = [incident["dedup_key"] for incident in channel.vendor.incidents]
    assert len(keys) == len(set(keys)) <= 3
