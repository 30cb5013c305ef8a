from datetime import timedelta

import pytest

from reflexarc.events.notice import Notice
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops
from reflexarc.kernel.errors import Rejected
from reflexarc.notify import rules
from reflexarc.notify.model import Pending
from tests.support.notices import NOW, PAGERDUTY, at, notice, receipt, story


def told(plan: tuple[Pending, ...]) -> list[tuple[str, int, int]]:
    return [(unit.latest.action, unit.latest.incident.version, len(unit.notices)) for unit in plan]


def devices(plan: tuple[Pending, ...]) -> list[str]:
    return [unit.latest.incident.entity.device for unit in plan]


def test_slack_gets_one_message_of_the_latest_state() -> None:
    assert told(rules.plan(story("trigger", "update", "update"))) == [("update", 3, 3)]
    assert told(rules.plan(story("trigger", "update", "resolve"))) == [("resolve", 3, 3)]


def test_pagerduty_hears_of_the_trouble_before_its_end() -> None:
    notices = story("trigger", "update", "resolve", channel=PAGERDUTY)

    assert told(rules.plan(notices)) == [("update", 2, 2), ("resolve", 3, 1)]


def test_pagerduty_never_hears_of_an_end_before_a_late_update() -> None:
    notices = story("update", "resolve", channel=PAGERDUTY)

    assert told(rules.plan(notices)) == [("update", 1, 1), ("resolve", 2, 1)]


def test_new_trouble_comes_first_and_the_gravest_of_it() -> None:
    update = notice("update", gpu=1, version=2)
    resolved = notice("resolve", gpu=2, version=2)
    warning = notice("trigger", gpu=3, severity=Severity.WARNING)
    critical = notice("trigger", gpu=4)

    plan = rules.plan([resolved, update, warning, critical])

    assert devices(plan) == ["0000:04:00", "0000:03:00", "0000:01:00", "0000:02:00"]


def test_trouble_that_is_over_before_it_was_told_waits_for_new_trouble() -> None:
    over = story("trigger", "resolve", gpu=1)
    warning = notice("trigger", gpu=2, severity=Severity.WARNING)

    assert devices(rules.plan([*over, warning])) == ["0000:02:00", "0000:01:00"]


def test_generations_are_told_apart() -> None:
    first = notice("resolve", version=2)
    second = notice("trigger", version=3, generation=2)

    assert told(rules.plan([first, second])) == [("trigger", 3, 1), ("resolve", 2, 1)]


def test_rows_arrive_in_any_order() -> None:
    notices = story("trigger", "update", "resolve", channel=PAGERDUTY)

    assert rules.plan(reversed(notices)) == rules.plan(notices)


def test_a_page_tells_its_own_latency_and_an_update_keeps_it() -> None:
    late = at(0.25)

    assert rules.told(notice(), None, late) == (Severity.CRITICAL, 250)
    assert rules.told(notice("update"), receipt(), late) == (Severity.CRITICAL, 84)


def test_a_graver_update_is_a_page_with_its_own_latency() -> None:
    hops = Hops(observed_at=at(100))
    graver = notice("update", hops=hops)
    before = receipt(severity=Severity.WARNING)

    assert rules.told(graver, before, at(101)) == (Severity.CRITICAL, 1000)


def test_a_receipt_without_severity_keeps_what_it_knows() -> None:
    assert rules.told(notice("update"), receipt(severity=None), at(9)) == (Severity.CRITICAL, 84)


def test_a_node_clock_in_the_future_shows_no_negative_latency() -> None:
    ahead = notice(hops=Hops(observed_at=at(3600)))

    assert rules.latency_ms(ahead, NOW) == 0


@pytest.mark.parametrize(
    ("sent", "via", "known", "skipped"),
    [
        (notice("update"), "pagerduty", Severity.CRITICAL, True),
        (notice("update"), "webhook", Severity.CRITICAL, True),
        (notice("update"), "webhook", Severity.WARNING, False),
        (notice("update"), "slack", Severity.CRITICAL, False),
        (notice("resolve"), "pagerduty", Severity.CRITICAL, False),
    ],
)
def test_an_update_that_tells_nothing_new_is_not_sent_where_it_cannot_edit(
    sent: Notice, via: str, known: Severity, *, skipped: bool
) -> None:
    assert rules.needless(sent, receipt(via=via, severity=known)) is skipped


def test_what_was_never_told_is_always_told() -> None:
    assert not rules.needless(notice("update", channel=PAGERDUTY), None)


def test_waits_double_up_to_the_longest() -> None:
    first, longest = timedelta(seconds=15), timedelta(seconds=900)

    waits = [rules.backoff(first, n, longest).total_seconds() for n in (0, 1, 2, 5, 6, 10**9)]

    assert waits == [15, 30, 60, 480, 900, 900]


def test_a_vendor_gets_the_time_it_asks_for_within_reason() -> None:
    longest = timedelta(seconds=900)

    waits = [rules.patience(timedelta(seconds=s), longest).total_seconds() for s in (0, 3, 86_400)]

    assert waits == [1, 3, 900]


def test_a_wake_up_names_its_group_and_a_canary_names_none() -> None:
    assert rules.group_to_look_at('{"schema": "wakeup/1", "group": "slack/C1"}') == "slack/C1"
    canary = '{"schema": "canary/1", "sent_at": "2026-03-03T04:44:24Z"}'
    assert rules.group_to_look_at(canary) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "the body is not JSON"),
        ("[" * 100_000, "the body is not JSON"),
        ("[1]", "the body is a JSON list, not an object"),
        ('{"schema": "wakeup/2"}', "takes wakeup/1 and canary/1, not 'wakeup/2'"),
        ("{}", "not 'None'"),
        ('{"schema": "wakeup/1"}', "wakeup/1 does not hold what it must: group: Field required"),
        ('{"schema": "canary/1", "sent_at": "x"}', "canary/1 does not hold what it must: sent_at"),
        ('{"schema": "wakeup/1", "group": "fax/1"}', "no vendor serves the delivery group 'fax/1'"),
        ('{"schema": "wakeup/1", "group": "slack/%s"}' % ("C" * 600), "no vendor serves"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused_in_words(body: str, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        rules.group_to_look_at(body)

    assert reason in str(refusal.value)
