"""A page ends when all of it is well, and not before."""

from reflexarc.events.incident import PageRef
from reflexarc.events.signal import Entity
from reflexarc.incidents.ports import Stale
from reflexarc.incidents.races import TRIES
from reflexarc.kernel.errors import Unavailable
from tests.support.desk import Desk
from tests.support.incidents import clear, signal


def gpu(number: int) -> Entity:
    return Entity(kind="gpu", node=f"node-{number}", device="0000:3b:00")


def two() -> Desk:
    """Return a desk with one page of two incidents, of which the lead is well."""
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))
    desk.record(clear(3, entity=gpu(1)))
    desk.told()
    return desk


def test_story_of_no_page_is_none() -> None:
    closing = Desk().closing()

    assert closing.story(PageRef(scope="0" * 32, generation=1), shared=True) is None
    assert closing.conclude(PageRef(scope="0" * 32, generation=1)) is None


def test_story_has_the_members_that_are_asked_for() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))

    alone = desk.closing().story(desk.page().ref, shared=False)
    whole = desk.closing().story(desk.page().ref, shared=True)

    assert alone is not None
    assert whole is not None
    assert (alone.members, len(whole.members)) == ((), 1)
    assert whole.page.state == "open"


def test_page_whose_lead_is_well_is_looked_at_as_a_whole_by_whoever_tells_of_it() -> None:
    desk = two()
    desk.record(clear(4, entity=gpu(2)))

    story = desk.closing().story(desk.page().ref, shared=False)

    assert story is not None
    assert (len(story.members), story.page.state) == (1, "resolved")


def test_whoever_tells_of_the_last_repair_ends_the_page_and_wakes_the_others() -> None:
    desk = two()
    desk.record(clear(4, entity=gpu(2)))
    assert desk.page().state == "open"
    woken: list[str] = []

    story = desk.closing(woken.extend).story(desk.page().ref, shared=True)

    assert story is not None
    assert story.page == desk.page()
    assert (story.page.state, story.page.history[-1].what) == (
        "resolved",
        "resolved: all 2 are well",
    )
    assert sorted(woken) == sorted(notice for notice in desk.book.store.rows)


def test_page_that_was_shut_by_somebody_who_died_is_concluded_by_whoever_tells_it() -> None:
    desk = Desk()
    desk.record(signal(1))

    def die() -> None:
        raise Unavailable("died")

    desk.stubborn.after["commit"] = [die]
    desk.service().record([clear(2)])
    assert desk.page().state == "closing"

    story = desk.closing().story(desk.page().ref, shared=False)

    assert story is not None
    assert story.page.state == "resolved"


def test_shut_page_with_something_broken_is_opened_again() -> None:
    desk = two()
    page = desk.page()
    shut = page.model_copy(update={"state": "closing"})
    desk.book.store.pages[page.scope, page.generation] = shut

    assert desk.closing().conclude(page.ref) == desk.page()
    assert desk.page().state == "open"


def test_page_whose_lead_is_ill_is_left_alone() -> None:
    desk = Desk()
    desk.record(signal(1))

    concluded = desk.closing().conclude(desk.page().ref)

    assert concluded is not None
    assert (concluded.state, concluded.version) == ("open", 1)


def test_ended_page_stays_as_it_is() -> None:
    desk = Desk()
    desk.record(signal(1))
    desk.record(clear(2))

    assert desk.closing().conclude(desk.page().ref) == desk.page()


def test_race_about_the_end_is_decided_by_looking_again() -> None:
    desk = two()
    desk.record(clear(4, entity=gpu(2)))
    desk.stubborn.failures = [Stale("moved")]

    concluded = desk.closing().conclude(desk.page().ref)

    assert concluded is not None
    assert concluded.state == "resolved"


def test_race_that_is_lost_every_time_leaves_the_page_to_the_next_look() -> None:
    desk = two()
    desk.record(clear(4, entity=gpu(2)))
    desk.stubborn.failures = [Stale("moved")] * TRIES

    concluded = desk.closing().conclude(desk.page().ref)

    assert concluded == desk.page()
    assert desk.page().state == "open"


def test_wake_up_that_fails_after_the_end_is_left_to_the_sweep() -> None:
    desk = two()
    desk.record(clear(4, entity=gpu(2)))

    def fail(_: object) -> None:
        raise Unavailable("no queue")

    story = desk.closing(fail).story(desk.page().ref, shared=True)

    assert story is not None
    assert story.page.state == "resolved"
