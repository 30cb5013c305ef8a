from datetime import timedelta

import pytest

from reflexarc.events.notice import Notice
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Hops
from reflexarc.kernel.errors import Rejected
from reflexarc.notify import rules
from reflexarc.notify.model import Posted, Receipt, Task
from tests.support.notices import (
    NOW,
    PAGERDUTY,
    SLACK,
    at,
    incident,
    notice,
    page,
    receipt,
    wake_up,
)


def about(gpu: int, generation: int = 1, **fields: object) -> Notice:
    severity = fields.pop("severity", Severity.CRITICAL)
    told = page(gpu, generation=generation, severity=severity)
    return notice(SLACK, told, **fields)


def names(notices: tuple[Notice, ...]) -> list[tuple[int, int]]:
    return [(int(notice.page.scope, 16), notice.page.generation) for notice in notices]


def plan(*notices: Notice, new: tuple[Notice, ...]) -> tuple[list[tuple[int, int]], ...]:
    news, others = rules.plan(notices, {notice.row for notice in new})
    return names(news), names(others)


def test_news_of_trouble_comes_first_and_the_gravest_of_it() -> None:
    known = about(1)
    warning = about(2, severity=Severity.WARNING)
    critical = about(3, created_at=at(9))

    assert plan(known, warning, critical, new=(warning, critical)) == (
        [(3, 1), (2, 1)],
        [(1, 1)],
    )


def test_equally_grave_news_and_everything_else_go_by_age() -> None:
    old, young = about(2, created_at=at(1)), about(1, created_at=at(2))

    assert plan(young, old, new=(young, old)) == ([(2, 1), (1, 1)], [])
    assert plan(young, old, new=()) == ([], [(2, 1), (1, 1)])


def test_generations_of_a_scope_are_told_in_their_order() -> None:
    first, second, other = about(1), about(1, 2), about(2, created_at=at(-5))

    assert plan(second, other, first, new=(second,)) == ([(1, 1), (1, 2)], [(2, 1)])
    assert plan(second, first, new=()) == ([], [(1, 1), (1, 2)])


def test_two_channels_of_one_group_wait_for_each_other_in_nothing() -> None:
    ours = about(1)
    theirs = notice(SLACK.model_copy(update={"name": "other"}), page(1, generation=2))

    news, others = rules.plan([ours, theirs], {theirs.row})

    assert (news, others) == ((theirs,), (ours,))


def task(part: str) -> Task:
    return Task(part=part, action="reply", body={}, becomes=receipt())


@pytest.mark.parametrize(
    ("part", "known", "created"),
    [
        ("root", None, True),
        ("trigger", None, True),
        ("root", receipt(), False),
        ("list/1", receipt(), True),
        ("list/1", receipt(parts={"list/1": Posted(vendor_id="1")}), False),
    ],
)
def test_only_what_the_channel_lacks_is_made(
    part: str, known: Receipt | None, *, created: bool
) -> None:
    assert rules.creates(task(part), known) is created


def test_a_page_takes_from_the_kernel_line_until_it_is_told() -> None:
    assert rules.page_latency_ms(notice(), None, incident(), at(0.25)) == 250


def test_a_graver_finding_is_a_page_with_its_own_time() -> None:
    lead = incident(hops=Hops(observed_at=at(100)))
    before = receipt(severity=Severity.WARNING)

    assert rules.page_latency_ms(notice(), before, lead, at(101)) == 1000


def test_a_reminder_of_what_people_know_has_no_latency() -> None:
    assert rules.page_latency_ms(notice(), receipt(), incident(), at(7200)) is None


def test_a_receipt_that_tells_no_severity_hides_no_latency() -> None:
    assert rules.page_latency_ms(notice(), receipt(severity=None), incident(), at(1)) == 1000


@pytest.mark.parametrize(
    ("fresh", "created", "latency"), [(True, 28_800, 300), (False, 28_800, 28_800_050)]
)
def test_what_waited_on_purpose_was_not_late(*, fresh: bool, created: float, latency: int) -> None:
    lead = incident(hops=Hops(observed_at=NOW, decided_at=at(0.25)))
    behind = notice(fresh=fresh, created_at=at(created))

    assert rules.page_latency_ms(behind, None, lead, at(created + 0.05)) == latency


def test_a_notice_from_before_the_decision_waited_for_nothing() -> None:
    lead = incident(hops=Hops(observed_at=NOW, decided_at=at(1)))

    assert rules.page_latency_ms(notice(fresh=True), None, lead, at(2)) == 2000


def test_a_node_clock_in_the_future_shows_no_negative_latency() -> None:
    assert rules.latency_ms(Hops(observed_at=at(3600)), NOW) == 0


def test_waits_double_up_to_the_longest() -> None:
    first, longest = timedelta(seconds=15), timedelta(seconds=900)

    waits = [rules.backoff(first, n, longest).total_seconds() for n in (0, 1, 2, 5, 6, 10**9)]

    assert waits == [15, 30, 60, 480, 900, 900]


def test_a_vendor_gets_the_time_it_asks_for_within_reason() -> None:
    longest = timedelta(seconds=900)

    waits = [rules.patience(timedelta(seconds=s), longest).total_seconds() for s in (0, 3, 86_400)]

    assert waits == [1, 3, 900]


@pytest.mark.parametrize(
    "group", ["slack/C1", notice(PAGERDUTY).group, "webhook/hook/0a", "sns/topic/0a"]
)
def test_a_wake_up_names_its_group(group: str) -> None:
    assert rules.group_to_look_at(wake_up(group).body) == group


def test_a_canary_names_no_group() -> None:
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
