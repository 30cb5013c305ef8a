"""What people do to pages."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.events.incident import PageRef
from reflexarc.events.page import Page, Silence
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.incidents.document import Inhibition, Match
from reflexarc.incidents.ending import AT_ONCE
from reflexarc.incidents.model import ITEMS_MAX
from reflexarc.incidents.ports import Conflict, Stale
from reflexarc.incidents.races import TRIES
from reflexarc.kernel.errors import Unavailable
from tests.support.desk import ALICE, BOB, Desk
from tests.support.incidents import NOW, at, clear, signal


def gpu(number: int) -> Entity:
    return Entity(kind="gpu", node=f"node-{number}", device="0000:3b:00")


def open_page(incidents: int = 1) -> Desk:
    desk = Desk()
    desk.record(*(signal(n, entity=gpu(n)) for n in range(1, incidents + 1)))
    desk.told()
    return desk


def last(page: Page) -> tuple[str, str]:
    return page.history[-1].what, page.history[-1].by


def test_ack_is_told_to_every_channel_with_the_person() -> None:
    desk = open_page()

    desk.act("ack", desk.page())

    page = desk.page()
    assert (page.state, page.acked_by, page.acked_at) == ("acked", "alice", NOW)
    assert last(page) == ("acknowledged", "alice")
    assert desk.behind() == ["pagerduty", "slack"]
    assert len(desk.wake_ups.woken) == 2


def test_second_ack_of_the_same_person_is_silent_and_of_another_is_answered() -> None:
    desk = open_page()
    desk.act("ack", desk.page())

    desk.act("ack", desk.page())
    assert desk.answers.said == []

    desk.act("ack", desk.page(), BOB)
    assert desk.answers.said == [
        ("C0PAGES|1.0", "U2", "alice has it already, since 2026-03-01 12:00:00 UTC.")
    ]
    assert desk.page().acked_by == "alice"


@pytest.mark.parametrize("act", ["ack", "silence", "resolve", "not_a_fault"])
def test_who_acts_on_what_was_resolved_a_second_ago_is_told_so(act: str) -> None:
    desk = open_page()
    desk.record(clear(9, entity=gpu(1)))
    before = desk.page()

    desk.act(act, before)  # type: ignore[arg-type]

    assert desk.page() == before
    [(_, person, text)] = desk.answers.said
    assert person == "U1"
    assert text == "This was resolved already, at 2026-03-01 12:00:00 UTC: nothing was done."


def test_page_that_is_resolved_while_somebody_acks_it_stays_resolved() -> None:
    desk = open_page()
    desk.stubborn.before["commit"] = [lambda: desk.record(clear(9, entity=gpu(1)))]

    desk.act("ack", desk.page())

    assert desk.page().state == "resolved"
    assert "resolved already" in desk.answers.said[0][2]


def test_page_that_is_not_known_is_said_to_be_none() -> None:
    desk = open_page()
    gone = desk.page().model_copy(update={"scope": "f" * 32})

    desk.act("ack", gone)

    assert "not known" in desk.answers.said[0][2]


def test_page_that_vanishes_under_an_act_is_said_to_be_gone() -> None:
    desk = open_page()
    page = desk.page()
    desk.stubborn.after["page"] = [desk.book.store.pages.clear]

    desk.act("ack", page)
    assert desk.answers.said[-1][2] == "This page is gone."

    desk.book.store.pages[page.scope, page.generation] = page
    desk.stubborn.after["page"] = [desk.book.store.pages.clear]
    desk.act("silence", page)
    assert desk.silences.active(NOW) == ()


def test_answer_that_cannot_be_given_loses_nothing() -> None:
    desk = open_page()
    desk.act("ack", desk.page())
    desk.answers.trouble = [Unavailable("Slack is away")]

    desk.act("ack", desk.page(), BOB)

    assert desk.page().acked_by == "alice"


def test_who_waits_for_no_answer_gets_none() -> None:
    desk = open_page()
    desk.act("ack", desk.page())

    desk.act("ack", desk.page(), BOB, reply_to="")

    assert desk.answers.said == []


def test_silence_of_a_page_of_one_covers_its_thing_for_an_hour() -> None:
    desk = open_page()

    desk.act("silence", desk.page())

    [silence] = desk.silences.active(NOW)
    assert silence.labels == {"kind": "gpu", "node": "node-1", "device": "0000:3b:00"}
    assert (silence.ends_at, silence.author) == (NOW + timedelta(hours=1), "alice")
    assert last(desk.page()) == ("silenced until 2026-03-01 13:00 UTC", "alice")
    assert desk.behind() == ["pagerduty", "slack"]


def test_silence_of_a_page_of_many_covers_its_cause_within_its_group() -> None:
    desk = Desk()
    desk.record(*(signal(n, entity=gpu(n), labels={"cluster": "east"}) for n in (1, 2)))

    desk.act("silence", desk.page(), for_s=600, reason="new firmware")

    [silence] = desk.silences.active(NOW)
    assert silence.labels == {"cause": "xid/79", "cluster": "east"}
    assert (silence.reason, silence.ends_at) == ("new firmware", at(600))


def test_star_in_a_nodes_name_does_not_silence_the_fleet() -> None:
    desk = Desk()
    desk.record(signal(1, entity=Entity(kind="gpu", node="*", device="*")))

    desk.act("silence", desk.page())

    [silence] = desk.silences.active(NOW)
    assert silence.labels == {"kind": "gpu", "node": "?", "device": "?"}


def test_silence_that_is_delivered_twice_is_one() -> None:
    desk = open_page()
    action = desk.act("silence", desk.page())
    before = desk.page()

    desk.acts().apply(action)

    assert (desk.page(), len(desk.silences.active(NOW))) == (before, 1)


def test_resolve_by_a_person_ends_every_incident_and_says_who() -> None:
    desk = open_page(AT_ONCE + 3)

    desk.act("resolve", desk.page(), reason="rack was moved")

    page = desk.page()
    assert (page.state, page.resolved_by) == ("resolved", "alice")
    assert {member.state for member in desk.members(page)} == {"resolved"}
    incident = desk.incident(signal(2, entity=gpu(2)))
    assert (incident.state, incident.marks) == ("resolved", ("resolved by alice: rack was moved",))
    assert page.history[-1].by == "alice"
    assert desk.behind() == ["pagerduty", "slack"]


def test_page_that_somebody_joins_while_it_is_resolved_stays_open_and_is_nobodys_word() -> None:
    desk = open_page(2)
    # The newcomer comes when all members were read and ended, before the page is shut.
    desk.stubborn.after["commit"] = [lambda: desk.record(signal(9, entity=gpu(9)))]

    desk.act("resolve", desk.page())

    page = desk.page()
    assert (page.state, page.resolved_by) == ("open", "")
    assert desk.answers.said[-1][2] == "1 more joined meanwhile: the page stays open for them."
    assert desk.incident(signal(9, entity=gpu(9))).state == "open"


def test_not_a_fault_is_kept_with_the_incident() -> None:
    desk = open_page()

    desk.act("not_a_fault", desk.page())

    assert desk.incident(signal(1, entity=gpu(1))).marks == ("not a fault, says alice",)
    assert ("not a fault", "alice") in [(each.what, each.by) for each in desk.page().history]


def test_why_a_person_resolved_a_page_is_in_its_history_once() -> None:
    desk = open_page()
    action = desk.act("resolve", desk.page(), reason="rack was moved")
    desk.acts().apply(action)

    said = [each.what for each in desk.page().history]
    assert said.count("why: rack was moved") == 1


def test_fault_after_a_person_resolved_pages_anew() -> None:
    desk = open_page()
    desk.act("resolve", desk.page())

    desk.record(signal(9, entity=gpu(1)))

    assert [page.state for page in desk.pages()] == ["resolved", "open"]


def test_resolve_that_is_delivered_twice_changes_nothing() -> None:
    desk = open_page(3)
    action = desk.act("resolve", desk.page())
    before = desk.page()

    desk.acts().apply(action)

    assert desk.page() == before


def test_resolve_goes_on_where_a_crash_stopped_it() -> None:
    desk = open_page(4)
    desk.stubborn.failures = [None, Unavailable("died")]
    action = desk.act

    with pytest.raises(Unavailable, match="died"):
        action("resolve", desk.page())
    assert desk.page().state == "open"

    action("resolve", desk.page())
    assert desk.page().state == "resolved"


def test_members_that_are_well_already_are_not_ended_again() -> None:
    desk = open_page(3)
    desk.record(clear(9, entity=gpu(2)))

    desk.act("resolve", desk.page())

    assert desk.incident(signal(2, entity=gpu(2))).marks == ()


def test_lead_that_is_well_already_is_not_ended_again() -> None:
    desk = open_page(3)
    desk.record(clear(9, entity=gpu(1)))

    desk.act("resolve", desk.page())

    assert desk.incident(signal(1, entity=gpu(1))).marks == ()
    assert desk.page().state == "resolved"


def test_races_with_what_happens_meanwhile_are_run_again() -> None:
    desk = open_page(3)
    desk.stubborn.failures = [Stale("moved"), None, Conflict("busy"), None]
    desk.act("ack", desk.page())
    desk.stubborn.failures = [Stale("moved"), None, Conflict("busy"), None]

    desk.act("resolve", desk.page())

    assert desk.page().state == "resolved"


@pytest.mark.parametrize(("act", "well"), [("ack", 0), ("resolve", 0), ("resolve", TRIES)])
def test_races_that_are_lost_every_time_are_tried_again_later(act: str, well: int) -> None:
    desk = open_page(2)
    desk.stubborn.failures = [None] * bool(well) + [Stale("moved")] * TRIES

    with pytest.raises(Conflict, match="races"):
        desk.act(act, desk.page())  # type: ignore[arg-type]


def test_page_that_ends_while_its_members_are_ended_is_left_alone() -> None:
    desk = open_page(2)
    page = desk.page()
    over = page.model_copy(update={"state": "resolved"})
    store = desk.book.store.pages

    def end() -> None:
        store[page.scope, page.generation] = over

    desk.stubborn.after["commit"] = [end]
    assert desk.ending().end(page.ref, "resolved by alice") == frozenset()

    store[page.scope, page.generation] = page
    desk.stubborn.before["page"] = [lambda: None, end]
    assert desk.ending().end(page.ref, "resolved by alice", by="alice") is not None


def test_members_of_a_page_that_is_gone_are_ended_all_the_same() -> None:
    desk = open_page(2)
    page = desk.page()
    desk.stubborn.after["members"] = [desk.book.store.pages.clear]

    assert desk.ending().end(page.ref, "gone") == frozenset()
    assert desk.incident(signal(2, entity=gpu(2))).state == "resolved"


def test_person_without_a_name_is_shown_by_id() -> None:
    desk = open_page()

    desk.act("ack", desk.page(), ALICE.model_copy(update={"name": ""}))

    assert desk.page().acked_by == "U1"


def test_ref_of_a_page_needs_a_scope() -> None:
    with pytest.raises(ValueError, match="scope"):
        PageRef(scope="*", generation=1)


def test_only_what_is_meant_is_ended() -> None:
    desk = open_page(4)

    desk.ending().end(desk.page().ref, "quiet", only=lambda each: each.entity.node == "node-3")

    states = {member.entity.node: member.state for member in desk.members(desk.page())}
    assert states == {"node-2": "open", "node-3": "resolved", "node-4": "open"}
    assert desk.page().state == "open"


def test_nothing_is_stored_where_nothing_is_meant() -> None:
    desk = open_page(3)
    desk.stubborn.commits.clear()

    desk.ending().end(desk.page().ref, "quiet", only=lambda _: False)

    assert desk.stubborn.commits == []


def shut(desk: Desk) -> Page:
    """Let the lead's repair shut the page, and die before anybody looked whether it is over."""

    def die() -> None:
        raise Unavailable("died")

    desk.stubborn.after["commit"] = [die]
    assert desk.service().record([clear(9, entity=gpu(1))])
    assert desk.page().state == "closing"
    return desk.page()


def test_ack_of_a_page_that_is_being_shut_leaves_it_shut() -> None:
    desk = open_page()

    desk.act("ack", shut(desk))
    assert (desk.page().state, desk.page().acked_by) == ("closing", "alice")

    desk.closing().conclude(desk.page().ref)
    assert desk.page().state == "resolved"


def test_page_that_was_shut_when_its_maker_died_ends_when_the_message_comes_again() -> None:
    desk = Desk()
    desk.silences.put(
        Silence(
            id="01",
            labels={"kind": "gpu"},
            starts_at=NOW,
            ends_at=at(3600),
            author="ana",
            reason="tests",
            created_at=NOW,
        )
    )
    desk.record(signal(1, entity=gpu(1)))
    shut(desk)

    desk.record(clear(9, entity=gpu(1)))

    assert (desk.page().state, desk.page().channels) == ("resolved", ())


def test_member_that_takes_the_lead_while_all_is_resolved_is_resolved_with_the_page() -> None:
    desk = Desk()
    mild = [signal(n, entity=gpu(n), cause="xid/63", severity=Severity.WARNING) for n in (1, 2)]
    desk.record(*mild)
    [page] = desk.pages()
    graver = signal(3, entity=gpu(2), cause="xid/48")
    desk.stubborn.after["members"] = [lambda: desk.record(graver)]

    desk.act("resolve", page)
    desk.act("resolve", page)

    assert desk.page().state == "resolved"
    assert {each.state for each in desk.book.store.incidents.values()} == {"resolved"}


@pytest.mark.parametrize("inhibitions", [1, 4])
def test_end_of_many_incidents_fits_its_transactions(inhibitions: int) -> None:
    desk = open_page(3 * AT_ONCE)
    rules = (
        Inhibition(name=f"i{n}", source=Match(causes=("xid/79",)), target=Match(causes=("xid/45",)))
        for n in range(inhibitions)
    )
    desk.policy = replace(desk.policy, inhibitions=tuple(rules))

    desk.act("resolve", desk.page())

    assert desk.page().state == "resolved"
    assert max(commit.size for commit in desk.stubborn.commits) <= ITEMS_MAX
