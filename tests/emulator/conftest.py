"""The lanes that end-to-end tests share: a session's stacks, without the vendors' rate limits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes
from tests.emulator.story import EACH_ALONE, UNLIMITED, Story
from tests.emulator.troubles import Troubles

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.fixture(scope="session")
def lane(processes: Processes) -> Lane:
    """Return a stack that tells each thing alone."""
    made = build(processes, Plan(checkout=ROOT, standin_options=UNLIMITED, document=EACH_ALONE))
    made.stack.warm()
    return made


@pytest.fixture(scope="session")
def grouping_lane(processes: Processes) -> Lane:
    """Return a stack as it comes: its built-in routes and families."""
    made = build(processes, Plan(checkout=ROOT, standin_options=UNLIMITED))
    made.stack.warm()
    return made


@pytest.fixture(scope="session")
def troubles(processes: Processes) -> Iterator[Troubles]:
    """Outages that last a minute: begun with the session, looked at when its tests come."""
    with Troubles.begin(processes, ROOT) as begun:
        yield begun


@pytest.fixture(autouse=True, scope="session")
def _begin_early(request: pytest.FixtureRequest) -> None:
    if any("troubles" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("troubles")


@pytest.fixture
def as_operator(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """Return the lane, with the credentials of somebody who may operate it."""
    for name, value in lane.endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return lane


@pytest.fixture
def grouped(grouping_lane: Lane) -> Iterator[Story]:
    told = Story(grouping_lane)
    yield told
    told.end()


@pytest.fixture
def story(lane: Lane) -> Iterator[Story]:
    told = Story(lane)
    yield told
    told.end()
