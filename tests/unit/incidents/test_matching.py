"""Conditions on incidents: labels that cannot be forged, patterns that cannot explode."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.events.gpu_faults import Job
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.incidents.document import Match
from reflexarc.incidents.matching import (
    OWN,
    fits,
    labels_of,
    matches,
    matches_labels,
    misses,
)
from tests.support.policy import broken

PATTERNS = st.text(alphabet="ab*?", max_size=8)
TEXTS = st.text(alphabet="ab", max_size=10)


def test_labels_say_what_is_broken_where_and_whose_it_is() -> None:
    incident = broken(
        entity=Entity(kind="gpu", node="gpu-7", device="0000:3b:00", aspect="thermal"),
        labels={"rack": "r12"},
        job=Job(id="4711", owner="vision"),
    )

    assert labels_of(incident) == {
        "rack": "r12",
        "severity": "critical",
        "owner": "oncall",
        "cause": "xid/79",
        "kind": "gpu",
        "node": "gpu-7",
        "device": "0000:3b:00",
        "aspect": "thermal",
        "job": "4711",
        "job_owner": "vision",
    }


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_node_cannot_say_who_it_is_by_a_label(name: str) -> None:
    forged = broken(labels={name: "forged"})

    assert labels_of(forged).get(name) == labels_of(broken()).get(name)


@pytest.mark.parametrize(
    ("pattern", "text", "fit"),
    [
        ("gpu-7", "gpu-7", True),
        ("gpu-7", "gpu-77", False),
        ("gpu-?", "gpu-7", True),
        ("gpu-?", "gpu-", False),
        ("gpu-*", "gpu-", True),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("*79", "xid/7979", True),
        ("x*d/*", "xid/79", True),
        ("x*d/*9?", "xid/79", False),
        ("gpu-[0-9]", "gpu-7", False),
        ("gpu.7", "gpu-7", False),
        ("GPU-7", "gpu-7", False),
        ("*\n*", "a\nb", True),
    ],
)
def test_patterns_know_star_and_question_mark_alone(pattern: str, text: str, *, fit: bool) -> None:
    assert fits(pattern, text) is fit


@given(PATTERNS, TEXTS)
def test_patterns_mean_what_the_same_regular_expression_means(pattern: str, text: str) -> None:
    plain = "".join({"*": ".*", "?": "."}.get(char, char) for char in re.sub(r"\*+", "*", pattern))

    assert fits(pattern, text) is (re.fullmatch(plain, text) is not None)


def test_a_pattern_made_to_backtrack_ends_at_once() -> None:
    begun = time.perf_counter()

    assert not fits("*a" * 50 + "b", "a" * 5_000)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({}, True),
        ({"severity": ["critical"]}, True),
        ({"severity": ["warning", "info"]}, False),
        ({"owner": ["oncall"]}, True),
        ({"owner": ["job"]}, False),
        ({"causes": ["sxid/*", "xid/7?"]}, True),
        ({"causes": ["xid/48"]}, False),
        ({"labels": {"node": "node-*", "rack": "r12"}}, True),
        ({"labels": {"node": "node-*", "rack": "r13"}}, False),
        ({"severity": ["critical"], "labels": {"zone": "z"}}, False),
    ],
)
def test_every_stated_condition_must_hold(match: dict[str, object], *, holds: bool) -> None:
    incident = broken(labels={"rack": "r12"})

    assert matches(Match.model_validate(match), incident) is holds


def test_the_gravest_cause_counts_unless_any_is_asked_for() -> None:
    match = Match(causes=("xid/48",))
    incident = broken("xid/79", others=("xid/48",))

    assert (matches(match, incident), matches(match, incident, any_cause=True)) == (False, True)


@pytest.mark.parametrize(
    ("wanted", "fit"),
    [({"zone": "*"}, False), ({"zone": ""}, True), ({"rack": ""}, False), ({"rack": "*"}, True)],
)
def test_a_label_that_is_absent_fits_the_empty_value_alone(
    wanted: dict[str, str], *, fit: bool
) -> None:
    assert matches_labels(wanted, {"rack": "r12"}) is fit


def test_what_does_not_hold_is_said_in_words() -> None:
    match = Match(
        severity=(Severity.WARNING, Severity.INFO),
        owner=("job",),
        causes=("xid/48",),
        labels={"node": "gpu-*", "zone": "z1", "rack": ""},
    )

    assert misses(match, broken(labels={"rack": "r12"})) == (
        "severity is critical, not warning or info",
        "owner is oncall, not job",
        "cause is xid/79, not xid/48",
        "label node is node-7, not gpu-*",
        "label zone is absent, not z1",
        "label rack is r12, not absent",
    )


@given(
    st.builds(
        Match,
        severity=st.lists(st.sampled_from(Severity), max_size=2).map(tuple),
        owner=st.lists(st.sampled_from(["oncall", "job"]), max_size=1).map(tuple),
        causes=st.lists(st.sampled_from(["xid/79", "xid/48", "xid/*", "x"]), max_size=2).map(tuple),
        labels=st.dictionaries(st.sampled_from(["node", "rack"]), st.sampled_from(["", "*", "r"])),
    ),
    st.booleans(),
)
def test_something_is_said_exactly_when_it_does_not_match(match: Match, any_cause: bool) -> None:  # noqa: FBT001
    incident = broken(others=("xid/48",))

    assert matches(match, incident, any_cause=any_cause) is not bool(
        misses(match, incident, any_cause=any_cause)
    )
