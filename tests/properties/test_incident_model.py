"""The protocol holds in every interleaving at small scope, and needs each of its safeguards."""

from dataclasses import fields, replace
from typing import Any

import pytest

from tests.properties.incident_model import (
    MEMBER,
    NONE,
    OPEN,
    RESOLVED,
    Event,
    Safeguards,
    Scope,
)
from tests.properties.model_search import search

FAULT = Event("l1", "fire", 1)
REPAIR = Event("l2", "clear", 2)
RELAPSE = Event("l3", "fire", 3)
AGAIN = Event("l4", "fire", 2)
SECOND_REPAIR = Event("l5", "clear", 3)
JOINS = Event("m1", "fire", 1, MEMBER)
IS_REPAIRED = Event("m2", "clear", 2, MEMBER)
MEMBER_RELAPSE = Event("m3", "fire", 3, MEMBER)
ACK = Event("a1", "ack", 0)
SILENCE = Event("s1", "silence", 0)

ALL = Safeguards()
# Without the sweep, which would turn what is lost for good into what is a minute late.
UNSWEPT = replace(ALL, sweep=False)

REPAIRED = Scope(events=(FAULT, FAULT, REPAIR))
SHORT = Scope(events=(FAULT, REPAIR))
RELAPSED = Scope(events=(FAULT, REPAIR, RELAPSE))
TWO_FAULTS = Scope(events=(FAULT, AGAIN, SECOND_REPAIR))
PAIR = Scope(events=(FAULT, JOINS))
JOINED = Scope(before=(FAULT,), events=(REPAIR, JOINS))
OUTLIVED = Scope(events=(FAULT, JOINS, IS_REPAIRED))
BOTH_REPAIRED = Scope(before=(FAULT, JOINS), events=(REPAIR, IS_REPAIRED))
REJOINS = Scope(before=(FAULT, JOINS), events=(REPAIR, IS_REPAIRED, MEMBER_RELAPSE), senders=1)
ACKED = Scope(events=(FAULT, REPAIR, ACK))
SILENCED = Scope(before=(FAULT,), events=(REPAIR, REPAIR, SILENCE))
MUTED = Scope(events=(FAULT, JOINS), silenced=True)
MUTED_REPAIRED = Scope(events=(FAULT, REPAIR), silenced=True)

SCOPES = [
    pytest.param(REPAIRED, (RESOLVED, NONE), id="one fault, delivered twice, then repaired"),
    pytest.param(RELAPSED, (OPEN, NONE), id="fault, repair, fault"),
    pytest.param(TWO_FAULTS, (RESOLVED, NONE), id="two faults, then repaired"),
    pytest.param(PAIR, (OPEN, OPEN), id="two incidents of one page"),
    pytest.param(JOINED, (RESOLVED, OPEN), id="one joins while the lead is repaired"),
    pytest.param(OUTLIVED, (OPEN, RESOLVED), id="a member is repaired before the lead"),
    pytest.param(BOTH_REPAIRED, (RESOLVED, RESOLVED), id="both are repaired"),
    pytest.param(REJOINS, (RESOLVED, OPEN), id="both are repaired, and one breaks again"),
    pytest.param(ACKED, (RESOLVED, NONE), id="acknowledged while it is repaired"),
    pytest.param(SILENCED, (RESOLVED, NONE), id="silenced while it is open"),
    pytest.param(MUTED, (OPEN, OPEN), id="silenced before, and one joins"),
    pytest.param(MUTED_REPAIRED, (RESOLVED, NONE), id="silenced before, and repaired"),
]


@pytest.mark.parametrize(("scope", "truth"), SCOPES)
def test_protocol_holds_in_every_interleaving_with_a_refusal_or_a_lost_answer(
    scope: Scope, truth: tuple[int, int]
) -> None:
    verdict = search(replace(scope, refusals=1), UNSWEPT, truth, generations=2)

    assert verdict.violations == {}
    assert verdict.states > 100


@pytest.mark.parametrize(
    ("scope", "truth", "budget"),
    [
        pytest.param(REPAIRED, (RESOLVED, NONE), {"crashes": 1}, id="fault and repair"),
        pytest.param(RELAPSED, (OPEN, NONE), {"crashes": 1}, id="fault, repair, fault"),
        pytest.param(JOINED, (RESOLVED, OPEN), {"crashes": 1}, id="joins while it is repaired"),
        pytest.param(BOTH_REPAIRED, (RESOLVED, RESOLVED), {"crashes": 1}, id="both repaired"),
        pytest.param(ACKED, (RESOLVED, NONE), {"crashes": 1}, id="acknowledged"),
        pytest.param(SILENCED, (RESOLVED, NONE), {"crashes": 1}, id="silenced"),
        pytest.param(MUTED, (OPEN, OPEN), {"crashes": 1}, id="silenced before"),
        pytest.param(PAIR, (OPEN, OPEN), {"crashes": 2}, id="two crashes"),
        pytest.param(SHORT, (RESOLVED, NONE), {"crashes": 1, "refusals": 1}, id="crash, refusal"),
        pytest.param(SHORT, (RESOLVED, NONE), {"refusals": 2}, id="two refusals"),
    ],
)
def test_protocol_survives_crashes(
    scope: Scope, truth: tuple[int, int], budget: dict[str, Any]
) -> None:
    verdict = search(replace(scope, **budget), ALL, truth, generations=2)

    assert verdict.violations == {}
    assert verdict.states > 500


def test_one_crash_recovers_without_the_sweep() -> None:
    verdict = search(replace(SHORT, crashes=1), UNSWEPT, (RESOLVED, NONE), generations=1)

    assert verdict.violations == {}


WELL, LOST = "a zombie: told open while all are well", "a lost page"
TWICE, UNSENT = "two Slack roots in one generation", "an unsent notice at rest"
FIXED, LEFT = (RESOLVED, NONE), (RESOLVED, OPEN)
BROKEN = (OPEN, OPEN)
NEEDED = [
    ("version", REPAIRED, FIXED, {}, "a fault counted wrong"),
    ("ledger", REPAIRED, FIXED, {}, "a fault counted wrong"),
    ("sequence", REPAIRED, FIXED, {}, "an incident that is not what happened"),
    ("closing", JOINED, LEFT, {}, LOST),
    ("rereads", JOINED, LEFT, {}, LOST),
    ("tidies", SHORT, FIXED, {"crashes": 1}, WELL),
    ("ends", RELAPSED, (OPEN, NONE), {"crashes": 1}, "a page left closing"),
    ("marks", JOINED, LEFT, {}, LOST),
    ("lasting_shared", JOINED, LEFT, {}, LOST),
    ("shared_unmute", MUTED, BROKEN, {}, LOST),
    ("looks", MUTED, BROKEN, {}, LOST),
    ("told_resolves", SILENCED, FIXED, {}, WELL),
    ("stamp", REPAIRED, FIXED, {}, WELL),
    ("takes_first", MUTED, BROKEN, {}, LOST),
    ("fresh_ends", MUTED, BROKEN, {"refusals": 1}, TWICE),
    ("lease", REPAIRED, FIXED, {}, TWICE),
    ("outlasts", SHORT, FIXED, {"lapses": 1}, TWICE),
    ("unsure", REJOINS, LEFT, {"refusals": 1}, LOST),
    ("suspicion", SHORT, FIXED, {"crashes": 1}, TWICE),
    ("reconcile", SHORT, FIXED, {"crashes": 1}, TWICE),
    ("reconcile", SHORT, FIXED, {"refusals": 1}, TWICE),
    ("reconcile", PAIR, BROKEN, {"refusals": 2}, TWICE),
    ("doubts", SHORT, FIXED, {"refusals": 1}, WELL),
    ("wake_flag", REPAIRED, FIXED, {}, UNSENT),
    ("hears", REPAIRED, FIXED, {}, "no way to rest"),
    ("re_wake", SHORT, FIXED, {"refusals": 1}, UNSENT),
    ("visibility", SHORT, FIXED, {"crashes": 1}, UNSENT),
    ("sweep", SHORT, FIXED, {"crashes": 1, "refusals": 1}, UNSENT),
]


@pytest.mark.parametrize(("safeguard", "scope", "truth", "budget", "violation"), NEEDED)
def test_each_safeguard_is_needed(
    safeguard: str,
    scope: Scope,
    truth: tuple[int, int],
    budget: dict[str, Any],
    violation: str,
) -> None:
    weakened = replace(UNSWEPT, **{safeguard: False})

    verdict = search(replace(scope, **budget), weakened, truth, generations=2)

    assert violation in verdict.violations, verdict.violations


def test_who_leaves_a_closing_page_and_dies_leaves_a_zombie() -> None:
    # Nobody else would look again whether all are well there: so it helps to conclude it instead.
    weakened = replace(ALL, stays=False)

    verdict = search(replace(JOINED, crashes=1, senders=1), weakened, LEFT, generations=1)

    assert WELL in verdict.violations


def test_every_safeguard_has_its_proof() -> None:
    assert {each[0] for each in NEEDED} | {"stays"} == {each.name for each in fields(Safeguards)}
