"""What signals do to one incident, whatever page tells it."""

import pytest

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import CAUSES_MAX, Incident
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.rules import decide, event_of, in_order
from tests.support.desk import Desk
from tests.support.incidents import GPU, NOW, at, clear, signal, ulid_of

APP = Entity(kind="gpu", node="node-7", device="0000:3b:00", aspect="application")


def grown(*batches: tuple[Signal, ...], desk: Desk | None = None) -> Incident:
    """Return the incident after these batches, each recorded on its own."""
    desk = desk or Desk()
    for batch in batches:
        desk.record(*batch)
    return desk.incident(batches[0][0])


def fault(number: int, job: str) -> Signal:
    """Return a fault of a job's own code."""
    return signal(
        number,
        cause="xid/31",
        severity=Severity.WARNING,
        owner="job",
        entity=APP,
        job=Job(id=job, owner="ana") if job else None,
        seconds=number,
    )


def test_first_fault_opens_generation_one() -> None:
    incident = grown((signal(seconds=-3),))

    assert (incident.generation, incident.version, incident.state) == (1, 1, "open")
    assert (incident.count, incident.opened_at, incident.hops.decided_at) == (1, NOW, NOW)
    assert (incident.first_at, incident.openings) == (at(-3), (NOW,))


def test_repeat_of_a_known_cause_counts() -> None:
    incident = grown((signal(1),), (signal(2, count=7, seconds=60),))

    assert (incident.count, incident.version, incident.last_at) == (8, 2, at(60))
    assert incident.causes[0].count == 8


def test_new_cause_at_the_same_severity_does_not_lead() -> None:
    incident = grown((signal(1, cause="xid/48"),), (signal(2, cause="xid/63"),))

    assert incident.cause == "xid/48"
    assert [cause.cause for cause in incident.causes] == ["xid/48", "xid/63"]


def test_graver_finding_leads_with_its_own_words_and_evidence() -> None:
    mild = signal(1, cause="xid/63", severity=Severity.WARNING)

    incident = grown((mild,), (signal(2, evidence=("line",), hops=Hops(observed_at=at(5))),))

    led = (incident.severity, incident.cause, incident.title)
    assert led == (Severity.CRITICAL, "xid/79", "title of xid/79")
    assert (incident.evidence, incident.hops.observed_at) == (("line",), at(5))


def test_milder_finding_joins_without_leading() -> None:
    incident = grown((signal(1),), (signal(2, cause="xid/63", severity=Severity.WARNING),))

    assert (incident.severity, incident.cause) == (Severity.CRITICAL, "xid/79")


def test_known_cause_that_gets_worse_says_so() -> None:
    incident = grown((signal(1, severity=Severity.WARNING),), (signal(2),))

    assert [cause.severity for cause in incident.causes] == [Severity.CRITICAL]


def test_matter_for_oncall_leads_over_a_jobs_at_equal_severity() -> None:
    job = Job(id="j1", owner="ana")
    jobs = signal(1, cause="xid/31", severity=Severity.WARNING, owner="job", job=job)

    incident = grown((jobs,), (signal(2, cause="xid/63", severity=Severity.WARNING),))

    assert (incident.owner, incident.cause, incident.job) == ("oncall", "xid/63", job)


def test_one_batch_of_faults_is_one_version() -> None:
    incident = grown((signal(1, cause="xid/48"), signal(1), signal(2, cause="xid/63")))

    assert (incident.version, incident.count) == (1, 3)


def test_causes_beyond_the_limit_are_counted_together() -> None:
    faults = tuple(signal(n, cause=f"xid/{n}", count=2) for n in range(1, CAUSES_MAX + 4))

    incident = grown(faults)

    assert (len(incident.causes), incident.other_causes) == (CAUSES_MAX, 6)
    assert incident.count == 2 * (CAUSES_MAX + 3)


def test_clear_resolves() -> None:
    incident = grown((signal(1, seq=3),), (clear(2, seq=4),))

    assert (incident.state, incident.resolved_at, incident.generation) == ("resolved", NOW, 1)
    assert (incident.cause, incident.count) == ("xid/79", 1)
    assert incident.cleared == Order(boot_id="boot-a", seq=4)


def test_clear_that_overtook_its_fault_is_a_tombstone_and_the_fault_history() -> None:
    desk = Desk()
    tombstone = grown((clear(2, seq=4),), desk=desk)
    assert (tombstone.generation, tombstone.state) == (0, "resolved")

    late = grown((signal(1, seq=3),), desk=desk)

    assert (late.generation, late.state, late.count) == (0, "resolved", 1)
    assert desk.pages() == []


def test_fault_after_the_tombstone_opens_generation_one() -> None:
    incident = grown((clear(2, seq=4),), (signal(3, seq=5),))

    assert (incident.generation, incident.version, incident.state) == (1, 2, "open")


def test_fault_after_a_resolve_opens_the_next_generation_with_fresh_counts() -> None:
    incident = grown(
        (signal(1, seq=3, count=50),), (clear(2, seq=4),), (signal(3, seq=5, seconds=90),)
    )

    assert (incident.generation, incident.count, incident.first_at) == (2, 1, at(90))
    assert incident.openings == (NOW, NOW)


def test_cleared_fault_that_comes_late_into_the_next_generation_does_not_raise_it() -> None:
    mild = signal(3, seq=5, severity=Severity.WARNING)

    late = grown((signal(1, seq=2),), (clear(2, seq=4),), (mild,), (signal(4, seq=3),))

    assert (late.severity, late.count) == (Severity.WARNING, 2)


def test_clear_older_than_the_newest_fault_resolves_nothing() -> None:
    incident = grown((signal(1, seq=6),), (clear(2, seq=4),))

    assert incident.state == "open"
    assert incident.latest == Order(boot_id="boot-a", seq=6)


def test_older_fault_that_joins_late_does_not_turn_back_the_newest() -> None:
    incident = grown((signal(1, seq=6),), (signal(2, seq=5),))

    assert incident.latest == Order(boot_id="boot-a", seq=6)


def test_orders_of_different_boots_are_not_compared() -> None:
    resolved = grown((signal(1, seq=6, boot="boot-a"),), (clear(2, seq=1, boot="boot-b"),))

    assert resolved.state == "resolved"


def test_fault_after_a_reboot_ends_the_open_generation() -> None:
    desk = Desk()

    incident = grown((signal(1, seq=6, count=9),), (signal(2, seq=1, boot="boot-b"),), desk=desk)

    assert (incident.generation, incident.state, incident.count) == (2, "open", 1)
    assert incident.boots == ("boot-a", "boot-b")
    first, second = desk.pages()
    assert (first.state, second.state) == ("resolved", "open")
    assert "reboot" in first.lead.marks[0]


def test_reboot_inside_one_batch_ends_what_that_batch_opened() -> None:
    both = grown((signal(1, seq=6), signal(2, seq=1, boot="boot-b", seconds=90)))

    assert (both.generation, both.version) == (2, 3)


def test_late_fault_of_a_boot_that_is_over_is_history() -> None:
    mild = Severity.WARNING
    late = grown(
        (signal(1, seq=6, severity=mild),),
        (signal(2, seq=1, boot="boot-b", severity=mild),),
        (signal(3, seq=7, severity=mild),),
    )

    assert (late.generation, late.count, late.causes[0].count) == (2, 2, 2)


def test_late_fault_of_a_past_boot_that_is_graver_than_what_was_told_still_leads() -> None:
    mild = Severity.WARNING
    late = grown(
        (signal(1, seq=6, severity=mild),),
        (signal(2, seq=1, boot="boot-b", severity=mild),),
        (signal(3, seq=7),),
    )

    assert (late.generation, late.severity) == (2, Severity.CRITICAL)


def test_signals_without_order_are_taken_as_they_arrive() -> None:
    incident = grown((signal(1),), (clear(2),), (signal(3, seconds=-100),))

    assert (incident.generation, incident.state) == (2, "open")


def test_fault_and_clear_in_one_batch_are_two_versions() -> None:
    incident = grown((signal(1, seq=1), clear(1, seq=1)))

    assert (incident.version, incident.state) == (2, "resolved")


def test_labels_and_marks_gather_over_the_incident() -> None:
    incident = grown(
        (signal(1, labels={"rack": "r1"}, marks=("unknown code",)),),
        (signal(2, labels={"rack": "r2", "zone": "a"}, marks=("skewed",)),),
    )

    assert incident.labels == {"rack": "r2", "zone": "a"}
    assert incident.marks == ("unknown code", "skewed")


def test_fault_of_another_job_on_the_gpu_is_the_next_generation() -> None:
    incident = grown((fault(1, "job-a"),), (fault(2, "job-a"),), (fault(3, "job-b"),))

    assert (incident.generation, incident.count, incident.owner) == (2, 1, "job")
    assert incident.jobs == ("job-a", "job-b")


def test_three_jobs_that_fail_on_one_gpu_make_it_a_matter_for_oncall() -> None:
    desk = Desk()

    incident = grown(*((fault(n, f"job-{n}"),) for n in (1, 2, 3, 4)), desk=desk)

    assert (incident.owner, incident.severity) == ("oncall", Severity.CRITICAL)
    assert incident.marks[0] == "4 jobs failed on this GPU: suspect the GPU, not the jobs"
    assert [mark for mark in incident.marks if "jobs failed on" in mark] == [incident.marks[0]]
    assert {channel.name for channel in desk.pages()[-1].channels} == {"pagerduty", "slack"}


def test_jobs_that_fail_one_after_the_other_are_no_flapping() -> None:
    desk = Desk()

    grown(*((fault(n, f"job-{n}"),) for n in (1, 2, 3, 4)), desk=desk)

    assert not any(page.flapping for page in desk.pages())


def test_jobs_of_long_ago_do_not_count_against_a_gpu() -> None:
    desk = Desk()
    grown((fault(1, "job-a"),), (fault(2, "job-b"),), (clear(3, entity=APP),), desk=desk)

    desk.forward(days=8)
    incident = grown((fault(4, "job-c"),), desk=desk)

    assert (incident.jobs, incident.owner) == (("job-c",), "job")


def test_application_fault_without_a_job_joins_what_is_open() -> None:
    incident = grown((fault(1, "job-a"),), (fault(2, ""),))

    assert (incident.generation, incident.jobs) == (1, ("job-a",))


def test_nothing_is_decided_without_signals() -> None:
    desk = Desk()

    with pytest.raises(ValueError, match="without signals"):
        decide(Draft(desk.book, desk.policy, NOW), None, ())


def test_order_inside_a_boot_is_its_sequence_whatever_the_clock() -> None:
    late, early = signal(1, seq=9, seconds=-50), signal(2, seq=8, seconds=50)

    assert in_order((late, early)) == (early, late)


def test_boots_go_by_the_first_thing_seen_of_each() -> None:
    old = signal(1, seq=900, boot="z", seconds=-10)
    new = [signal(2, seq=2, boot="a", seconds=5), signal(3, seq=1, boot="a", seconds=6)]
    loose = signal(4, seconds=0)

    assert in_order((*new, loose, old)) == (old, loose, new[1], new[0])


def test_signals_of_one_message_keep_their_order() -> None:
    broken, repair = signal(1, seq=1), clear(1, seq=1)

    assert in_order((broken, repair)) == (broken, repair)
    assert in_order((repair, broken)) == (repair, broken)


def test_ledger_id_names_the_message_and_the_thing() -> None:
    other = Entity(kind="gpu", node="node-7", device="0000:5e:00")

    assert event_of(signal(1)) == event_of(signal(1, cause="xid/48"))
    assert event_of(signal(1)) == f"{ulid_of(1)}|{GPU.fingerprint}"
    assert event_of(signal(1)) != event_of(signal(1, entity=other))
    assert event_of(signal(1)) != event_of(signal(2))
