"""Pages that are due, silences and clicks: what memory and DynamoDB both promise."""

from datetime import datetime
from typing import Any

from reflexarc.events.action import Timer
from reflexarc.events.page import Page, Silence, Step
from tests.ports.conftest import Shelf
from tests.support.commits import later, told
from tests.support.notices import NOW, at, page


def waiting(gpu: int, *moments: datetime, **fields: Any) -> Page:
    steps = tuple(Step(kind="escalate", at=moment, channels=("boss",)) for moment in moments)
    return page(gpu, steps=steps, **fields)


def silence(name: str = "s1", **fields: Any) -> Silence:
    values: dict[str, Any] = {
        "id": name,
        "labels": {"node": "node-*"},
        "starts_at": NOW,
        "ends_at": at(3_600),
        "author": "operator",
        "reason": "a new driver é ☃",
        "created_at": NOW,
    }
    return Silence(**(values | fields))


# ---- due pages ----


def test_pages_are_due_once_their_next_step_is(shelf: Shelf) -> None:
    first, second = waiting(1, at(900), at(60), timer=3), waiting(2, at(61), generation=12)
    for each in (first, second, page(3)):
        shelf.book.commit(told(each))

    assert list(shelf.due_pages.due(at(60))) == []
    assert list(shelf.due_pages.due(at(60.001))) == [Timer(page=first.ref, timer=3, due_at=at(60))]
    assert {timer.page.scope for timer in shelf.due_pages.due(at(3_600))} == {
        first.scope,
        second.scope,
    }


def test_page_whose_steps_are_done_is_due_no_more(shelf: Shelf) -> None:
    first = waiting(1, at(60))
    shelf.book.commit(told(first))

    shelf.book.commit(told(later(first, steps=(), timer=1)))

    assert list(shelf.due_pages.due(at(3_600))) == []


def test_page_that_waits_for_another_step_is_due_then(shelf: Shelf) -> None:
    first = waiting(1, at(60))
    shelf.book.commit(told(first))

    shelf.book.commit(told(later(first, steps=waiting(1, at(600)).steps, timer=1)))

    assert list(shelf.due_pages.due(at(599))) == []
    assert [timer.timer for timer in shelf.due_pages.due(at(601))] == [1]


# ---- silences ----


def test_silences_are_active_until_they_end_also_before_they_begin(shelf: Shelf) -> None:
    running, planned = silence("b"), silence("a", starts_at=at(60), ends_at=at(7_200))
    for each in (planned, running):
        shelf.silences.put(each)

    assert shelf.silences.active(NOW) == (running, planned)
    assert shelf.silences.active(at(3_600)) == (planned,)
    assert shelf.silences.active(at(7_200)) == ()


def test_silence_that_is_put_again_replaces_itself(shelf: Shelf) -> None:
    shelf.silences.put(silence())

    shelf.silences.put(silence(ends_at=at(5), expired_by="operator"))

    assert shelf.silences.active(at(6)) == ()
    assert shelf.silences.active(NOW) == (silence(ends_at=at(5), expired_by="operator"),)


def test_silences_that_ended_are_kept_for_whoever_asks_later(shelf: Shelf) -> None:
    ended, running = silence("b", ends_at=at(-1)), silence("a")
    for each in (ended, running):
        shelf.silences.put(each)

    assert shelf.silences.active(NOW) == (running,)
    assert shelf.silences.all() == (running, ended)


# ---- clicks ----


def test_click_counts_once(shelf: Shelf) -> None:
    assert shelf.clicks.first_time("a" * 64, NOW) is True
    assert shelf.clicks.first_time("a" * 64, at(1)) is False
    assert shelf.clicks.first_time("b" * 64, at(1)) is True
