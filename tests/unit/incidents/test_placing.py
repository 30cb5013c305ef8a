"""As part of which page an incident is told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reflexarc.events.gpu_faults import Job
from reflexarc.events.notice import Channel
from reflexarc.events.page import Page, Silence
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Signal
from reflexarc.incidents.config import default_policy
from reflexarc.incidents.document import Escalation, Grouping, Inhibition, Match, Route
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.placing import rehome
from tests.support.desk import Desk
from tests.support.incidents import NOW, at, clear, signal

MANAGER = Channel(name="manager", kind="pagerduty")


def gpu(node: str = "node-7", device: int = 1, **fields: object) -> Entity:
    return Entity(kind="gpu", node=node, device=f"0000:{device:02x}:00", **fields)


def names(page: Page) -> list[str]:
    return [channel.name for channel in page.channels]


def storm(desk: Desk, nodes: int, **fields: object) -> list[Signal]:
    faults = [
        signal(n, entity=gpu(f"n{n}"), **fields)  # type: ignore[arg-type]
        for n in range(1, nodes + 1)
    ]
    desk.record(*faults)
    return faults


def test_first_incident_opens_a_page_and_every_channel_is_behind_on_it() -> None:
    desk = Desk()

    desk.record(signal())

    page = desk.page()
    assert (page.state, page.generation, page.version, page.severity) == (
        "open",
        1,
        1,
        Severity.CRITICAL,
    )
    assert (names(page), page.routes) == (["pagerduty", "slack"], ("critical",))
    assert page.lead == desk.incident(signal())
    assert desk.behind() == ["pagerduty", "slack"]
    assert page.history[0].what == "opened, told to pagerduty, slack"
    told = f"opened page {page.key[:8]}, told to pagerduty, slack (critical): family gpu-lost"
    assert page.lead.why == (f"2026-03-01 12:00:00 {told}",)


def test_info_is_recorded_and_told_to_nobody() -> None:
    desk = Desk()

    desk.record(signal(severity=Severity.INFO))

    assert (desk.pages(), desk.behind()) == ([], [])
    assert desk.incident(signal()).page is None


def test_many_with_one_cause_are_one_page_whose_members_are_rows_of_their_own() -> None:
    desk = Desk()
    storm(desk, 40)

    page = desk.page()

    assert len(desk.members(page)) == 39
    assert page.version == 1
    assert {member.role for member in desk.members(page)} == {"member"}
    assert "joined page" in desk.incident(signal(entity=gpu("n9"))).why[-1]


def test_incident_after_the_window_opens_the_next_page() -> None:
    desk = Desk()
    storm(desk, 2)

    desk.forward(minutes=3)
    desk.record(signal(9, entity=gpu("n9")))

    first, second = desk.pages()
    assert (first.scope, second.scope) == (first.scope, first.scope)
    assert (first.generation, second.generation) == (1, 2)
    assert (first.state, second.state) == ("open", "open")


def test_clusters_are_told_apart() -> None:
    desk = Desk()

    for number, cluster in enumerate(("east", "west"), start=1):
        desk.record(signal(number, entity=gpu(f"n{number}"), labels={"cluster": cluster}))

    assert [page.by for page in desk.pages()] == [{"cluster": "east"}, {"cluster": "west"}]


def test_severity_rise_tells_channels_not_told_yet_and_voids_the_ack() -> None:
    desk = Desk()
    desk.record(signal(1, cause="xid/63", severity=Severity.WARNING))
    assert names(desk.page()) == ["slack"]
    desk.act("ack", desk.page())
    desk.told()

    desk.record(signal(2, cause="xid/48"))

    page = desk.page()
    assert (names(page), page.severity, page.state) == (
        ["slack", "pagerduty"],
        Severity.CRITICAL,
        "open",
    )
    assert page.history[-1].what == (
        "severity rose from warning to critical, now told to pagerduty; the acknowledgement is void"
    )
    assert page.history[-1].loud
    assert desk.behind() == ["pagerduty", "slack"]


def test_graver_member_takes_the_lead_and_the_old_lead_becomes_a_member() -> None:
    policy = replace(
        default_policy("C0PAGES"),
        groupings=(Grouping(family="memory", causes=("xid/48", "xid/63"), by=("cluster",)),),
    )
    desk = Desk(policy=policy)
    desk.record(signal(1, cause="xid/63", severity=Severity.WARNING, entity=gpu("n1")))

    desk.record(signal(2, cause="xid/48", entity=gpu("n2")))

    page = desk.page()
    assert (page.lead.entity.node, page.severity) == ("n2", Severity.CRITICAL)
    assert [member.entity.node for member in desk.members(page)] == ["n1"]


def test_member_that_grows_graver_takes_the_lead() -> None:
    desk = Desk()
    mild = {"cause": "xid/63", "severity": Severity.WARNING}
    desk.record(signal(1, entity=gpu("n1"), **mild), signal(2, entity=gpu("n2"), **mild))  # type: ignore[arg-type]

    desk.record(signal(3, entity=gpu("n2"), cause="xid/48"))

    page = desk.page()
    assert page.lead.entity.node == "n2"
    assert [member.entity.node for member in desk.members(page)] == ["n1"]


def test_repeat_that_is_no_news_leaves_page_and_members_alone() -> None:
    desk = Desk()
    storm(desk, 2)
    before = desk.page(), desk.members(desk.page())
    desk.told()

    desk.record(signal(8, entity=gpu("n1")), signal(9, entity=gpu("n2")))

    assert (desk.page(), desk.members(desk.page())) == before
    assert desk.behind() == []


def test_news_of_a_member_is_told_without_a_change_of_the_page() -> None:
    desk = Desk()
    storm(desk, 2)
    version = desk.page().version
    desk.told()

    desk.record(signal(9, entity=gpu("n2"), count=20))

    assert desk.page().version == version
    assert [member.count for member in desk.members(desk.page())] == [21]
    assert desk.behind() == ["pagerduty", "slack"]


def test_consequence_joins_a_page_that_is_there_and_opens_none() -> None:
    desk = Desk()
    fabric = {"labels": {"fabric": "f1"}}
    lost = {"cause": "xid/45", "severity": Severity.INFO, **fabric}
    desk.record(signal(1, entity=gpu("n1"), **lost))  # type: ignore[arg-type]
    assert desk.pages() == []

    desk.record(signal(2, entity=gpu("n2"), cause="xid/149", **fabric))  # type: ignore[arg-type]
    desk.record(*(signal(n, entity=gpu(f"n{n}"), **lost) for n in range(3, 30)))  # type: ignore[arg-type]

    page = desk.page()
    assert (page.by, page.lead.cause) == ({"fabric": "f1"}, "xid/149")
    assert {member.role for member in desk.members(page)} == {"consequence"}
    assert len(desk.members(page)) == 27


def test_origin_leads_even_when_its_consequences_came_first() -> None:
    desk = Desk()
    fabric = {"labels": {"fabric": "f1"}}
    mild = {"cause": "xid/145", "severity": Severity.WARNING}
    desk.record(*(signal(n, entity=gpu(f"n{n}"), **mild, **fabric) for n in range(1, 6)))  # type: ignore[arg-type]

    desk.record(
        signal(9, entity=gpu("n9"), cause="xid/149", title="Xid 149 on link 5", **fabric)  # type: ignore[arg-type]
    )

    page = desk.page()
    assert (page.lead.title, page.lead.entity.node) == ("Xid 149 on link 5", "n9")
    assert (len(desk.members(page)), names(page)) == (5, ["slack", "pagerduty"])


@pytest.mark.parametrize("echo_first", [False, True])
def test_nvlink_fault_on_a_node_with_a_dead_gpu_is_its_echo(*, echo_first: bool) -> None:
    desk = Desk()
    dead = signal(1, entity=gpu(device=1))
    echo = signal(2, entity=gpu(device=2), cause="xid/74")

    for fault in (echo, dead) if echo_first else (dead, echo):
        desk.record(fault)

    page = desk.page()
    assert page.lead.cause == "xid/79"
    assert [member.cause for member in desk.members(page)] == ["xid/74"]
    about = dead if echo_first else echo
    assert "echo" in desk.incident(about).marks[0]


def test_nvlink_fault_on_another_node_is_no_echo() -> None:
    desk = Desk()
    storm(desk, 3)

    desk.record(signal(9, entity=gpu("n2", device=5), cause="xid/74"))
    desk.record(signal(10, entity=gpu("elsewhere"), cause="xid/74"))

    echoes, alone = desk.pages()
    assert [member.role for member in desk.members(echoes)].count("echo") == 1
    assert (alone.family, alone.by) == ("nvlink", {"node": "elsewhere"})


def test_dead_gpu_does_not_join_another_nvlink_fault_of_its_node() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu(device=2), cause="xid/149"))

    desk.record(signal(2, entity=gpu(device=1)))

    assert [page.family for page in desk.pages()] == ["nvlink", "gpu-lost"]


def test_echo_in_the_same_batch_is_seen() -> None:
    desk = Desk()

    desk.record(
        signal(1, entity=gpu("n1")),
        signal(2, entity=gpu("n2", device=1)),
        signal(3, entity=gpu("n2", device=2), cause="xid/74"),
    )

    roles = {member.entity.device: member.role for member in desk.members(desk.page())}
    assert roles == {"0000:01:00": "member", "0000:02:00": "echo"}


def test_heat_of_a_rack_is_one_page_that_the_racks_own_finding_leads() -> None:
    desk = Desk()
    hot = {"cause": "thermal/limit", "labels": {"rack": "r1"}}
    for number in (1, 2):
        desk.record(signal(number, entity=gpu(f"n{number}", aspect="thermal"), **hot))  # type: ignore[arg-type]

    rack = Entity(kind="rack", device="r1", aspect="thermal")
    desk.record(signal(3, entity=rack, cause="rack/cooling", labels={"rack": "r1"}))

    page = desk.page()
    assert (page.lead.entity.kind, page.by) == ("rack", {"rack": "r1"})
    assert len(desk.members(page)) == 2


def test_application_faults_of_one_job_are_one_page_for_its_owner() -> None:
    desk = Desk()
    job = Job(id="4711", owner="ana")
    fields = {"cause": "xid/31", "severity": Severity.WARNING, "owner": "job", "job": job}

    desk.record(
        *(signal(n, entity=gpu(f"n{n}", aspect="application"), **fields) for n in range(1, 9))  # type: ignore[arg-type]
    )

    page = desk.page()
    assert (page.by, names(page), len(desk.members(page))) == ({"job": "4711"}, ["slack"], 7)


def test_lead_that_is_well_ends_a_page_that_it_is_alone_on() -> None:
    desk = Desk()
    desk.record(signal(1))

    desk.record(clear(2))

    page = desk.page()
    assert (page.state, page.resolved_at) == ("resolved", NOW)
    assert page.history[-1].what == "resolved"


def test_lead_that_is_well_does_not_end_a_page_with_others_still_broken() -> None:
    desk = Desk()
    storm(desk, 3)

    desk.record(clear(9, entity=gpu("n1")))

    assert desk.page().state == "open"
    assert desk.page().lead.state == "resolved"


def test_acked_page_that_is_not_over_stays_acked() -> None:
    desk = Desk()
    storm(desk, 3)
    desk.act("ack", desk.page())

    desk.record(clear(9, entity=gpu("n1")))

    assert desk.page().state == "acked"


def test_clear_of_what_nobody_was_told_of_changes_no_page() -> None:
    desk = Desk()
    desk.record(signal(1, severity=Severity.INFO))

    desk.record(clear(2))

    assert desk.pages() == []


def test_lead_that_breaks_again_in_an_open_page_stays_in_it() -> None:
    desk = Desk()
    storm(desk, 2)
    desk.record(clear(8, entity=gpu("n1")))

    desk.record(signal(9, entity=gpu("n1")))

    page = desk.page()
    assert (page.lead.generation, page.lead.state) == (2, "open")
    assert page.history[-1].what == "broke again: title of xid/79"


@pytest.mark.parametrize("cause", ["xid/43", "xid/45"])
def test_late_consequence_of_a_lead_that_is_well_is_no_return_of_it(cause: str) -> None:
    desk = Desk()
    fabric = {"labels": {"fabric": "f1"}}
    desk.record(*(signal(n, entity=gpu(f"n{n}"), cause="xid/149", **fabric) for n in (1, 2)))  # type: ignore[arg-type]
    desk.record(clear(8, entity=gpu("n1")))
    before = desk.page()

    desk.record(
        signal(9, entity=gpu("n1"), cause=cause, severity=Severity.INFO, owner="job", **fabric)  # type: ignore[arg-type]
    )

    assert desk.page() == before
    assert desk.incident(signal(entity=gpu("n1"))).page is None


def test_member_that_breaks_again_in_an_open_page_stays_in_it() -> None:
    desk = Desk()
    storm(desk, 3)
    desk.record(clear(8, entity=gpu("n2")))

    desk.record(signal(9, entity=gpu("n2")))

    found = {member.entity.node: member for member in desk.members(desk.page())}
    assert (found["n2"].generation, found["n2"].state) == (2, "open")


def test_what_flaps_is_told_once_until_it_stays_well() -> None:
    desk = Desk()
    for number in range(6):
        desk.record(signal(10 + 2 * number))
        desk.record(clear(11 + 2 * number))
        desk.forward(minutes=1)

    *ended, last = desk.pages()
    assert ([page.state for page in ended], last.state) == (["resolved", "resolved"], "open")
    assert last.flapping

    desk.forward(minutes=10)
    desk.tick()
    assert desk.pages()[-1].state == "resolved"


def test_page_that_begins_to_flap_while_others_hold_it_open_settles_too() -> None:
    desk = Desk()
    storm(desk, 2)
    for number in range(4):
        desk.record(clear(20 + 2 * number, entity=gpu("n1")))
        desk.record(signal(21 + 2 * number, entity=gpu("n1")))

    assert desk.page().flapping


def test_rise_of_a_page_keeps_the_escalations_that_it_brings() -> None:
    base = default_policy("C0PAGES")
    routes = (
        Route(match=Match(severity=(Severity.WARNING,)), channels=("slack",)),
        Route(
            match=Match(severity=(Severity.CRITICAL,)),
            channels=("pagerduty",),
            escalate=(Escalation(after=timedelta(minutes=10), channels=("manager",)),),
        ),
    )
    desk = Desk(policy=replace(base, channels=(*base.channels, MANAGER), routes=routes))
    desk.record(signal(1, cause="xid/63", severity=Severity.WARNING))

    desk.record(signal(2, cause="xid/48"))

    page = desk.page()
    assert [(step.kind, step.at) for step in page.steps] == [("escalate", at(600))]
    assert page.routes == ("route 1", "route 2")
    assert [timer.due_at for timer in desk.timers.planned] == [at(600)]


def silence(**labels: str) -> Silence:
    return Silence(
        id="01",
        labels=labels,
        starts_at=NOW,
        ends_at=at(3600),
        author="ana",
        reason="tests",
        created_at=NOW,
    )


def test_silenced_incident_is_told_to_nobody_and_its_repair_ends_it_quietly() -> None:
    desk = Desk()
    desk.silences.put(silence(node="node-7"))

    desk.record(signal(1))

    page = desk.page()
    assert (page.channels, page.muted and page.muted.kind) == ((), "silence")
    assert (desk.behind(), page.history[0].what) == (
        [],
        "opened, told to nobody: silence 01",
    )

    desk.record(clear(2))
    assert desk.page().state == "resolved"


def test_what_must_be_told_does_not_join_a_silenced_page() -> None:
    desk = Desk()
    desk.silences.put(silence(node="n1"))

    storm(desk, 3)

    muted, told = sorted(desk.pages(), key=lambda page: page.muted is None)
    assert (muted.lead.entity.node, told.lead.entity.node) == ("n1", "n2")
    assert len(desk.members(told)) == 1


def test_muted_page_that_grows_graver_stays_muted() -> None:
    desk = Desk()
    desk.silences.put(silence(node="node-7"))
    desk.record(signal(1, cause="xid/63", severity=Severity.WARNING))

    desk.record(signal(2, cause="xid/48"))

    page = desk.page()
    assert (page.severity, page.channels, desk.behind()) == (Severity.CRITICAL, (), [])


def test_member_of_a_silenced_page_that_becomes_what_nobody_silenced_is_told_at_once() -> None:
    desk = Desk()
    desk.silences.put(silence(cause="xid/63"))
    first, second = (
        signal(n, cause="xid/63", severity=Severity.WARNING, entity=gpu(f"n{n}")) for n in (1, 2)
    )
    desk.record(first, second)
    assert len(desk.members(desk.page())) == 1

    desk.record(signal(3, cause="xid/48", entity=gpu("n2")))

    quiet, told = desk.pages()
    assert (quiet.channels, desk.members(quiet), quiet.lead.entity.node) == ((), (), "n1")
    assert (names(told), told.lead.entity.node) == (["pagerduty", "slack"], "n2")
    assert "silence 01 covers it no more" in desk.incident(second).why[-2]


def test_member_of_a_silenced_page_that_grows_graver_under_the_silence_stays() -> None:
    desk = Desk()
    desk.silences.put(silence(kind="gpu"))
    mild = {"cause": "xid/63", "severity": Severity.WARNING}
    desk.record(*(signal(n, entity=gpu(f"n{n}"), **mild) for n in (1, 2)))  # type: ignore[arg-type]

    desk.record(signal(3, cause="xid/48", entity=gpu("n2")))

    assert (desk.page().channels, len(desk.members(desk.page()))) == ((), 1)


def test_lead_of_a_silenced_page_that_becomes_what_nobody_silenced_is_looked_at_at_once() -> None:
    desk = Desk()
    desk.silences.put(silence(cause="xid/63"))
    desk.record(signal(1, cause="xid/63", severity=Severity.WARNING))

    desk.forward(seconds=5)
    desk.record(signal(2, cause="xid/48"))
    assert desk.timers.planned[-1].due_at == desk.now
    desk.tick()

    assert names(desk.page()) == ["pagerduty", "slack"]


def test_incident_that_takes_further_people_without_being_graver_says_only_that() -> None:
    other = Channel(name="other", kind="slack", destination="C0OTHER")
    base = default_policy("C0PAGES")
    route = Route(match=Match(labels={"team": "b"}), channels=("other",))
    desk = Desk(
        policy=replace(base, channels=(*base.channels, other), routes=(*base.routes, route))
    )
    desk.record(signal(1, entity=gpu("n1")))

    desk.record(signal(2, entity=gpu("n2"), labels={"team": "b"}))

    assert names(desk.page()) == ["pagerduty", "slack", "other"]
    assert desk.page().history[-1].what == "now told to other"


def test_resolve_is_told_although_a_silence_began_meanwhile() -> None:
    desk = Desk()
    desk.record(signal(1))
    desk.told()
    desk.silences.put(silence(node="node-7"))

    desk.record(clear(2))

    assert desk.page().state == "resolved"
    assert desk.behind() == ["pagerduty", "slack"]


def inhibiting() -> tuple[Desk, Entity]:
    """Return a desk whose policy keeps a silent node's faults quiet, and such a node."""
    rule = Inhibition(
        name="dead-node",
        source=Match(causes=("agent/silent",)),
        target=Match(causes=("xid/*",)),
        equal=("node",),
    )
    desk = Desk(policy=replace(default_policy("C0PAGES"), inhibitions=(rule,)))
    return desk, Entity(kind="node", node="node-7", aspect="silence")


def test_incident_is_inhibited_while_its_cause_is_open_and_told_after_it() -> None:
    desk, node = inhibiting()
    desk.record(signal(1, entity=node, cause="agent/silent"))

    desk.record(signal(2))
    quiet = desk.pages()[-1]
    assert (quiet.muted and quiet.muted.name, quiet.channels) == ("dead-node", ())

    desk.record(clear(3, entity=node, cause="agent/silent"))
    desk.forward(seconds=61)
    desk.tick()
    told = next(page for page in desk.pages() if page.lead.cause == "xid/79")
    assert (names(told), told.muted) == (["pagerduty", "slack"], None)


def test_inhibition_sees_a_cause_of_the_same_batch() -> None:
    desk, node = inhibiting()

    desk.record(signal(1, entity=node, cause="agent/silent"), signal(2))

    assert [page.muted is not None for page in desk.pages()] == [False, True]


def test_cause_that_the_configuration_groups_otherwise_is_told_otherwise() -> None:
    policy = replace(
        default_policy("C0PAGES"),
        groupings=(
            Grouping(family="mine", causes=("xid/*",), by=("pool",), window=timedelta(hours=1)),
        ),
    )
    desk = Desk(policy=policy)

    desk.record(signal(1, labels={"pool": "a"}))

    page = desk.page()
    assert (page.family, page.by, page.accepts_until) == ("mine", {"pool": "a"}, at(3600))


def test_cause_without_a_word_of_its_own_still_has_a_family() -> None:
    desk = Desk()

    desk.record(signal(1, cause="///"))

    assert desk.page().family == "other"


def test_incident_whose_page_is_gone_is_told_anew() -> None:
    desk = Desk()
    desk.record(signal(1))
    desk.book.store.pages.clear()

    desk.record(signal(2, cause="xid/48"))

    assert (desk.page().state, desk.page().lead.count) == ("open", 2)


def test_inhibition_of_many_on_one_node_is_looked_up_once() -> None:
    desk, node = inhibiting()
    desk.record(signal(1, entity=node, cause="agent/silent"))
    looked: list[int] = []
    desk.stubborn.before["held_by"] = [lambda: looked.append(1)] * 9

    desk.record(*(signal(n, entity=gpu(device=n)) for n in range(2, 6)))

    assert len(looked) == 1
    assert len(desk.members(desk.pages()[-1])) == 3


def test_incident_of_a_page_that_is_gone_can_be_told_anew() -> None:
    desk = Desk()
    desk.record(signal(1))
    incident = desk.incident(signal())
    desk.book.store.pages.clear()
    draft = Draft(desk.book, desk.policy, NOW)

    rehome(draft, incident)

    assert (draft.commit().left, len(draft.commit().pages)) == ((), 1)


def test_lead_that_is_well_in_the_batch_that_brings_another_leaves_the_page_open() -> None:
    desk = Desk()
    desk.record(signal(1, entity=gpu("n1")))

    desk.record(clear(2, entity=gpu("n1")), signal(3, entity=gpu("n2")))

    page = desk.page()
    assert (page.state, page.lead.state) == ("open", "resolved")
    assert [member.entity.node for member in desk.members(page)] == ["n2"]


def test_channel_that_is_told_late_is_told_of_the_members_too() -> None:
    desk = Desk(policy=default_policy("C0PAGES"))
    desk.record(
        *(
            signal(n, cause="xid/63", severity=Severity.WARNING, entity=gpu(f"n{n}"))
            for n in range(1, 4)
        )
    )
    desk.told()

    desk.record(signal(9, cause="xid/48", entity=gpu("n1")))

    [notice] = [
        each
        for rows in desk.book.store.rows.values()
        for each in rows.values()
        if each.channel.name == "pagerduty"
    ]
    assert (notice.fresh, notice.shared) == (True, True)
