import pytest
from pydantic import ValidationError

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import CAUSES_MAX
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order
from reflexarc.incidents.config import default_routing
from reflexarc.incidents.model import Match, Route, Routing
from reflexarc.incidents.rules import decide, event_of, in_order
from tests.support.incidents import GPU, NOW, ROUTING, at, change, clear, signal, told, ulid_of

BOTH = [("trigger", "pagerduty", 1), ("trigger", "slack", 1)]


def test_first_fault_opens_generation_one_and_triggers_its_routes() -> None:
    decided = change(signal(seconds=-3))

    incident = decided.incident
    assert (incident.generation, incident.version, incident.state) == (1, 1, "open")
    assert (incident.count, incident.opened_at, incident.hops.decided_at) == (1, NOW, NOW)
    assert incident.first_at == at(-3)
    assert incident.channels == ("pagerduty", "slack")
    assert decided.expected_version == 0
    assert decided.events == (f"{ulid_of(1)}|{GPU.fingerprint}",)
    assert told(decided) == BOTH


def test_notices_carry_the_version_and_channels_that_are_stored() -> None:
    decided = change(signal())

    assert all(notice.incident == decided.incident for notice in decided.notices)


def test_repeat_of_a_known_cause_counts_and_tells_nobody() -> None:
    first = change(signal(1))

    second = change(signal(2, count=7, seconds=60), after=first)

    assert (second.incident.count, second.incident.version) == (8, 2)
    assert second.incident.causes[0].count == 8
    assert second.incident.last_at == at(60)
    assert told(second) == []


def test_count_with_one_digit_more_updates_the_channels() -> None:
    first = change(signal(1, count=9))

    second = change(signal(2), after=first)

    assert told(second) == [("update", "pagerduty", 1), ("update", "slack", 1)]


def test_new_cause_at_the_same_severity_updates_and_does_not_lead() -> None:
    first = change(signal(1, cause="xid/48"))

    second = change(signal(2, cause="xid/63"), after=first)

    assert second.incident.cause == "xid/48"
    assert [cause.cause for cause in second.incident.causes] == ["xid/48", "xid/63"]
    assert told(second) == [("update", "pagerduty", 1), ("update", "slack", 1)]


def test_severity_rise_triggers_the_channels_not_yet_triggered_and_updates_the_others() -> None:
    first = change(signal(1, cause="xid/13", severity=Severity.WARNING))
    assert told(first) == [("trigger", "slack", 1)]

    second = change(signal(2, evidence=("line",), hops=Hops(observed_at=at(5))), after=first)

    assert told(second) == [("trigger", "pagerduty", 1), ("update", "slack", 1)]
    incident = second.incident
    assert (incident.severity, incident.cause, incident.title) == (
        Severity.CRITICAL,
        "xid/79",
        "title of xid/79",
    )
    assert (incident.evidence, incident.hops.observed_at) == (("line",), at(5))
    assert incident.channels == ("slack", "pagerduty")


def test_milder_finding_joins_without_leading() -> None:
    first = change(signal(1))

    second = change(signal(2, cause="xid/13", severity=Severity.WARNING), after=first)

    assert (second.incident.severity, second.incident.cause) == (Severity.CRITICAL, "xid/79")


def test_known_cause_that_gets_worse_says_so() -> None:
    first = change(signal(1, severity=Severity.WARNING))

    second = change(signal(2, severity=Severity.CRITICAL), after=first)

    assert [cause.severity for cause in second.incident.causes] == [Severity.CRITICAL]


def test_matter_for_oncall_leads_over_a_jobs_at_equal_severity() -> None:
    job = Job(id="j1", owner="ana")
    first = change(signal(1, cause="xid/31", severity=Severity.WARNING, owner="job", job=job))

    second = change(signal(2, cause="xid/63", severity=Severity.WARNING), after=first)

    assert (second.incident.owner, second.incident.cause) == ("oncall", "xid/63")
    assert second.incident.job == job
    assert told(second) == [("update", "slack", 1)]


def test_info_is_recorded_and_told_to_nobody() -> None:
    decided = change(signal(severity=Severity.INFO))

    assert (decided.incident.state, decided.incident.channels) == ("open", ())
    assert told(decided) == []


def test_one_batch_of_faults_is_one_version_and_one_notice_a_channel() -> None:
    decided = change(
        signal(1, cause="xid/48", severity=Severity.WARNING), signal(1), signal(2, cause="xid/63")
    )

    assert (decided.incident.version, decided.incident.count) == (1, 3)
    assert len(decided.events) == 2
    assert told(decided) == BOTH


def test_causes_beyond_the_limit_are_counted_together() -> None:
    faults = [signal(n, cause=f"xid/{n}", count=2) for n in range(1, CAUSES_MAX + 4)]

    incident = change(*faults).incident

    assert (len(incident.causes), incident.other_causes) == (CAUSES_MAX, 6)
    assert incident.count == 2 * (CAUSES_MAX + 3)


def test_clear_resolves_and_tells_every_triggered_channel() -> None:
    opened = change(signal(1, seq=3))

    resolved = change(clear(2, seq=4), after=opened)

    incident = resolved.incident
    assert (incident.state, incident.resolved_at, incident.generation) == ("resolved", NOW, 1)
    assert (incident.cause, incident.count) == ("xid/79", 1)
    assert incident.cleared == Order(boot_id="boot-a", seq=4)
    assert told(resolved) == [("resolve", "pagerduty", 1), ("resolve", "slack", 1)]


def test_clear_of_an_untold_incident_tells_nobody() -> None:
    opened = change(signal(1, severity=Severity.INFO))

    assert told(change(clear(2), after=opened)) == []


def test_second_clear_tells_nobody() -> None:
    resolved = change(clear(2, seq=4), after=change(signal(1, seq=3)))

    again = change(clear(3, seq=5), after=resolved)

    assert told(again) == []
    assert again.incident.cleared == Order(boot_id="boot-a", seq=5)


def test_clear_that_overtook_its_fault_is_a_tombstone_and_the_fault_history() -> None:
    tombstone = change(clear(2, seq=4))
    assert (tombstone.incident.generation, tombstone.incident.state) == (0, "resolved")
    assert told(tombstone) == []

    late = change(signal(1, seq=3), after=tombstone)

    assert (late.incident.generation, late.incident.state, late.incident.count) == (
        0,
        "resolved",
        1,
    )
    assert told(late) == []


def test_fault_after_the_tombstone_opens_generation_one() -> None:
    tombstone = change(clear(2, seq=4))

    opened = change(signal(3, seq=5), after=tombstone)

    assert (opened.incident.generation, opened.incident.version) == (1, 2)
    assert told(opened) == BOTH


def test_fault_after_a_resolve_opens_the_next_generation_with_fresh_counts() -> None:
    resolved = change(clear(2, seq=4), after=change(signal(1, seq=3, count=50)))

    reopened = change(signal(3, seq=5, seconds=90), after=resolved)

    incident = reopened.incident
    assert (incident.generation, incident.count, incident.first_at) == (2, 1, at(90))
    assert incident.key != resolved.incident.key
    assert told(reopened) == [("trigger", "pagerduty", 2), ("trigger", "slack", 2)]


def test_cleared_fault_that_comes_late_into_the_next_generation_does_not_raise_it() -> None:
    resolved = change(clear(2, seq=4), after=change(signal(1, seq=2)))
    reopened = change(signal(3, seq=5, severity=Severity.WARNING), after=resolved)

    late = change(signal(4, seq=3, severity=Severity.CRITICAL), after=reopened)

    assert (late.incident.severity, late.incident.count) == (Severity.WARNING, 2)
    assert told(late) == []


def test_clear_older_than_the_newest_fault_resolves_nothing() -> None:
    opened = change(signal(1, seq=6))

    decided = change(clear(2, seq=4), after=opened)

    assert decided.incident.state == "open"
    assert told(decided) == []
    assert decided.incident.latest == Order(boot_id="boot-a", seq=6)


def test_older_fault_that_joins_late_does_not_turn_back_the_newest() -> None:
    opened = change(signal(1, seq=6), signal(2, seq=5))

    assert opened.incident.latest == Order(boot_id="boot-a", seq=6)


def test_orders_of_different_boots_are_not_compared() -> None:
    opened = change(signal(1, seq=6, boot="boot-a"))
    resolved = change(clear(2, seq=1, boot="boot-b"), after=opened)
    assert resolved.incident.state == "resolved"

    reopened = change(signal(3, seq=0, boot="boot-c"), after=resolved)

    assert reopened.incident.generation == 2


def test_fault_after_a_reboot_ends_the_open_generation_and_pages_anew() -> None:
    opened = change(signal(1, seq=6, boot="boot-a", count=9))

    again = change(signal(2, seq=1, boot="boot-b"), after=opened)

    incident = again.incident
    assert (incident.generation, incident.state, incident.count) == (2, "open", 1)
    assert incident.boots == ("boot-a", "boot-b")
    assert told(again) == [
        ("resolve", "pagerduty", 1),
        ("resolve", "slack", 1),
        ("trigger", "pagerduty", 2),
        ("trigger", "slack", 2),
    ]
    assert "reboot" in again.notices[0].incident.marks[0]


def test_reboot_inside_one_batch_ends_what_that_batch_opened() -> None:
    both = change(signal(1, seq=6, boot="boot-a"), signal(2, seq=1, boot="boot-b", seconds=90))

    assert (both.incident.generation, both.incident.version) == (2, 3)
    assert told(both) == [("trigger", "pagerduty", 2), ("trigger", "slack", 2)]


def test_late_fault_of_a_boot_that_is_over_is_history() -> None:
    opened = change(signal(1, seq=6, boot="boot-a", severity=Severity.WARNING))
    again = change(signal(2, seq=1, boot="boot-b", severity=Severity.WARNING), after=opened)

    late = change(signal(3, seq=7, boot="boot-a", severity=Severity.WARNING), after=again)

    assert (late.incident.generation, late.incident.count) == (2, 2)
    assert told(late) == []


def test_late_fault_of_a_past_boot_that_is_graver_than_what_was_told_still_pages() -> None:
    opened = change(signal(1, seq=6, boot="boot-a", severity=Severity.WARNING))
    again = change(signal(2, seq=1, boot="boot-b", severity=Severity.WARNING), after=opened)

    late = change(signal(3, seq=7, boot="boot-a", severity=Severity.CRITICAL), after=again)

    assert (late.incident.generation, late.incident.severity) == (2, Severity.CRITICAL)
    assert ("trigger", "pagerduty", 2) in told(late)


def test_signals_without_order_are_taken_as_they_arrive() -> None:
    resolved = change(clear(2), after=change(signal(1)))

    assert resolved.incident.state == "resolved"
    assert change(signal(3, seconds=-100), after=resolved).incident.generation == 2


def test_fault_and_clear_in_one_batch_are_two_versions_that_both_are_told() -> None:
    decided = change(signal(1, seq=1), clear(1, seq=1))

    assert decided.incident.version == 2
    assert told(decided) == [*BOTH, ("resolve", "pagerduty", 1), ("resolve", "slack", 1)]
    assert len({notice.row for notice in decided.notices}) == 4


def test_generations_that_began_and_ended_inside_a_batch_are_not_told() -> None:
    opened = change(signal(1, seq=1))

    decided = change(
        clear(2, seq=2), signal(3, seq=3), clear(4, seq=4), signal(5, seq=5), after=opened
    )

    assert decided.incident.generation == 3
    assert told(decided) == [
        ("resolve", "pagerduty", 1),
        ("resolve", "slack", 1),
        ("trigger", "pagerduty", 3),
        ("trigger", "slack", 3),
    ]


def test_channel_gone_from_the_configuration_leaves_a_mark_at_the_resolve() -> None:
    opened = change(signal(1))
    slack_only = Routing(channels=ROUTING.channels[1:], routes=())

    resolved = change(clear(2), after=opened, routing=slack_only)

    assert told(resolved) == [("resolve", "slack", 1)]
    assert resolved.incident.marks == (
        "channel pagerduty is gone from the configuration: resolve by hand",
    )


def test_labels_and_marks_gather_over_the_incident() -> None:
    first = change(signal(1, labels={"rack": "r1"}, marks=("unknown code",)))

    second = change(signal(2, labels={"rack": "r2", "zone": "a"}, marks=("skewed",)), after=first)

    assert second.incident.labels == {"rack": "r2", "zone": "a"}
    assert second.incident.marks == ("unknown code", "skewed")


def test_routes_match_owner_and_labels_and_every_matching_route_counts() -> None:
    routing = Routing(
        channels=default_routing("C1").channels,
        routes=(
            Route(match=Match(owner=("job",)), channels=("slack",)),
            Route(match=Match(labels={"pool": "prod"}), channels=("pagerduty", "slack")),
        ),
    )
    for_job = signal(owner="job", labels={"pool": "dev"})
    in_prod = signal(owner="job", labels={"pool": "prod"})

    assert told(change(for_job, routing=routing)) == [("trigger", "slack", 1)]
    assert told(change(in_prod, routing=routing)) == BOTH
    assert told(change(signal(), routing=routing)) == []


def test_nothing_is_decided_without_signals() -> None:
    with pytest.raises(ValueError, match="without signals"):
        decide(None, (), ROUTING, NOW)


def test_order_inside_a_boot_is_its_sequence_whatever_the_clock() -> None:
    late, early = signal(1, seq=9, seconds=-50), signal(2, seq=8, seconds=50)

    assert in_order((late, early)) == (early, late)


def test_boots_go_by_the_first_thing_seen_of_each() -> None:
    old = signal(1, seq=900, boot="z", seconds=-10)
    new = [signal(2, seq=2, boot="a", seconds=5), signal(3, seq=1, boot="a", seconds=6)]
    loose = signal(4, seconds=0)

    assert in_order((*new, loose, old)) == (old, loose, new[1], new[0])


def test_signals_of_one_message_keep_their_order() -> None:
    fault, repair = signal(1, seq=1), clear(1, seq=1)

    assert in_order((fault, repair)) == (fault, repair)
    assert in_order((repair, fault)) == (repair, fault)


def test_ledger_id_names_the_message_and_the_thing() -> None:
    other = Entity(kind="gpu", node="node-7", device="0000:5e:00")

    assert event_of(signal(1)) == event_of(signal(1, cause="xid/48"))
    assert event_of(signal(1)) != event_of(signal(1, entity=other))
    assert event_of(signal(1)) != event_of(signal(2))


def test_routing_is_frozen() -> None:
    with pytest.raises(ValidationError):
        ROUTING.routes = ()  # type: ignore[misc]
