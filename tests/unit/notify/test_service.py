from datetime import timedelta

import pytest

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Ambiguous, RateLimited, Rejected, Unavailable
from tests.support.delivery import Office
from tests.support.notices import NOW, PAGERDUTY, at, notice, receipt, story, wake_up

GROUP = "slack/C0PAGES"


@pytest.fixture
def office() -> Office:
    return Office()


def handle(office: Office, *groups: str) -> list[str]:
    outcomes = office.service().handle([wake_up(group, group) for group in groups or (GROUP,)])
    return [outcome.status for outcome in outcomes]


def test_a_page_is_sent_recorded_and_told_with_its_latency(office: Office) -> None:
    office.owe([notice()])
    office.clock.forward(0.084)

    assert handle(office) == ["done"]

    assert office.slack.sent == [("trigger", "post", False)]
    assert office.owed() == 0
    assert office.journal.lines == [("delivered", "trigger")]
    assert office.journal.latencies == [84]
    [attempt] = office.outbox.store.attempts
    assert (attempt.outcome, attempt.latency_ms) == ("sent", 84)
    assert attempt.hops is not None
    assert attempt.hops.delivered_at == at(0.084)
    assert office.outbox.store.leases == {}


def test_an_update_edits_the_message_and_is_no_page(office: Office) -> None:
    office.owe([notice()])
    handle(office)
    office.owe([notice("update", version=2)])

    handle(office)

    assert office.slack.sent[1] == ("update", "update", False)
    assert office.journal.latencies[1] is None
    assert office.outbox.store.attempts[1].outcome == "updated"


def test_a_graver_update_counts_as_a_page(office: Office) -> None:
    office.owe([notice(severity=Severity.WARNING)])
    handle(office)
    office.owe([notice("update", version=2)])
    office.clock.forward(1)

    handle(office)

    assert office.journal.latencies == [0, 1000]


def test_what_was_not_told_yet_is_told_once(office: Office) -> None:
    office.owe(story("trigger", "update", "resolve"))

    handle(office)

    assert office.slack.sent == [("resolve", "post", False)]
    assert office.journal.latencies == [None]


def test_pagerduty_hears_trigger_then_resolve_and_no_update_between(office: Office) -> None:
    group = notice(channel=PAGERDUTY).group
    office.owe([notice(channel=PAGERDUTY)])
    handle(office, group)
    office.owe([notice("update", PAGERDUTY, version=2), notice("resolve", PAGERDUTY, version=3)])

    handle(office, group)

    assert [action for action, _, _ in office.pagerduty.sent] == ["trigger", "resolve"]
    outcomes = [attempt.outcome for attempt in office.outbox.store.attempts]
    assert outcomes == ["sent", "folded", "updated"]
    assert office.owed() == 0


def test_one_look_serves_all_wake_ups_of_a_group_in_a_batch(office: Office) -> None:
    office.owe([notice()])

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
    assert office.outbox.store.leases == {}


def test_a_message_without_sense_is_kept_with_its_reason(office: Office) -> None:
    broken = Delivery(message_id="b", body="{", sender="", queued_at=NOW)
    office.owe([notice()])

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


def test_a_vendor_that_asks_for_patience_gets_it(office: Office) -> None:
    office.owe([notice()])
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
    office.owe([notice()])
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
    office.owe([notice(gpu=1), notice(gpu=2)])
    office.slack.troubles = [Unavailable("down"), None, Unavailable("down")]
    handle(office)
    office.clock.forward(15)

    handle(office)

    assert office.waits()[-1] == 15


def test_a_missing_answer_is_looked_for_before_anything_is_posted_again(office: Office) -> None:
    office.owe([notice()])
    office.slack.troubles = [Ambiguous("no answer")]
    handle(office)
    assert office.waits() == [5]
    office.slack.found = receipt()
    office.clock.forward(5)

    handle(office)

    assert office.slack.looked_for == ["0000:01:00"]
    assert office.slack.sent == [("trigger", "update", False)]


def test_what_a_dead_sender_left_is_looked_for(office: Office) -> None:
    office.owe([notice()])
    office.outbox.acquire(GROUP, "the dead", NOW)
    office.clock.forward(15)

    handle(office)

    assert office.slack.looked_for == ["0000:01:00"]
    assert office.slack.sent == [("trigger", "post", False)]


def test_a_live_holder_is_told_to_look_again(office: Office) -> None:
    office.owe([notice(gpu=1)])

    def meanwhile() -> None:
        office.slack.before = lambda: None
        office.owe([notice(gpu=2)])
        assert handle(office) == ["done"]

    office.slack.before = meanwhile

    handle(office)

    assert office.owed() == 0
    assert len(office.slack.sent) == 2


def test_time_runs_out_and_the_rest_follows_at_once(office: Office) -> None:
    office.owe([notice(gpu=1), notice(gpu=2), notice(gpu=3)])
    office.slack.before = lambda: office.clock.forward(3)

    assert handle(office) == ["done"]

    assert len(office.slack.sent) == 2
    assert office.waits() == [0]
    handle(office)
    assert office.owed() == 0


def test_a_group_that_a_slow_one_left_no_time_for_is_planned(office: Office) -> None:
    other = notice(channel=PAGERDUTY)
    office.owe([notice(), other])
    office.slack.before = lambda: office.clock.forward(6)

    assert handle(office, GROUP, other.group) == ["done", "done"]

    assert office.pagerduty.sent == []
    assert (other.group, office.clock.now) in office.re_wakes.planned


def test_a_refused_message_is_sent_as_plain_text(office: Office) -> None:
    office.owe([notice()])
    office.slack.troubles = [Rejected("invalid_blocks")]

    handle(office)

    assert office.slack.sent == [("trigger", "post", True)]
    [attempt] = office.outbox.store.attempts
    assert (attempt.outcome, attempt.detail) == ("plain", "invalid_blocks")
    assert office.journal.lines[0] == ("refused", "trigger", "invalid_blocks")


def test_a_message_refused_for_good_is_put_aside_and_the_group_goes_on(office: Office) -> None:
    office.owe([notice(gpu=1), notice(gpu=2)])
    office.slack.troubles = [Rejected("invalid_blocks"), Rejected("msg_too_long")]

    assert handle(office) == ["done"]

    [(kept, reason)] = office.undeliverable.kept
    assert kept.action == "trigger"
    assert reason == "invalid_blocks; as plain text: msg_too_long"
    assert ("lost", "trigger", reason) in office.journal.lines
    assert len(office.slack.sent) == 1
    assert office.owed() == 0


class Moody:
    """An outbox whose next calls of one kind fail."""

    def __init__(self, office: Office, method: str, times: int) -> None:
        self._inner, self._method, self._times = office.outbox, method, times
        self.store = office.outbox.store
        office.outbox = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> object:
        if name == self._method and self._times:
            self._times -= 1
            raise Unavailable(f"{name} failed")
        return getattr(self._inner, name)


def test_a_settle_that_met_a_wake_up_is_tried_once_more(office: Office) -> None:
    office.owe([notice()])
    Moody(office, "settle", 1)

    assert handle(office) == ["done"]

    assert office.owed() == 0
    assert len(office.slack.sent) == 1


def test_what_was_sent_and_not_recorded_is_looked_for(office: Office) -> None:
    office.owe([notice()])
    Moody(office, "settle", 2)

    assert handle(office) == ["done"]

    assert office.waits() == [5]
    office.slack.found = receipt()
    office.clock.forward(5)
    handle(office)
    assert office.slack.sent == [("trigger", "post", False), ("trigger", "update", False)]


def test_a_lost_lease_ends_the_look(office: Office) -> None:
    office.owe([notice(gpu=1), notice(gpu=2)])

    def overtaken() -> None:
        office.outbox.store.leases[GROUP].owner = "another"

    office.slack.before = overtaken

    assert handle(office) == ["done"]

    assert len(office.slack.sent) == 1
    assert office.waits() == []


@pytest.mark.parametrize("method", ["acquire", "suspect", "postpone"])
def test_a_store_that_fails_to_the_end_asks_for_a_redelivery(office: Office, method: str) -> None:
    other = notice(channel=PAGERDUTY)
    office.owe([notice(), other])
    office.slack.troubles = [Ambiguous("no answer")]
    Moody(office, method, 1)

    assert handle(office, GROUP, other.group) == ["retry", "done"]

    assert len(office.pagerduty.sent) == 1


def test_a_bug_in_one_group_stops_no_other(office: Office) -> None:
    other = notice(channel=PAGERDUTY)
    office.owe([notice(), other])
    office.slack.troubles = [KeyError("ts")]

    assert handle(office, GROUP, GROUP, other.group) == ["retry", "retry", "done"]

    assert ("failing", GROUP, "KeyError: 'ts'", "1") in office.journal.lines
    assert len(office.pagerduty.sent) == 1


def test_rows_outlive_a_receipt_that_is_kept(office: Office) -> None:
    office.owe([notice()])
    handle(office)
    office.owe([notice("update", version=2)])
    office.slack.troubles = [Rejected("no"), Rejected("never")]

    handle(office)

    assert office.outbox.receipt(notice()) is not None
