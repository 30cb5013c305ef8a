"""incidents.ports.IncidentBook: what memory and DynamoDB both promise of incidents and pages."""

from dataclasses import replace

import pytest

from reflexarc.events.notice import Channel
from reflexarc.events.page import Entry, Step
from reflexarc.incidents.model import EVENTS_MAX, Commit, Hold, IncidentWrite, PageWrite
from reflexarc.incidents.ports import AlreadyRecorded, Stale
from tests.ports.conftest import Shelf
from tests.support.commits import joined, later, told, wrote
from tests.support.notices import NOW, at, incident, member, notice, page, scope_of

SLACK = "slack/C0PAGES"
PAGER = f"pagerduty/pagerduty/{scope_of(1)}"
OPENED = incident(1)
AGAIN = OPENED.model_copy(update={"version": 2, "count": 2})


# ---- incidents and their ledger ----


def test_unknown_incidents_are_left_out(shelf: Shelf) -> None:
    shelf.book.commit(wrote(OPENED))

    assert shelf.book.load(["0" * 32, OPENED.fingerprint]) == {OPENED.fingerprint: OPENED}


def test_nothing_asked_is_nothing_found(shelf: Shelf) -> None:
    assert shelf.book.load([]) == {}


def test_committed_incident_loads_as_it_was(shelf: Shelf) -> None:
    opened = incident(1, labels={"rack": "r1"}, evidence=("NVRM: Xid 79 é ☃",), why=("a", "b"))

    shelf.book.commit(wrote(opened))

    assert shelf.book.load([opened.fingerprint]) == {opened.fingerprint: opened}


def test_more_incidents_than_a_request_asks_for_all_load(shelf: Shelf) -> None:
    many = [incident(number, node=f"node-{number % 7}") for number in range(130)]
    for start in range(0, len(many), 65):
        writes = tuple(IncidentWrite(incident=each, expected=0) for each in many[start:][:65])
        shelf.book.commit(Commit(at=NOW, incidents=writes))
    named = [each.fingerprint for each in many]

    assert shelf.book.load([*named, *named]) == {each.fingerprint: each for each in many}


def test_next_version_replaces_the_last(shelf: Shelf) -> None:
    shelf.book.commit(wrote(OPENED))
    shelf.book.commit(wrote(AGAIN))

    assert shelf.book.load([OPENED.fingerprint]) == {OPENED.fingerprint: AGAIN}


def test_incident_that_changed_meanwhile_is_stale(shelf: Shelf) -> None:
    shelf.book.commit(wrote(OPENED))
    shelf.book.commit(wrote(AGAIN))

    with pytest.raises(Stale):
        shelf.book.commit(wrote(AGAIN.model_copy(update={"count": 7})))

    assert shelf.book.load([OPENED.fingerprint]) == {OPENED.fingerprint: AGAIN}


def test_opening_an_incident_that_exists_is_stale(shelf: Shelf) -> None:
    shelf.book.commit(wrote(OPENED))

    with pytest.raises(Stale):
        shelf.book.commit(wrote(OPENED))


def test_changing_an_incident_that_does_not_exist_is_stale(shelf: Shelf) -> None:
    with pytest.raises(Stale):
        shelf.book.commit(wrote(AGAIN))

    assert shelf.book.load([OPENED.fingerprint]) == {}


def test_recorded_event_is_refused_by_name_and_nothing_is_stored(shelf: Shelf) -> None:
    shelf.book.commit(wrote(OPENED, "one", "two"))

    with pytest.raises(AlreadyRecorded) as refusal:
        shelf.book.commit(wrote(AGAIN, "two", "three"))

    assert refusal.value.events == {"two"}
    assert shelf.book.load([OPENED.fingerprint]) == {OPENED.fingerprint: OPENED}
    shelf.book.commit(wrote(AGAIN, "three"))


def test_every_recorded_event_of_every_incident_is_named(shelf: Shelf) -> None:
    other = incident(2)
    both = Commit(at=NOW, incidents=wrote(OPENED, "a", "b").incidents + wrote(other, "c").incidents)
    shelf.book.commit(both)

    with pytest.raises(AlreadyRecorded) as refusal:
        shelf.book.commit(both)

    assert refusal.value.events == {"a", "b", "c"}


def test_recorded_event_goes_before_staleness(shelf: Shelf) -> None:
    shelf.book.commit(wrote(OPENED, "one"))
    stale = replace(wrote(AGAIN, "one", "two").incidents[0], expected=7)

    with pytest.raises(AlreadyRecorded):
        shelf.book.commit(Commit(at=NOW, incidents=(stale,)))


# ---- pages ----


def test_scope_without_a_page_has_none(shelf: Shelf) -> None:
    assert shelf.book.latest(scope_of(1)) is None
    assert shelf.book.page(page().ref) is None


def test_committed_page_reads_as_it_was(shelf: Shelf) -> None:
    opened = page(
        by={"rack": "r1"}, steps=(Step(kind="escalate", at=at(60), channels=("boss",)),), timer=3
    )

    shelf.book.commit(told(opened))

    assert shelf.book.page(opened.ref) == opened


def test_latest_page_of_a_scope_is_of_its_last_generation(shelf: Shelf) -> None:
    pages = [page(generation=generation) for generation in (9, 10, 11)]
    for each in pages:
        shelf.book.commit(told(each))
    shelf.book.commit(told(page(2, generation=12)))

    assert shelf.book.latest(scope_of(1)) == pages[-1]
    assert shelf.book.page(pages[0].ref) == pages[0]


def test_of_two_that_open_one_generation_one_is_stale_and_leaves_no_trace(shelf: Shelf) -> None:
    first = page(lead=OPENED)
    shelf.book.commit(told(first))
    rival = page(lead=incident(2), channels=(Channel(name="b", kind="slack", destination="C0B"),))

    with pytest.raises(Stale):
        shelf.book.commit(replace(told(rival), incidents=wrote(incident(2), "one").incidents))

    assert shelf.book.page(first.ref) == first
    assert shelf.book.load([incident(2).fingerprint]) == {}
    assert shelf.outbox.pending("slack/C0B") == ()
    shelf.book.commit(wrote(incident(2), "one"))


def test_page_that_changed_meanwhile_is_stale(shelf: Shelf) -> None:
    opened = page()
    acked = later(opened, state="acked")
    for each in (opened, acked):
        shelf.book.commit(told(each))

    with pytest.raises(Stale):
        shelf.book.commit(told(later(opened, state="resolved")))

    assert shelf.book.page(opened.ref) == acked


def test_incident_that_changed_meanwhile_keeps_its_page_as_it_was(shelf: Shelf) -> None:
    shelf.book.commit(replace(told(page()), incidents=wrote(OPENED).incidents))

    with pytest.raises(Stale):
        shelf.book.commit(
            replace(told(later(page(), state="resolved")), incidents=wrote(OPENED).incidents)
        )

    assert shelf.book.page(page().ref) == page()


def test_largest_commit_fits_one_transaction(shelf: Shelf) -> None:
    channels = tuple(
        Channel(name=f"slack-{number}", kind="slack", destination=f"C{number}")
        for number in range(8)
    )
    events = tuple(f"event-{number}" for number in range(EVENTS_MAX))
    wide = "\U0001f525" * 500
    opened = incident(1, labels={f"{number}": wide for number in range(40)})
    about = page(lead=opened, channels=channels)
    said = tuple(Entry(number=number, at=NOW, what=wide) for number in range(1, 4))
    largest = replace(
        told(about, said=said),
        incidents=wrote(opened, *events).incidents,
        joined=((page(2).ref, member(1)),),
        left=((page(3).ref, member(1)),),
        holds=(Hold(key="a", fingerprint="f"),),
        lifts=(Hold(key="b", fingerprint="f"),),
    )

    shelf.book.commit(largest)

    assert EVENTS_MAX < largest.size <= 100
    assert shelf.book.page(about.ref) == about
    assert shelf.book.owed(about.ref, channels) == {f"slack/C{number}" for number in range(8)}


# ---- members ----


def test_page_without_members_has_none(shelf: Shelf) -> None:
    assert shelf.book.members(page().ref) == ()


def test_members_come_in_the_order_in_which_they_joined(shelf: Shelf) -> None:
    members = [
        member(number, node=f"node-{number % 5}", joined_at=at(100 - number))
        for number in range(40)
    ]
    twins = (member(90, "b", joined_at=NOW), member(91, "a", joined_at=NOW))
    shelf.book.commit(joined(page(), *members, *twins))

    assert shelf.book.members(page().ref) == (twins[1], twins[0], *reversed(members))


def test_members_of_one_node_are_found_whatever_it_is_called(shelf: Shelf) -> None:
    names = ["node-1", "node-1#2", "node-11", "é" * 5_000, ""]
    members = {name: member(number, name) for number, name in enumerate(names)}
    shelf.book.commit(joined(page(), *members.values()))

    for name, expected in members.items():
        assert shelf.book.members(page().ref, name) == (expected,)
    assert shelf.book.members(page().ref, "node-9") == ()


def test_more_members_than_a_page_of_rows_all_come(shelf: Shelf) -> None:
    wide = '"' * 20_000  # two bytes each in JSON
    for number in range(40):
        shelf.book.commit(joined(page(), member(number, title=wide)))

    members = shelf.book.members(page().ref)

    # A query answers at most 1 MB at once.
    assert [each.entity.device for each in members] == [f"0000:{n:02x}:00" for n in range(40)]


def test_member_that_changes_replaces_itself(shelf: Shelf) -> None:
    healed = member(2, state="resolved", version=2)
    shelf.book.commit(joined(page(), member(2), member(3)))

    shelf.book.commit(joined(page(), healed))

    assert shelf.book.members(page().ref) == (healed, member(3))


def test_member_moves_from_one_page_to_the_next(shelf: Shelf) -> None:
    shelf.book.commit(joined(page(), member(2)))
    there = page(generation=2)

    shelf.book.commit(
        Commit(at=NOW, left=((page().ref, member(2)),), joined=((there.ref, member(2)),))
    )

    assert shelf.book.members(page().ref) == ()
    assert shelf.book.members(there.ref) == (member(2),)


def test_stale_commit_moves_no_member(shelf: Shelf) -> None:
    shelf.book.commit(joined(page(), member(2)))

    with pytest.raises(Stale):
        shelf.book.commit(
            replace(
                wrote(AGAIN),
                left=((page().ref, member(2)),),
                joined=((page().ref, member(3)),),
                holds=(Hold(key="bus", fingerprint="f"),),
            )
        )

    assert shelf.book.members(page().ref) == (member(2),)
    assert shelf.book.held_by("bus") == frozenset()


# ---- what inhibits ----


def test_open_incidents_hold_until_each_is_lifted(shelf: Shelf) -> None:
    key = f"node-down\x1f{'é' * 3_000}"
    a, b = incident(1), incident(2)
    holds = tuple(Hold(key=key, fingerprint=each.fingerprint) for each in (a, b))
    shelf.book.commit(replace(wrote(a), holds=holds))
    shelf.book.commit(replace(wrote(b), holds=holds[:1]))
    assert shelf.book.held_by(key) == {a.fingerprint, b.fingerprint}

    shelf.book.commit(Commit(at=NOW, lifts=(holds[0],)))

    assert shelf.book.held_by(key) == {b.fingerprint}
    assert shelf.book.held_by("other") == frozenset()


def test_hold_that_was_never_lifted_ends_with_its_incident(shelf: Shelf) -> None:
    hold = Hold(key="bus", fingerprint=OPENED.fingerprint)
    unknown = Hold(key="bus", fingerprint="f")
    shelf.book.commit(replace(wrote(OPENED), holds=(hold, unknown)))
    assert shelf.book.held_by("bus") == {OPENED.fingerprint}

    shelf.book.commit(wrote(AGAIN.model_copy(update={"state": "resolved"})))

    assert shelf.book.held_by("bus") == frozenset()


def test_some_of_many_that_hold_are_enough(shelf: Shelf) -> None:
    for number in range(1, 121):
        one = incident(number)
        hold = Hold(key="bus", fingerprint=one.fingerprint)
        shelf.book.commit(replace(wrote(one), holds=(hold,)))

    assert len(shelf.book.held_by("bus")) > 1


def test_lifting_what_does_not_hold_is_nothing(shelf: Shelf) -> None:
    shelf.book.commit(Commit(at=NOW, lifts=(Hold(key="bus", fingerprint="a"),)))

    assert shelf.book.held_by("bus") == frozenset()


# ---- what is owed ----


def test_unsent_notices_are_owed_by_group(shelf: Shelf) -> None:
    shelf.book.commit(told(page()))

    assert shelf.book.owed(page().ref, page().channels) == {SLACK, PAGER}


def test_only_channels_that_are_named_are_owed(shelf: Shelf) -> None:
    shelf.book.commit(told(page()))

    assert shelf.book.owed(page().ref, page().channels[:1]) == {SLACK}
    assert shelf.book.owed(page().ref, ()) == frozenset()


def test_other_pages_of_the_group_are_not_owed(shelf: Shelf) -> None:
    shelf.book.commit(told(page(2)))
    shelf.book.commit(told(page(generation=2)))

    assert shelf.book.owed(page().ref, page().channels) == frozenset()


def test_page_that_nobody_is_told_owes_nothing(shelf: Shelf) -> None:
    quiet = page(channels=())

    shelf.book.commit(told(quiet))

    assert shelf.book.page(quiet.ref) == quiet
    assert shelf.book.mark(quiet, NOW) == frozenset()
    assert shelf.outbox.pending(SLACK) == ()


def test_notice_is_there_with_its_page(shelf: Shelf) -> None:
    write = PageWrite(page=page(), expected=0)
    shelf.book.commit(Commit(at=NOW, pages=(write,), notices=(notice(fresh=True),)))

    [owed] = shelf.outbox.pending(SLACK)

    assert owed.stamp
    assert owed == notice(fresh=True, stamp=owed.stamp)
