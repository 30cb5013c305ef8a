from datetime import datetime, timedelta
from typing import Any

import pytest

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.notice import Notice
from reflexarc.events.page import Entry, Page
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from reflexarc.notify.model import Attempt, Posted, Receipt
from tests.support.delivery import Office
from tests.support.notices import (
    NOW,
    PAGERDUTY,
    SLACK,
    at,
    incident,
    member,
    notice,
    page,
    receipt,
    wake_up,
)

GROUP = "slack/C0PAGES"


@pytest.fixture
def office() -> Office:
    return Office()


def slack_page(gpu: int = 1, **fields: Any) -> Page:
    return page(gpu, channels=(SLACK,), **fields)


def handle(office: Office, *groups: str) -> list[str]:
    outcomes = office.service().handle([wake_up(group, group) for group in groups or (GROUP,)])
    return [outcome.status for outcome in outcomes]


def attempts(office: Office) -> list[Attempt]:
    return list(office.book.store.attempts)


def known(office: Office, about: Page) -> Receipt:
    kept = office.outbox.receipt(notice(SLACK, about))
    assert kept is not None
    return kept


def graver(before: Page, after_s: float = 0) -> Page:
    lead = incident(severity=Severity.CRITICAL, hops=Hops(observed_at=at(after_s)))
    return before.model_copy(update={"severity": Severity.CRITICAL, "lead": lead})


def again(before: Page, count: int = 2) -> Page:
    lead = before.lead.model_copy(update={"count": count})
    return before.model_copy(update={"lead": lead})


def test_a_page_is_sent_recorded_and_told_with_its_latency(office: Office) -> None:
    office.tell(slack_page())
    office.clock.forward(0.084)

    assert handle(office) == ["done"]

    assert office.slack.sent == ["trigger root"]
    assert office.owed() == 0
    assert office.journal.lines == [("delivered", "trigger root")]
    assert office.journal.latencies == [84]
    [attempt] = attempts(office)
    assert (attempt.outcome, attempt.part, attempt.latency_ms) == ("sent", "root", 84)
    assert attempt.hops is not None
    assert attempt.hops.delivered_at == at(0.084)
    assert office.book.store.leases == {}


def test_one_wake_up_brings_a_channel_all_that_it_lacks(office: Office) -> None:
    lines = tuple(Entry(number=n, at=at(n), what=f"line {n}") for n in (1, 2))
    about = slack_page(history=lines)
    office.tell(about)
    office.join(about, member(2))

    handle(office)

    assert office.slack.sent == [
        "trigger root",
        "reply list/1",
        "reply history/1",
        "reply history/2",
    ]
    assert office.owed() == 0
    assert known(office, about).said == 2


def test_each_answer_is_kept_before_the_next_task(office: Office) -> None:
    about = slack_page(history=(Entry(number=1, at=NOW, what="opened"),))
    office.tell(about)
    office.slack.troubles = [None, Unavailable("down")]

    handle(office)

    assert known(office, about).said == 0
    office.clock.forward(15)
    handle(office)
    assert office.slack.sent == ["trigger root", "reply history/1"]
    assert office.owed() == 0


def test_an_update_edits_the_message_and_is_no_page(office: Office) -> None:
    office.tell(slack_page())
    handle(office)
    office.tell(again(slack_page()))

    handle(office)

    assert office.slack.sent == ["trigger root", "update root"]
    assert office.journal.latencies == [0, None]


def test_a_graver_page_counts_as_a_page(office: Office) -> None:
    mild = slack_page(lead=incident(severity=Severity.WARNING))
    office.tell(mild)
    handle(office)
    office.clock.forward(10)
    office.tell(graver(mild, after_s=9))

    handle(office)

    assert office.journal.latencies == [0, 1000]


def test_what_the_channel_knows_already_is_removed_without_a_call(office: Office) -> None:
    office.tell(slack_page())
    handle(office)
    office.tell(slack_page())

    handle(office)

    assert office.slack.sent == ["trigger root"]
    assert len(attempts(office)) == 1
    assert office.owed() == 0


def test_a_notice_of_a_page_that_is_gone_is_removed_and_said(office: Office) -> None:
    office.tell(slack_page())
    office.book.store.pages.clear()

    handle(office)

    [attempt] = attempts(office)
    assert (attempt.outcome, attempt.detail) == ("gone", "there is no such page")
    assert office.owed() == 0


def test_members_are_read_only_where_they_are_or_were_told(office: Office) -> None:
    about = slack_page()
    office.tell(about)
    handle(office)
    office.join(about, member(2))
    handle(office)
    office.tell(again(about))

    handle(office)

    assert office.stories.asked == [False, True, True]
    assert office.slack.sent[-1] == "update root"


def test_a_member_that_joins_while_the_page_is_told_is_told_in_the_same_look(
    office: Office,
) -> None:
    about = slack_page()
    office.tell(about)
    office.join(about, member(2))

    def meanwhile() -> None:
        office.slack.before = lambda: None
        office.join(about, member(3))

    office.slack.before = meanwhile

    handle(office)

    assert office.slack.sent == ["trigger root", "reply list/1", "update root", "update list/1"]
    assert office.owed() == 0


def test_a_change_of_the_page_while_it_is_told_is_told_in_the_same_look(office: Office) -> None:
    office.tell(slack_page())

    def meanwhile() -> None:
        office.slack.before = lambda: None
        office.tell(slack_page(state="resolved"))

    office.slack.before = meanwhile

    handle(office)

    assert office.slack.sent == ["trigger root", "update root"]
    assert known(office, slack_page()).state == "resolved"
    assert office.owed() == 0


def test_the_gravest_news_comes_first_and_updates_last(office: Office) -> None:
    office.tell(slack_page(1))
    handle(office)
    office.tell(again(slack_page(1)))
    office.tell(slack_page(2, lead=incident(2, severity=Severity.WARNING)))
    office.tell(slack_page(3))

    handle(office)

    assert office.slack.sent == ["trigger root"] * 3 + ["update root"]
    assert [body["text"] for body in office.slack.bodies[1:]] == [
        "open critical 1 0",
        "open warning 1 0",
        "open critical 2 0",
    ]


def test_what_was_changed_before_it_was_told_still_goes_before_updates(office: Office) -> None:
    office.tell(slack_page(1))
    handle(office)
    office.tell(again(slack_page(1)))
    office.clock.forward(1)
    office.tell(slack_page(2))
    office.tell(again(slack_page(2)))

    handle(office)

    assert office.slack.sent == ["trigger root", "trigger root", "update root"]


def test_a_page_that_comes_while_others_are_updated_does_not_queue(office: Office) -> None:
    for gpu in (1, 2, 3):
        office.tell(slack_page(gpu))
    handle(office)
    for gpu in (1, 2, 3):
        office.tell(again(slack_page(gpu)))

    def meanwhile() -> None:
        office.slack.before = lambda: None
        office.tell(slack_page(4))

    office.slack.before = meanwhile

    handle(office)

    assert office.slack.sent[3:] == ["update root", "trigger root", "update root", "update root"]


def test_a_storm_of_changes_is_not_read_before_the_first_is_told(office: Office) -> None:
    for gpu in range(1, 61):
        office.tell(slack_page(gpu))
        office.tell(again(slack_page(gpu)))
    office.slack.troubles = [RateLimited("slow down", timedelta(seconds=1))]
    read: list[str] = []
    outbox = office.outbox

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(outbox, name)

        def receipt(self, notice: Notice) -> Receipt | None:
            read.append(notice.row)
            return outbox.receipt(notice)

    office.outbox = Counting()  # type: ignore[assignment]

    handle(office)
    assert len(read) == 25
    office.clock.forward(1)
    handle(office)

    assert office.slack.sent == ["trigger root"] * 60
    assert len(read) == 25 + 60


def test_one_look_serves_all_wake_ups_of_a_group_in_a_batch(office: Office) -> None:
    office.tell(slack_page())

    assert handle(office, GROUP, GROUP, GROUP) == ["done"] * 3
    assert len(office.slack.sent) == 1


def test_canaries_change_nothing(office: Office) -> None:
    canary = Delivery(
        message_id="c",
        body='{"schema": "canary/1", "sent_at": "2026-03-03T04:44:24Z"}',
        sender="",
        queued_at=NOW,
    )

    [outcome] = office.service().handle([canary])

    assert outcome == Outcome(message_id="c", status="done", reason="canary")
    assert office.book.store.leases == {}


def test_a_message_without_sense_is_kept_with_its_reason(office: Office) -> None:
    broken = Delivery(message_id="b", body="{", sender="", queued_at=NOW)
    office.tell(slack_page())

    outcomes = office.service().handle([broken, wake_up(GROUP)])

    assert [outcome.status for outcome in outcomes] == ["rejected", "done"]
    [(kept, reason)] = office.dead_letters.kept
    assert kept is broken
    assert reason.startswith("the body is not JSON")


def test_a_message_that_cannot_be_kept_comes_back(office: Office) -> None:
    class Full:
        def keep(self, delivery: Delivery, reason: str) -> None:
            raise Unavailable(f"no room for {delivery.message_id}: {reason}")

    office.dead_letters = Full()  # type: ignore[assignment]
    broken = Delivery(message_id="b", body="{", sender="", queued_at=NOW)

    [outcome] = office.service().handle([broken])

    assert outcome.status == "retry"


def test_what_waits_for_its_pace_is_planned_and_keeps_no_page_waiting(office: Office) -> None:
    office.slack.pace = timedelta(seconds=1.2)
    office.tell(slack_page(1))
    handle(office)
    office.clock.forward(0.2)
    office.tell(again(slack_page(1)))

    handle(office)

    assert office.waits() == [1.0]
    assert office.slack.sent == ["trigger root"]
    office.tell(slack_page(2))
    handle(office)
    assert office.slack.sent == ["trigger root"] * 2
    assert office.waits() == [1.0]  # the one under way brings both
    office.clock.forward(1)
    handle(office)
    assert office.slack.sent[2:] == ["update root"]
    assert office.owed() == 0


def test_a_plan_that_cannot_be_sent_asks_for_a_redelivery(office: Office) -> None:
    class Full:
        def later(self, group: str, at: datetime, now: datetime) -> None:
            raise Unavailable(f"no room for {group} at {at}, {now}")

    office.slack.pace = timedelta(seconds=1.2)
    office.tell(slack_page(1))
    handle(office)
    office.tell(again(slack_page(1)))
    office.re_wakes = Full()  # type: ignore[assignment]

    assert handle(office) == ["retry"]


def test_the_first_of_several_waits_is_planned(office: Office) -> None:
    office.slack.pace = timedelta(seconds=1.2)
    office.tell(slack_page(1))
    handle(office)
    office.clock.forward(0.5)
    office.tell(slack_page(2))
    handle(office)
    office.tell(again(slack_page(1)))
    office.tell(again(slack_page(2)))

    handle(office)

    assert office.waits() == [0.7]


def test_a_pace_that_passed_meanwhile_is_used_at_once(office: Office) -> None:
    office.slack.pace = timedelta(seconds=1.2)
    office.tell(slack_page(2))
    handle(office)
    office.clock.forward(2)
    office.tell(slack_page(1))
    handle(office)
    office.tell(again(slack_page(1)))  # must wait
    office.tell(again(slack_page(2)))  # need not
    office.slack.before = lambda: office.clock.forward(1.3)

    handle(office)

    assert office.slack.sent[2:] == ["update root"] * 2
    assert office.waits() == []
    assert office.owed() == 0


def test_news_that_comes_as_the_rest_is_planned_is_looked_at(office: Office) -> None:
    office.slack.pace = timedelta(seconds=1.2)
    office.tell(slack_page(1))
    handle(office)
    office.tell(again(slack_page(1)))
    asked = office.stories.story

    def meanwhile(ref: object, *, shared: bool) -> object:
        office.stories.story = asked  # type: ignore[method-assign]
        office.tell(slack_page(2))
        assert handle(office) == ["done"]
        return asked(ref, shared=shared)  # type: ignore[arg-type]

    office.stories.story = meanwhile  # type: ignore[method-assign, assignment]

    handle(office)

    assert office.slack.sent == ["trigger root"] * 2


def test_a_vendor_that_asks_for_patience_gets_it(office: Office) -> None:
    office.tell(slack_page())
    office.slack.troubles = [RateLimited("slow down", timedelta(seconds=3))]

    assert handle(office) == ["done"]

    assert office.waits() == [3]
    assert office.journal.lines == [("failing", GROUP, "slow down", "0")]
    assert handle(office) == ["done"]  # too early: nothing is sent
    assert office.slack.sent == []
    office.clock.forward(3)
    handle(office)
    assert office.owed() == 0


def test_a_failing_vendor_is_asked_ever_more_rarely(office: Office) -> None:
    office.tell(slack_page())
    office.slack.troubles = [Unavailable("no secret")] * 3

    waits = []
    for _ in range(3):
        handle(office)
        waits.append(office.waits()[-1])
        office.clock.forward(waits[-1])

    assert waits == [15, 30, 60]
    assert office.journal.lines[-1] == ("failing", GROUP, "no secret", "3")
    handle(office)
    assert office.owed() == 0


def test_a_message_that_gets_through_ends_the_row_of_failures(office: Office) -> None:
    office.tell(slack_page(1))
    office.tell(slack_page(2))
    office.slack.troubles = [Unavailable("down"), None, Unavailable("down")]
    handle(office)
    office.clock.forward(15)

    handle(office)

    assert office.waits()[-1] == 15


def test_a_missing_answer_is_looked_for_before_anything_is_posted_again(office: Office) -> None:
    about = slack_page()
    office.tell(about)
    office.slack.troubles = [Ambiguous("no answer")]
    handle(office)
    assert office.waits() == [5]
    office.slack.found = {"root": receipt(digest="open critical 1 0")}
    office.clock.forward(5)

    handle(office)

    assert office.slack.looked_for == ["root"]
    assert office.slack.sent == []
    [attempt] = attempts(office)
    assert (attempt.outcome, attempt.hops, attempt.latency_ms) == ("found", None, None)
    assert known(office, about).vendor_id == "1772513064.000001"
    assert office.owed() == 0


def test_what_was_found_out_of_date_is_updated(office: Office) -> None:
    office.tell(slack_page())
    office.slack.troubles = [Ambiguous("no answer")]
    handle(office)
    office.slack.found = {"root": receipt()}
    office.clock.forward(5)

    handle(office)

    assert office.slack.sent == ["update root"]


def test_an_edit_whose_answer_is_missing_is_undone_when_the_page_is_as_it_was(
    office: Office,
) -> None:
    about = slack_page()
    office.tell(about)
    handle(office)
    office.slack.troubles = [Ambiguous("no answer")]
    office.tell(again(about))
    handle(office)

    # Slack may show the edit; the page is again as the receipt has it.
    office.tell(about)
    office.clock.forward(5)
    handle(office)

    assert office.slack.sent == ["trigger root", "update root"]
    assert office.owed() == 0


def test_a_bug_in_one_page_leaves_the_others_of_its_channel_alone(office: Office) -> None:
    office.tell(slack_page(1))
    office.tell(slack_page(2))
    office.slack.troubles = [KeyError("a bug"), None]

    assert handle(office) == ["retry"]

    assert office.slack.sent == ["trigger root"]
    assert office.owed() == 1


def test_an_event_whose_answer_is_missing_is_not_doubted() -> None:
    sent = receipt(via="pagerduty", digest="a")

    assert sent.doubted() == sent


def test_a_reply_whose_answer_is_missing_is_looked_for_and_an_edit_is_not(office: Office) -> None:
    about = slack_page()
    office.tell(about)
    handle(office)
    office.join(about, member(2))
    office.slack.troubles = [None, Ambiguous("no answer")]
    handle(office)
    listed = {"list/1": Posted(vendor_id="7", digest="0000:02:00:open")}
    office.slack.found = {"list/1": receipt(parts=listed)}
    office.tell(again(about))
    office.clock.forward(5)

    handle(office)

    assert office.slack.looked_for == ["list/1"]
    assert office.slack.sent == ["trigger root", "update root", "update root"]
    assert known(office, about).parts == listed


def test_what_a_dead_sender_left_is_looked_for(office: Office) -> None:
    office.tell(slack_page())
    office.outbox.acquire(GROUP, "the dead", NOW)
    office.clock.forward(15)

    handle(office)

    assert office.slack.looked_for == ["root"]
    assert office.slack.sent == ["trigger root"]


def test_a_live_holder_is_told_to_look_again(office: Office) -> None:
    office.tell(slack_page(1))

    def meanwhile() -> None:
        office.slack.before = lambda: None
        office.tell(slack_page(2))
        assert handle(office) == ["done"]

    office.slack.before = meanwhile

    handle(office)

    assert office.owed() == 0
    assert len(office.slack.sent) == 2


def test_time_runs_out_and_the_rest_follows_at_once(office: Office) -> None:
    for gpu in (1, 2, 3):
        office.tell(slack_page(gpu))
    office.slack.before = lambda: office.clock.forward(3)

    assert handle(office) == ["done"]

    assert len(office.slack.sent) == 2
    assert office.waits() == [0]
    handle(office)
    assert office.owed() == 0


def test_time_runs_out_within_a_page_and_the_rest_follows(office: Office) -> None:
    office.tell(slack_page(history=tuple(Entry(number=n, at=NOW, what="x") for n in (1, 2))))
    office.slack.before = lambda: office.clock.forward(3)

    handle(office)

    assert office.slack.sent == ["trigger root", "reply history/1"]
    assert office.waits() == [0]
    handle(office)
    assert office.slack.sent[2:] == ["reply history/2"]
    assert office.owed() == 0


def test_a_group_that_a_slow_one_left_no_time_for_is_planned(office: Office) -> None:
    office.tell(page())
    other = notice(PAGERDUTY).group
    office.slack.before = lambda: office.clock.forward(6)

    assert handle(office, GROUP, other) == ["done", "done"]

    assert office.pagerduty.sent == []
    assert (other, office.clock.now) in office.re_wakes.planned


def test_a_refused_message_is_sent_as_plain_text(office: Office) -> None:
    office.tell(slack_page())
    office.slack.troubles = [Rejected("invalid_blocks")]

    handle(office)

    assert office.slack.sent == ["trigger root plain"]
    [attempt] = attempts(office)
    assert (attempt.outcome, attempt.detail, attempt.latency_ms) == ("plain", "invalid_blocks", 0)
    assert office.journal.lines[0] == ("refused", "slack", "invalid_blocks")


def test_a_message_refused_for_good_is_put_aside_and_later_states_are_told(
    office: Office,
) -> None:
    office.tell(slack_page(1))
    office.tell(slack_page(2))
    office.slack.troubles = [Rejected("invalid_blocks"), Rejected("msg_too_long")]

    assert handle(office) == ["done"]

    [(kept, task, reason)] = office.undeliverable.kept
    assert (kept.page, task.part) == (slack_page(1).ref, "root")
    assert reason == "invalid_blocks; as plain text: msg_too_long"
    assert ("lost", "slack", reason) in office.journal.lines
    assert [(each.outcome, each.latency_ms) for each in attempts(office)] == [
        ("undeliverable", None),
        ("sent", 0),
    ]
    assert office.owed() == 0
    office.tell(slack_page(1, state="resolved"))
    handle(office)
    assert office.slack.sent == ["trigger root", "update root"]


class Moody:
    """An outbox whose next calls of one kind fail."""

    def __init__(self, office: Office, method: str, times: int) -> None:
        self._inner, self._method, self._times = office.outbox, method, times
        office.outbox = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> object:
        if name == self._method and self._times:
            self._times -= 1
            raise Unavailable(f"{name} failed")
        return getattr(self._inner, name)


def test_a_settle_that_met_a_wake_up_is_tried_once_more(office: Office) -> None:
    office.tell(slack_page())
    Moody(office, "settle", 1)

    assert handle(office) == ["done"]

    assert office.owed() == 0
    assert len(office.slack.sent) == 1


def test_what_was_sent_and_not_recorded_is_looked_for(office: Office) -> None:
    office.tell(slack_page())
    Moody(office, "settle", 2)

    assert handle(office) == ["done"]

    assert office.waits() == [5]
    office.slack.found = {"root": receipt(digest="open critical 1 0")}
    office.clock.forward(5)
    handle(office)
    assert office.slack.sent == ["trigger root"]
    assert office.owed() == 0


def test_a_lost_lease_ends_the_look(office: Office) -> None:
    office.tell(slack_page(1))
    office.tell(slack_page(2))

    def overtaken() -> None:
        office.book.store.leases[GROUP].owner = "another"

    office.slack.before = overtaken

    assert handle(office) == ["done"]

    assert len(office.slack.sent) == 1
    assert office.waits() == []


def test_a_row_that_vanished_is_nobody_s_business(office: Office) -> None:
    about = slack_page()
    office.tell(about)
    office.join(about, member(2))
    outbox = office.outbox

    class Late:
        def __getattr__(self, name: str) -> object:
            return getattr(outbox, name)

        def pending(self, group: str) -> tuple[Notice, ...]:
            rows = outbox.pending(group)
            office.book.store.rows.clear()
            return rows

    office.outbox = Late()  # type: ignore[assignment]

    assert handle(office) == ["done"]

    assert office.slack.sent == []


@pytest.mark.parametrize("method", ["acquire", "suspect", "postpone"])
def test_a_store_that_fails_to_the_end_asks_for_a_redelivery(office: Office, method: str) -> None:
    office.tell(page())
    office.slack.troubles = [Ambiguous("no answer")]
    Moody(office, method, 1)

    assert handle(office, GROUP, notice(PAGERDUTY).group) == ["retry", "done"]

    assert len(office.pagerduty.sent) == 1


def test_a_bug_in_one_group_stops_no_other(office: Office) -> None:
    office.tell(page())
    office.slack.troubles = [KeyError("ts")]

    assert handle(office, GROUP, GROUP, notice(PAGERDUTY).group) == ["retry", "retry", "done"]

    assert ("failing", GROUP, "KeyError: 'ts'", "1") in office.journal.lines
    assert len(office.pagerduty.sent) == 1
