from reflexarc.events.page import Entry
from reflexarc.events.severity import Severity
from reflexarc.notify import telling
from tests.support.notices import NOW, at, member, page, receipt, story


def entry(number: int, *, loud: bool = False) -> Entry:
    return Entry(number=number, at=NOW, what="something", loud=loud)


def test_a_page_that_may_be_closing_stands_where_it_stood() -> None:
    assert telling.standing(page(state="closing")) == "open"
    assert telling.standing(page(state="closing", acked_at=at(3))) == "acked"
    assert telling.standing(page(state="acked")) == "acked"
    assert telling.standing(page(state="resolved", acked_at=at(3))) == "resolved"


def test_worse_is_what_the_channel_does_not_know_yet() -> None:
    told = receipt(severity=Severity.WARNING)

    assert telling.graver(page(severity=Severity.CRITICAL), told)
    assert not telling.graver(page(severity=Severity.WARNING), told)
    assert not telling.graver(page(severity=Severity.INFO), told)
    assert telling.graver(page(severity=Severity.INFO), receipt(severity=None))


def test_only_a_loud_line_that_was_not_told_reminds() -> None:
    lines = (entry(1), entry(2, loud=True), entry(3))

    assert telling.reminds(page(history=lines), receipt(said=1))
    assert not telling.reminds(page(history=lines), receipt(said=2))
    assert not telling.reminds(page(history=lines[:1]), receipt(said=0))


def test_a_receipt_keeps_when_and_how_fast_people_were_told_first() -> None:
    first = telling.becomes(story(), None, at(0.084), "webhook")
    later = telling.becomes(story(member(2), state="acked"), first, at(30), "webhook")

    assert (first.posted_at, first.updated_at, first.latency_ms) == (at(0.084), None, 84)
    assert (later.posted_at, later.updated_at, later.latency_ms) == (at(0.084), at(30), 84)
    assert (first.state, first.shared, first.via) == ("open", False, "webhook")
    assert (later.state, later.shared) == ("acked", True)


def test_a_rise_is_timed_anew_and_the_gravest_stays_told() -> None:
    told = receipt(severity=Severity.WARNING, latency_ms=84, said=7)

    worse = telling.becomes(story(), told, at(2), "sns")
    milder = telling.becomes(story(severity=Severity.INFO), worse, at(3), "sns")

    assert (worse.severity, worse.latency_ms) == (Severity.CRITICAL, 2_000)
    assert (milder.severity, milder.latency_ms, milder.said) == (Severity.CRITICAL, 2_000, 7)
