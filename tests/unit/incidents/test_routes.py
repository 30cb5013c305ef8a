"""Whom an incident is told to: every route that matches counts, at its hours."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.events.incident import Incident
from reflexarc.events.page import Step
from reflexarc.incidents.model import Wanted
from reflexarc.incidents.routes import wanted
from tests.support.incidents import NOW
from tests.support.policy import broken, policy, utc

OFFICE = {"name": "office", "timezone": "Europe/Berlin"}
NIGHTS = {"name": "nights", "start": "22:00", "end": "06:00"}
SATURDAY = utc("2026-02-28 12:00")
MONDAY_NINE = utc("2026-03-02 08:00")


def told(*routes: dict[str, Any], incident: Incident | None = None) -> Wanted:
    """Return whom a critical incident is told to on a Saturday."""
    stated = policy(routes=routes, hours=[OFFICE, NIGHTS])
    return wanted(incident or broken(), stated, SATURDAY)


def names(found: Wanted) -> list[str]:
    return [channel.name for channel in found.channels]


def test_every_route_that_matches_counts_and_a_channel_is_told_once() -> None:
    found = told(
        {"channels": ["ml-jobs", "pager"]},
        {"match": {"severity": ["critical"]}, "channels": ["pager"]},
        {"match": {"severity": ["warning"]}, "channels": ["gpu-alerts"]},
    )

    assert names(found) == ["pager", "ml-jobs"]


def test_routes_are_named_by_their_place_unless_they_have_a_name() -> None:
    found = told(
        {"channels": ["pager"]},
        {"match": {"owner": ["job"]}, "channels": ["pager"]},
        {"name": "all", "channels": ["pager"]},
        {"channels": ["pager"]},
    )

    assert found.routes == ("route 1", "all", "route 4")


def test_a_lesser_cause_takes_a_route_as_well() -> None:
    found = told(
        {"match": {"causes": ["xid/48"]}, "channels": ["pager"]},
        incident=broken("xid/79", others=("xid/48",)),
    )

    assert names(found) == ["pager"]


def test_an_incident_that_no_route_takes_is_told_to_nobody() -> None:
    found = told({"match": {"severity": ["warning"]}, "channels": ["pager"]})

    assert (found, found.somebody) == (Wanted(), False)


def test_outside_its_hours_a_route_tells_when_they_begin() -> None:
    found = told({"channels": ["gpu-alerts", "ml-jobs"], "during": "office"})

    assert names(found) == []
    assert found.steps == (Step(kind="begin", at=MONDAY_NINE, channels=("gpu-alerts", "ml-jobs")),)
    assert found.somebody


def test_inside_its_hours_a_route_tells_now() -> None:
    stated = policy(routes=[{"channels": ["pager"], "during": "office"}], hours=[OFFICE])

    found = wanted(broken(), stated, MONDAY_NINE)

    assert (names(found), found.steps) == (["pager"], ())


def test_a_channel_that_another_route_tells_now_does_not_wait_for_hours() -> None:
    found = told(
        {"channels": ["pager", "gpu-alerts"], "during": "office"},
        {"channels": ["gpu-alerts"]},
    )

    assert names(found) == ["gpu-alerts"]
    assert [step.channels for step in found.steps] == [("pager",)]


def test_of_several_hours_the_first_to_begin_counts() -> None:
    found = told(
        {"channels": ["pager"], "during": "office"},
        {"channels": ["pager", "ml-jobs"], "during": "nights"},
    )

    # Nights are those of working days: Saturday has none, Monday 09:00 in Berlin comes first.
    assert [(step.at, step.channels) for step in found.steps] == [
        (MONDAY_NINE, ("pager",)),
        (utc("2026-03-02 22:00"), ("ml-jobs",)),
    ]


def test_hours_that_are_gone_from_the_document_keep_nobody_waiting() -> None:
    stated = policy(routes=[{"channels": ["pager"], "during": "gone"}])

    assert names(wanted(broken(), stated, SATURDAY)) == ["pager"]


def test_escalations_come_in_their_order_and_only_for_who_was_not_told() -> None:
    found = told(
        {
            "channels": ["ml-jobs"],
            "escalate": [
                {"after": "30m", "channels": ["pager"]},
                {"after": "10m", "channels": ["gpu-alerts", "ml-jobs"]},
            ],
        },
        {"channels": ["ml-jobs"], "escalate": [{"after": "10m", "channels": ["pager"]}]},
    )

    assert found.steps == (
        Step(
            kind="escalate",
            at=SATURDAY + timedelta(minutes=10),
            channels=("gpu-alerts", "pager"),
        ),
        Step(kind="escalate", at=SATURDAY + timedelta(minutes=30), channels=("pager",)),
    )


def test_an_escalation_counts_from_when_its_route_begins() -> None:
    found = told(
        {
            "channels": ["gpu-alerts"],
            "during": "office",
            "escalate": [{"after": "15m", "channels": ["pager"]}],
        }
    )

    assert [(step.kind, step.at) for step in found.steps] == [
        ("begin", MONDAY_NINE),
        ("escalate", MONDAY_NINE + timedelta(minutes=15)),
    ]


def test_a_channel_is_reminded_as_often_as_the_most_eager_route_says() -> None:
    found = told(
        {"channels": ["pager", "ml-jobs"], "repeat": "4h"},
        {"channels": ["pager"], "repeat": "1h"},
        {"channels": ["pager"]},
    )

    assert found.steps == (
        Step(kind="repeat", at=SATURDAY + timedelta(hours=1), channels=("pager",), every_s=3600),
        Step(kind="repeat", at=SATURDAY + timedelta(hours=4), channels=("ml-jobs",), every_s=14400),
    )


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_no_mute_is_decided_here(severity: str) -> None:
    assert told({"channels": ["pager"]}, incident=broken(severity=severity)).mute is None


ROUTES = st.lists(
    st.fixed_dictionaries(
        {
            "match": st.sampled_from([{}, {"severity": ["warning"]}, {"labels": {"node": "n*"}}]),
            "channels": st.lists(
                st.sampled_from(["pager", "gpu-alerts", "ml-jobs"]), min_size=1, unique=True
            ),
            "during": st.sampled_from(["", "office", "nights"]),
        },
    ),
    max_size=5,
)


@given(ROUTES, st.randoms(use_true_random=False), st.integers(0, 167))
def test_the_order_of_routes_changes_nothing(routes: list[Any], random: Any, hour: int) -> None:
    now = NOW + timedelta(hours=hour)
    shuffled = random.sample(routes, len(routes))

    one, other = (
        wanted(broken(), policy(routes=each, hours=[OFFICE, NIGHTS]), now)
        for each in (routes, shuffled)
    )

    def first(found: Wanted) -> set[tuple[object, str]]:
        return {(step.at, name) for step in found.steps for name in step.channels}

    assert one.channels == other.channels
    assert first(one) == first(other)


@given(ROUTES, st.integers(0, 167))
def test_who_is_taken_by_a_route_is_told_now_or_later(routes: list[Any], hour: int) -> None:
    stated = policy(routes=routes, hours=[OFFICE, NIGHTS])
    found = wanted(broken(), stated, NOW + timedelta(hours=hour))

    named = {
        name
        for route in routes
        if route["match"] != {"severity": ["warning"]}
        for name in route["channels"]
    }
    later = {name for step in found.steps for name in step.channels}
    assert set(names(found)) | later == named
    assert not set(names(found)) & later
