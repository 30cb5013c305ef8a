"""The protocol holds in every interleaving at small scope, and needs each of its safeguards."""

from dataclasses import replace
from typing import Any

import pytest

from tests.properties.incident_model import OPEN, RESOLVED, Event, Safeguards, Scope, search

FIRE = Event("e1", "fire", 1)
AGAIN = Event("e2", "fire", 2)
CLEAR = Event("e3", "clear", 3)
AFTER = Event("e4", "fire", 4)
ALL = Safeguards()
UNSWEPT = replace(ALL, sweep=False)

REPAIRED = Scope(events=(FIRE, FIRE, CLEAR))
RELAPSED = Scope(events=(FIRE, CLEAR, AFTER))
TWO_FAULTS = Scope(events=(FIRE, AGAIN, CLEAR))


@pytest.mark.parametrize(
    ("scope", "truth", "generations"),
    [
        pytest.param(REPAIRED, RESOLVED, 1, id="one fault, delivered twice, then repaired"),
        pytest.param(RELAPSED, OPEN, 2, id="fault, repair, fault"),
        pytest.param(TWO_FAULTS, RESOLVED, 1, id="two faults, then repaired"),
    ],
)
@pytest.mark.parametrize(
    ("budget", "safe"),
    [
        pytest.param({}, UNSWEPT, id="no crash, no sweep"),
        pytest.param({"refusals": 2}, UNSWEPT, id="refusals and lost answers, no sweep"),
        pytest.param({"crashes": 1, "refusals": 1}, ALL, id="crash and refusal"),
    ],
)
def test_protocol_holds_in_every_interleaving(
    scope: Scope, truth: int, generations: int, budget: dict[str, Any], safe: Safeguards
) -> None:
    verdict = search(replace(scope, **budget), safe, truth=truth, generations=generations)

    assert verdict.violations == {}
    assert verdict.states > 1_000


def test_protocol_holds_with_more_events_and_a_crash() -> None:
    scope = Scope(events=(FIRE, FIRE, CLEAR, AFTER), crashes=1)

    verdict = search(scope, ALL, truth=OPEN, generations=2)

    assert verdict.violations == {}
    assert verdict.states > 50_000


def test_one_crash_recovers_without_the_sweep() -> None:
    verdict = search(replace(REPAIRED, crashes=1), UNSWEPT, truth=RESOLVED, generations=1)

    assert verdict.violations == {}


@pytest.mark.parametrize(
    ("safeguard", "budget", "violation"),
    [
        ("version", {}, "a fault counted wrong"),
        ("ledger", {}, "a fault counted wrong"),
        ("sequence", {}, "an incident that is not what happened"),
        ("ordered", {}, "a page that is not what the incident is"),
        ("lease", {}, "two Slack roots in one generation"),
        ("outlasts", {"lapses": 1}, "two Slack roots in one generation"),
        ("suspicion", {"crashes": 1}, "two Slack roots in one generation"),
        ("reconcile", {"crashes": 1}, "two Slack roots in one generation"),
        ("reconcile", {"refusals": 1}, "two Slack roots in one generation"),
        ("wake_flag", {}, "an unsent notice at rest"),
        ("hears", {}, "no way to rest"),
        ("re_wake", {"refusals": 1}, "an unsent notice at rest"),
        ("visibility", {"crashes": 1}, "an unsent notice at rest"),
        ("sweep", {"crashes": 1, "refusals": 1}, "an unsent notice at rest"),
    ],
)
def test_each_safeguard_is_needed(safeguard: str, budget: dict[str, Any], violation: str) -> None:
    # Without the sweep, which would turn what is lost for good into what is a minute late.
    weakened = replace(UNSWEPT, **{safeguard: False})

    verdict = search(replace(REPAIRED, **budget), weakened, truth=RESOLVED, generations=1)

    assert violation in verdict.violations, verdict.violations
