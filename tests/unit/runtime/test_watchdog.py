from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from reflexarc.kernel.errors import Ambiguous, Unavailable
from reflexarc.notify.sweep import SweepService
from reflexarc.runtime.watchdog import Watchdog
from tests.support.readings import NOW

URL = "https://hc.example.com/ping/1"
CHORES = ("stale groups", "silent nodes", "steps that are due", "canaries")


@dataclass
class Switch:
    """A dead man's switch that hears, or fails as it is told to."""

    fails: Exception | None = None
    heard: list[str] = field(default_factory=list)

    def ping(self, url: str) -> None:
        if self.fails is not None:
            raise self.fails
        self.heard.append(url)


def chore(fails: Exception | None = None) -> Callable[[datetime], int]:
    def run(now: datetime) -> int:
        assert now == NOW
        if fails is not None:
            raise fails
        return 1

    return run


def watchdog(switch: Switch, failing: str = "", url: str = URL) -> Watchdog:
    failure: Exception = Unavailable("on purpose")
    chores = {name: chore(failure if name == failing else None) for name in CHORES}
    return Watchdog(
        chores=SweepService(chores=chores, clock=lambda: NOW), url=lambda: url, switch=switch
    )


def test_a_whole_tick_is_told_to_the_switch() -> None:
    switch = Switch()

    swept = watchdog(switch).tick()

    assert switch.heard == [URL]
    assert dict(swept.done) == dict.fromkeys(CHORES, 1)


@pytest.mark.parametrize("failing", CHORES)
def test_each_failing_chore_withholds_the_word_and_no_other_chore(failing: str) -> None:
    switch = Switch()

    swept = watchdog(switch, failing).tick()

    assert switch.heard == []
    assert set(swept.failed) == {failing}
    assert set(swept.done) == set(CHORES) - {failing}


@pytest.mark.parametrize("error", [Unavailable("no route"), Ambiguous("no answer")])
def test_a_switch_that_cannot_be_reached_never_fails_the_tick(error: Exception) -> None:
    swept = watchdog(Switch(error)).tick()

    assert swept.failed == {}


def test_without_a_url_nobody_is_told() -> None:
    switch = Switch()

    watchdog(switch, url="").tick()

    assert switch.heard == []
