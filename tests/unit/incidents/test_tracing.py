"""Where an incident would be told, and why."""

from typing import Any

import pytest

from reflexarc.events.signal import Entity
from reflexarc.incidents.matching import labels_of
from reflexarc.incidents.mutes import asked
from reflexarc.incidents.tracing import imagined, trace
from reflexarc.kernel.errors import Rejected
from tests.support.incidents import NOW
from tests.support.policy import policy, silence, utc

OFFICE = {"name": "office", "timezone": "Europe/Berlin"}
ROUTES: list[dict[str, Any]] = [
    {"name": "grave", "match": {"severity": ["critical"]}, "channels": ["pager"]},
    {"match": {"labels": {"rack": "r1*"}}, "channels": ["gpu-alerts"], "during": "office"},
]
QUIET = {
    "name": "node-explains-gpus",
    "source": {"causes": ["driver/*"]},
    "target": {"causes": ["xid/*"]},
    "equal": ["node"],
}


def test_labels_become_what_they_are_about() -> None:
    incident = imagined(
        {
            "severity": "warning",
            "owner": "job",
            "kind": "gpu",
            "node": "gpu-7",
            "device": "0000:3b:00",
            "aspect": "thermal",
            "job": "4711",
            "job_owner": "vision",
            "rack": "r12",
        },
        "thermal/limit",
        NOW,
    )

    assert incident.entity == Entity(
        kind="gpu", node="gpu-7", device="0000:3b:00", aspect="thermal"
    )
    assert labels_of(incident)["cause"] == "thermal/limit"
    assert incident.labels == {"rack": "r12"}
    assert (incident.severity, incident.owner) == ("warning", "job")
    assert incident.job is not None
    assert (incident.job.id, incident.job.owner) == ("4711", "vision")


def test_what_is_not_said_is_a_critical_fault_of_a_gpu() -> None:
    assert labels_of(imagined({"node": "gpu-7"}, "xid/79", NOW)) == {
        "severity": "critical",
        "owner": "oncall",
        "cause": "xid/79",
        "kind": "gpu",
        "node": "gpu-7",
    }


def test_a_cause_may_be_said_as_a_label() -> None:
    assert imagined({"cause": "xid/48"}, "xid/79", NOW).cause == "xid/48"


@pytest.mark.parametrize(
    ("labels", "says"),
    [({"severity": "fatal"}, "severity: Input should be"), ({"kind": "cpu"}, "entity.kind: Input")],
)
def test_a_value_that_no_incident_has_is_refused(labels: dict[str, str], says: str) -> None:
    with pytest.raises(Rejected, match=says):
        imagined(labels, "xid/79", NOW)


def test_each_route_says_what_it_makes_of_it() -> None:
    stated = policy(routes=ROUTES, hours=[OFFICE])

    found = trace(imagined({"rack": "r12", "node": "n"}, "xid/79", NOW), stated, {}, NOW)
    other = trace(
        imagined({"severity": "info"}, "xid/79", NOW), stated, {}, utc("2026-03-02 10:00")
    )

    assert [verdict.model_dump() for verdict in found.routes] == [
        {
            "route": "grave",
            "takes": True,
            "channels": ("pager",),
            "why_not": (),
            "hours": "",
        },
        {
            "route": "route 2",
            "takes": True,
            "channels": ("gpu-alerts",),
            "why_not": (),
            "hours": "office, not before Mon 2026-03-02 08:00 UTC",
        },
    ]
    assert [verdict.why_not for verdict in other.routes] == [
        ("severity is info, not critical",),
        ("label rack is absent, not r1*",),
    ]
    assert other.routes[1].hours == "office, until Mon 2026-03-02 16:00 UTC"


def test_who_is_told_now_and_later_is_what_the_rules_say() -> None:
    stated = policy(routes=ROUTES, hours=[OFFICE])

    found = trace(imagined({"rack": "r12"}, "xid/79", NOW), stated, {}, NOW)

    assert found.channels == ("pager",)
    assert [(step.kind, step.channels) for step in found.steps] == [("begin", ("gpu-alerts",))]
    assert found.muted is None


def test_the_page_is_named_by_what_it_is_grouped_by() -> None:
    grouping = {"family": "lost", "causes": ["xid/79"], "by": ["rack|node"], "origin": ["xid/119"]}
    stated = policy(groupings=[grouping | {"consequences": ["xid/45"]}])

    pages = [
        trace(imagined({"rack": "r12"}, cause, NOW), stated, {}, NOW).page
        for cause in ("xid/79", "xid/119", "xid/45")
    ]

    assert [page.role for page in pages] == ["leads or joins", "is the origin", "joins only"]
    assert {(page.family, page.by["rack"]) for page in pages} == {("lost", "r12")}
    assert len({page.scope for page in pages}) == 1


def test_a_silence_is_told_by_its_id() -> None:
    stated = policy(silences=(silence(),))

    found = trace(imagined({"node": "node-7"}, "xid/79", NOW), stated, {}, NOW)

    assert found.muted is not None
    assert (found.muted.kind, found.muted.name) == ("silence", "S1")


def test_inhibitions_are_told_that_hold_and_that_would() -> None:
    stated = policy(inhibitions=[QUIET])
    incident = imagined({"node": "node-7"}, "xid/79", NOW)
    ((_, key),) = asked(incident, stated)

    free = trace(incident, stated, {key: frozenset()}, NOW)
    held = trace(incident, stated, {key: frozenset({"f" * 32})}, NOW)

    assert (free.muted, free.would_mute) == (None, ("node-explains-gpus",))
    assert held.muted is not None
    assert (held.muted.name, held.would_mute) == ("node-explains-gpus", ())
