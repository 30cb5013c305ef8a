"""incidents.ports.IncidentBook: what memory and DynamoDB both promise."""

from dataclasses import replace

import pytest

from reflexarc.events.notice import Channel
from reflexarc.events.severity import Severity
from reflexarc.incidents.model import EVENTS_MAX, Change, Routing
from reflexarc.incidents.ports import AlreadyRecorded, Stale
from reflexarc.notify.model import Lease
from tests.ports.conftest import Shelf
from tests.support.incidents import (
    GPU,
    NOW,
    ROUTING,
    attempt,
    change,
    clear,
    signal,
    ulid_of,
)

SLACK = "slack/C0PAGES"
PAGER = f"pagerduty/pagerduty/{GPU.fingerprint}"


def event(number: int) -> str:
    return f"{ulid_of(number)}|{GPU.fingerprint}"


def settle(shelf: Shelf, group: str, fingerprint: str = GPU.fingerprint) -> None:
    lease = shelf.outbox.acquire(group, "settler", NOW)
    assert isinstance(lease, Lease)
    notices = tuple(
        notice
        for notice in shelf.outbox.pending(group)
        if notice.incident.fingerprint == fingerprint
    )
    shelf.outbox.settle(lease, notices, None, attempt())
    assert shelf.outbox.release(lease)


def test_unknown_incident_is_none(shelf: Shelf) -> None:
    assert shelf.book.load("0" * 32) is None


def test_committed_incident_loads_as_it_was(shelf: Shelf) -> None:
    opened = change(signal(1, labels={"rack": "r1"}, evidence=("NVRM: Xid 79 é ☃",), seq=3))

    shelf.book.commit(opened)

    assert shelf.book.load(GPU.fingerprint) == opened.incident


def test_next_version_replaces_the_last(shelf: Shelf) -> None:
    opened = change(signal(1))
    joined = change(signal(2), after=opened)

    shelf.book.commit(opened)
    shelf.book.commit(joined)

    assert shelf.book.load(GPU.fingerprint) == joined.incident


def test_notices_of_a_change_appear_in_the_outbox(shelf: Shelf) -> None:
    opened = change(signal(1))

    shelf.book.commit(opened)

    by_group = {notice.group: (notice,) for notice in opened.notices}
    assert set(by_group) == {SLACK, PAGER}
    for group, notices in by_group.items():
        assert shelf.outbox.pending(group) == notices


def test_change_of_an_incident_that_changed_meanwhile_is_stale(shelf: Shelf) -> None:
    opened = change(signal(1))
    shelf.book.commit(opened)
    joined = change(signal(2), after=opened)
    shelf.book.commit(joined)

    with pytest.raises(Stale):
        shelf.book.commit(change(signal(3), after=opened))

    assert shelf.book.load(GPU.fingerprint) == joined.incident


def test_opening_an_incident_that_exists_is_stale(shelf: Shelf) -> None:
    shelf.book.commit(change(signal(1)))

    with pytest.raises(Stale):
        shelf.book.commit(change(signal(2)))


def test_changing_an_incident_that_does_not_exist_is_stale(shelf: Shelf) -> None:
    joined = change(signal(2), after=change(signal(1)))

    with pytest.raises(Stale):
        shelf.book.commit(joined)

    assert shelf.book.load(GPU.fingerprint) is None


def test_stale_change_leaves_no_trace(shelf: Shelf) -> None:
    opened = change(signal(1, severity=Severity.WARNING))
    shelf.book.commit(opened)
    rival = change(signal(2), after=opened)
    shelf.book.commit(change(signal(3, severity=Severity.WARNING), after=opened))

    with pytest.raises(Stale):
        shelf.book.commit(rival)

    assert shelf.outbox.pending(PAGER) == ()
    again = replace(rival, expected_version=2)
    shelf.book.commit(again)
    assert len(shelf.outbox.pending(PAGER)) == 1


def test_recorded_event_is_refused_by_name_and_nothing_is_stored(shelf: Shelf) -> None:
    opened = change(signal(1), signal(2))
    shelf.book.commit(opened)

    with pytest.raises(AlreadyRecorded) as refusal:
        shelf.book.commit(change(signal(2), signal(3), after=opened))

    assert refusal.value.events == {event(2)}
    assert shelf.book.load(GPU.fingerprint) == opened.incident
    shelf.book.commit(change(signal(3), after=opened))


def test_every_recorded_event_is_named(shelf: Shelf) -> None:
    opened = change(signal(1), signal(2))
    shelf.book.commit(opened)

    with pytest.raises(AlreadyRecorded) as refusal:
        shelf.book.commit(opened)

    assert refusal.value.events == {event(1), event(2)}


def test_recorded_event_goes_before_staleness(shelf: Shelf) -> None:
    opened = change(signal(1))
    shelf.book.commit(opened)

    with pytest.raises(AlreadyRecorded):
        shelf.book.commit(replace(change(signal(1), signal(2)), expected_version=7))


def test_same_message_about_two_things_is_two_events(shelf: Shelf) -> None:
    other = GPU.model_copy(update={"device": "0000:5e:00"})

    shelf.book.commit(change(signal(1)))
    shelf.book.commit(change(signal(1, entity=other)))

    assert shelf.book.load(other.fingerprint) is not None


def test_largest_change_fits_one_transaction(shelf: Shelf) -> None:
    channels = tuple(
        Channel(name=f"slack-{number}", kind="slack", destination=f"C{number}")
        for number in range(8)
    )
    routing = Routing(
        channels=channels,
        routes=(
            ROUTING.routes[0].model_copy(update={"channels": tuple(c.name for c in channels)}),
        ),
    )
    opened = change(signal(0), routing=routing)
    shelf.book.commit(opened)
    wide = "\U0001f525" * 500
    signals = [
        signal(
            n,
            seq=n,
            kind="clear" if n in {3, EVENTS_MAX} else "fire",
            cause=f"xid/{n}",
            title=wide,
            meaning=wide,
            labels={f"{k}": wide for k in range(40)},
        )
        for n in range(1, EVENTS_MAX + 1)
    ]

    largest = change(*signals, routing=routing, after=opened)
    shelf.book.commit(largest)

    assert (len(largest.events), len(largest.notices)) == (EVENTS_MAX, 32)
    assert shelf.book.load(GPU.fingerprint) == largest.incident


def test_unsent_notices_are_owed_by_group(shelf: Shelf) -> None:
    shelf.book.commit(change(signal(1)))

    assert shelf.book.owed(GPU.fingerprint) == {SLACK, PAGER}


def test_nothing_is_owed_for_an_unknown_incident(shelf: Shelf) -> None:
    assert shelf.book.owed("0" * 32) == frozenset()


def test_settled_notices_are_owed_no_more(shelf: Shelf) -> None:
    shelf.book.commit(change(signal(1)))
    settle(shelf, SLACK)

    assert shelf.book.owed(GPU.fingerprint) == {PAGER}


def test_other_incidents_of_the_group_are_not_owed(shelf: Shelf) -> None:
    other = GPU.model_copy(update={"device": "0000:5e:00"})
    shelf.book.commit(change(signal(1)))
    shelf.book.commit(change(signal(2, entity=other)))
    settle(shelf, PAGER)
    settle(shelf, SLACK, GPU.fingerprint)

    assert shelf.book.owed(GPU.fingerprint) == frozenset()
    assert SLACK in shelf.book.owed(other.fingerprint)


def test_groups_of_earlier_changes_stay_owed(shelf: Shelf) -> None:
    opened = change(signal(1))
    counted = change(signal(2), after=opened)
    resolved = change(clear(3), after=counted)
    for step in (opened, counted, resolved):
        shelf.book.commit(step)

    assert shelf.book.owed(GPU.fingerprint) == {SLACK, PAGER}


def test_change_is_whole_even_without_notices(shelf: Shelf) -> None:
    quiet: Change = change(signal(1, severity=Severity.INFO))

    shelf.book.commit(quiet)

    assert shelf.book.load(GPU.fingerprint) == quiet.incident
    assert shelf.book.owed(GPU.fingerprint) == frozenset()
