"""Recording signals: each event counts once, each change is told, whoever races."""

from collections.abc import Collection, Iterable, Mapping

import pytest

from reflexarc.events.incident import Incident
from reflexarc.events.page import Page
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Signal
from reflexarc.incidents.model import EVENTS_MAX, ITEMS_MAX
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, Stale
from reflexarc.incidents.races import TRIES
from reflexarc.incidents.rules import HEALTHY, event_of
from reflexarc.incidents.service import OUTAGE
from reflexarc.kernel.errors import Unavailable, Unreadable
from reflexarc.kernel.pause import jittered_pause
from tests.support.desk import Desk
from tests.support.incidents import GPU, NOW, at, clear, signal, ulid_of

SLACK = "slack/C0PAGES"


class BrokenWakeUps:
    def wake(self, groups: Iterable[str]) -> None:
        raise Unavailable(f"cannot wake {sorted(groups)}")


def gpu(number: int) -> Entity:
    return Entity(kind="gpu", node=f"node-{number}", device="0000:3b:00")


def storm(number: int, start: int = 1) -> list[Signal]:
    return [signal(n, entity=gpu(n)) for n in range(start, start + number)]


def pager(page: Page) -> str:
    return f"pagerduty/pagerduty/{page.scope}"


def test_fault_is_stored_and_its_senders_are_woken_once() -> None:
    desk = Desk()

    desk.record(signal(1), signal(2))

    assert desk.incident(signal()).count == 2
    assert desk.wake_ups.woken == [pager(desk.page()), SLACK]


def test_nothing_to_tell_wakes_nobody() -> None:
    desk = Desk()
    desk.record(signal(1))
    desk.told()

    desk.record(signal(2))

    assert desk.wake_ups.woken == []


def test_no_signals_do_nothing() -> None:
    assert Desk().service().record([]) == frozenset()


def test_redelivery_changes_nothing_and_wakes_what_is_unsent() -> None:
    desk = Desk()
    desk.record(signal(1))
    before = desk.incident(signal()), desk.page()
    desk.wake_ups.woken.clear()

    desk.record(signal(1))

    assert (desk.incident(signal()), desk.page()) == before
    assert sorted(desk.wake_ups.woken) == [pager(desk.page()), SLACK]


def test_redelivery_of_what_nobody_is_told_of_wakes_nobody() -> None:
    desk = Desk()
    desk.record(signal(1, severity=Severity.INFO))

    desk.record(signal(1, severity=Severity.INFO))

    assert desk.wake_ups.woken == []


def test_redelivery_after_everything_was_told_wakes_nobody() -> None:
    desk = Desk()
    desk.record(signal(1))
    desk.told()

    desk.record(signal(1))

    assert (desk.wake_ups.woken, desk.behind()) == ([], [])


def test_new_signals_beside_seen_ones_are_counted_alone() -> None:
    desk = Desk()
    desk.record(signal(1, count=3))

    desk.record(signal(1, count=3), signal(2, count=4))

    assert desk.incident(signal()).count == 7


def test_seen_things_beside_new_ones_in_a_bundle_are_left_alone() -> None:
    desk = Desk()
    desk.record(*storm(2))

    desk.record(*storm(4))

    assert [desk.incident(each).count for each in storm(4)] == [1, 1, 1, 1]


def test_lost_race_reads_again_and_decides_again() -> None:
    desk = Desk()
    desk.stubborn.before["commit"] = [lambda: desk.record(signal(9))]

    desk.record(signal(1))

    incident = desk.incident(signal())
    assert (incident.count, incident.version, incident.generation) == (2, 2, 1)


def test_two_that_open_one_page_at_once_end_on_one_page() -> None:
    desk = Desk()
    desk.stubborn.before["commit"] = [lambda: desk.record(signal(9, entity=gpu(9)))]

    desk.record(signal(1, entity=gpu(1)))

    assert desk.page().lead.entity.node == "node-9"
    assert [member.entity.node for member in desk.members(desk.page())] == ["node-1"]


def test_bundle_that_keeps_losing_is_cut_until_each_is_stored() -> None:
    desk = Desk()
    desk.stubborn.failures = [Conflict("busy"), Stale("moved"), None, Conflict("busy")]

    desk.record(*storm(4))

    assert len(desk.members(desk.page())) == 3


def test_race_lost_every_time_is_asked_for_again() -> None:
    desk = Desk()
    desk.stubborn.failures = [Stale("moved")] * TRIES

    retry = desk.service().record([signal(1), signal(2, entity=gpu(2))][:1])

    assert retry == {ulid_of(1)}
    assert len(desk.pauses) == TRIES


def test_store_that_is_down_is_not_asked_for_ever() -> None:
    desk = Desk()
    desk.stubborn.failures = [Unavailable("down")] * 9
    things = [signal(n, entity=gpu(n), cause=f"xid/{n}") for n in range(1, 100)]

    retry = desk.service().record(things)

    assert retry == {each.id for each in things}
    assert len(desk.stubborn.commits) == OUTAGE


def test_lost_answer_counts_once() -> None:
    desk = Desk()

    def lose() -> None:
        raise Unavailable("no answer")

    desk.stubborn.after["commit"] = [lose]

    assert desk.service().record([signal(1)]) == {ulid_of(1)}
    desk.record(signal(1))

    assert desk.incident(signal()).count == 1
    assert desk.wake_ups.woken == [pager(desk.page()), SLACK]


def test_member_whose_recorder_died_before_it_was_noted_is_noted_by_the_redelivery() -> None:
    desk = Desk()
    desk.record(signal(1))
    desk.told()

    def die() -> None:
        raise Unavailable("died")

    desk.stubborn.before["mark"] = [die]
    assert desk.service().record([signal(2, entity=gpu(2))]) == {ulid_of(2)}
    assert desk.behind() == []

    desk.record(signal(2, entity=gpu(2)))
    assert desk.behind() == ["pagerduty", "slack"]


def test_page_that_an_incident_left_hears_of_what_a_dead_recorder_had_changed_there() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))
    left = desk.page()
    desk.told()

    def die() -> None:
        raise Unavailable("died")

    # Its repair is stored, but the page's channels are not told; then it breaks on another page.
    desk.stubborn.before["mark"] = [die]
    repaired = clear(3, entity=gpu(2))
    assert desk.service().record([repaired]) == {ulid_of(3)}
    desk.act("resolve", left)
    desk.record(signal(4, entity=gpu(2)))
    desk.told()
    assert desk.incident(signal(4, entity=gpu(2))).was == (left.ref,)

    desk.record(repaired)

    assert {notice.page for rows in desk.book.store.rows.values() for notice in rows.values()} >= {
        left.ref
    }


def test_wake_up_that_fails_is_sent_by_the_redelivery() -> None:
    desk = Desk()

    retry = desk.service(wake_ups=BrokenWakeUps()).record([signal(1)])
    assert retry == {ulid_of(1)}

    desk.record(signal(1))
    assert desk.wake_ups.woken == [pager(desk.page()), SLACK]


def test_incident_that_joins_while_its_page_is_shut_is_told_on_a_page_of_its_own() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)))
    # The newcomer has read the page as open; before it commits, the lead is well and all is over.
    desk.stubborn.before["commit"] = [lambda: desk.record(clear(2, entity=gpu(1)))]

    desk.record(signal(3, entity=gpu(3)))

    ended, fresh = desk.pages()
    assert (ended.state, fresh.state) == ("resolved", "open")
    assert fresh.lead.entity.node == "node-3"
    assert desk.members(ended) == ()
    assert desk.incident(signal(3, entity=gpu(3))).page == fresh.ref
    assert "ended meanwhile" in fresh.lead.why[-2]
    assert "pagerduty" in desk.behind()


def test_channel_that_is_told_while_an_incident_joins_hears_of_it_too() -> None:
    desk = Desk()
    mild = {"cause": "xid/63", "severity": Severity.WARNING}
    desk.record(signal(1, entity=gpu(1), **mild))  # type: ignore[arg-type]

    def rise() -> None:
        desk.record(signal(2, entity=gpu(1), cause="xid/48"))
        desk.told()

    # The newcomer has read whom the page is told to; meanwhile a further channel is, and knows all.
    desk.stubborn.before["commit"] = [rise]

    desk.record(signal(3, entity=gpu(3), **mild))  # type: ignore[arg-type]

    assert desk.behind() == ["pagerduty", "slack"]


def test_incident_whose_page_vanishes_as_it_joins_is_told_anew() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)))
    desk.stubborn.after["commit"] = [desk.book.store.pages.clear]

    desk.record(signal(3, entity=gpu(3)))

    assert desk.page().lead.entity.node == "node-3"


def test_incident_that_joined_before_its_page_was_shut_keeps_it_open() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)))
    # It commits between the moment at which the page is shut and the look at its members.
    desk.stubborn.before["members"] = [lambda: desk.record(signal(3, entity=gpu(3)))]

    desk.record(clear(2, entity=gpu(1)))

    assert "open" in {page.state for page in desk.pages()}
    incident = desk.incident(signal(3, entity=gpu(3)))
    home = next(page for page in desk.pages() if page.ref == incident.page)
    assert home.state == "open"


def test_newcomer_waits_for_whoever_is_looking_whether_the_page_is_over() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))
    page = desk.page()
    shut = page.model_copy(update={"state": "closing"})
    store = desk.book.store.pages

    def begin() -> None:
        store[page.scope, page.generation] = shut

    def end() -> None:
        store[page.scope, page.generation] = page

    desk.stubborn.after["commit"] = [begin]
    desk.stubborn.after["page"] = [end]

    desk.record(signal(3, entity=gpu(3)))

    assert len(desk.pages()) == 1
    assert len(desk.pauses) == 1


def test_newcomer_concludes_a_page_that_somebody_shut_and_died_at() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)), signal(2, entity=gpu(2)))
    page = desk.page()
    store = desk.book.store.pages

    def shut() -> None:
        store[page.scope, page.generation] = page.model_copy(update={"state": "closing"})

    desk.stubborn.after["commit"] = [shut]

    desk.record(signal(3, entity=gpu(3)))

    assert desk.page().state == "open"
    assert len(desk.members(desk.page())) == 2
    assert len(desk.pauses) == TRIES


def test_rehoming_that_loses_its_races_is_asked_for_again_and_then_done() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)))
    desk.stubborn.before["commit"] = [lambda: desk.record(clear(2, entity=gpu(1)))]
    # The clear's commit, its conclusion's and the newcomer's own come first.
    desk.stubborn.failures = [None] * 3 + [Stale("moved")] * TRIES

    retry = desk.service().record([signal(3, entity=gpu(3))])
    assert retry == {ulid_of(3)}

    desk.record(signal(3, entity=gpu(3)))
    incident = desk.incident(signal(3, entity=gpu(3)))
    assert incident.page == desk.pages()[-1].ref


def test_incident_that_is_well_again_needs_no_home() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(1)))
    late = signal(3, entity=gpu(3), seq=1)

    def end_all() -> None:
        desk.record(clear(2, entity=gpu(1)))

    desk.stubborn.before["commit"] = [end_all]
    desk.stubborn.after["commit"] = [
        lambda: None,
        lambda: None,
        lambda: desk.record(clear(4, entity=gpu(3), seq=2)),
    ]

    desk.record(late)

    assert desk.incident(late).state == "resolved"
    assert [page.state for page in desk.pages()] == ["resolved"]


def test_node_that_says_it_is_healthy_of_what_was_never_ill_leaves_nothing() -> None:
    desk = Desk()

    desk.record(clear(1, cause=HEALTHY))

    assert desk.book.store.incidents == {}


def test_node_that_booted_healthy_ends_what_was_broken_before() -> None:
    desk = Desk()
    desk.record(signal(1, seq=5, boot="old"))

    desk.record(clear(2, cause=HEALTHY, seq=2, boot="new"))

    assert desk.page().state == "resolved"


def test_many_things_are_stored_in_few_transactions_that_each_fit() -> None:
    desk = Desk()

    desk.record(*storm(200))

    sizes = [commit.size for commit in desk.stubborn.commits]
    assert len(sizes) < 15
    assert max(sizes) <= ITEMS_MAX
    assert len(desk.members(desk.page())) == 199


def test_many_things_that_each_open_a_page_of_their_own_are_stored_in_halves() -> None:
    desk = Desk()

    desk.record(
        *(fault.model_copy(update={"cause": f"odd/{n}"}) for n, fault in enumerate(storm(40)))
    )

    assert len(desk.pages()) == 40
    assert max(commit.size for commit in desk.stubborn.commits) <= ITEMS_MAX


@pytest.mark.parametrize("events", [EVENTS_MAX, 2 * EVENTS_MAX + 1])
def test_long_batch_about_one_thing_is_cut_to_what_a_transaction_holds(events: int) -> None:
    desk = Desk()

    desk.record(*(signal(n, seq=n) for n in range(events)))

    assert max(commit.size for commit in desk.stubborn.commits) <= ITEMS_MAX
    assert desk.incident(signal()).count == events


def test_what_one_message_says_of_a_thing_is_never_split() -> None:
    desk = Desk()
    faults = [signal(n, seq=n, cause=f"xid/{m}") for n in range(EVENTS_MAX + 1) for m in (48, 63)]

    desk.record(*faults)

    commits = [write.events for commit in desk.stubborn.commits for write in commit.incidents]
    assert [len(events) for events in commits] == [EVENTS_MAX, 1]
    assert desk.incident(signal()).count == 2 * (EVENTS_MAX + 1)


def test_things_that_were_recorded_by_somebody_else_meanwhile_are_taken_for_done() -> None:
    desk = Desk()
    desk.stubborn.failures = [AlreadyRecorded([event_of(signal(1))])]

    desk.record(signal(1))

    assert desk.book.store.incidents == {}


def test_pause_after_a_lost_race_is_short() -> None:
    jittered_pause(0)


def test_two_copies_of_one_message_in_a_batch_count_once() -> None:
    desk = Desk()
    message = [signal(1, cause="xid/48", count=2), signal(1, cause="xid/63", count=3)]
    hops = Hops(observed_at=NOW, sent_at=at(4), queued_at=at(5))
    sent_again = [fault.model_copy(update={"hops": hops, "sent_at": at(4)}) for fault in message]

    desk.record(*message, signal(2), *sent_again)

    assert desk.incident(signal()).count == 6
    assert desk.incident(signal()).entity == GPU


def test_incident_that_this_version_cannot_read_keeps_no_other_from_being_stored() -> None:
    desk = Desk()
    faults = storm(9)
    odd = faults[4].entity.fingerprint

    class Odd:
        def __getattr__(self, name: str) -> object:
            return getattr(desk.stubborn, name)

        def load(self, fingerprints: Collection[str]) -> Mapping[str, Incident]:
            if odd in fingerprints:
                raise Unreadable("incident/2")
            return desk.book.load(fingerprints)

    again = desk.service(book=Odd()).record(faults)

    assert again == {faults[4].id}
    assert len(desk.book.store.incidents) == 8
