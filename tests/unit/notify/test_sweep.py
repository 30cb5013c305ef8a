from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from reflexarc.adapters.memory.queues import MemoryWakeUps
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.ports import WakeUps
from reflexarc.notify.sweep import SweepService
from tests.support.delivery import Office
from tests.support.notices import PAGERDUTY, notice


@dataclass
class Canaries:
    flown: list[datetime] = field(default_factory=list)

    def send(self, now: datetime) -> int:
        self.flown.append(now)
        return 1


class Mute:
    def wake(self, groups: Iterable[str]) -> None:
        raise Unavailable(f"cannot wake {sorted(groups)}")


def sweeper(office: Office, wake_ups: WakeUps, canaries: Canaries) -> SweepService:
    return SweepService(
        outbox=office.outbox, wake_ups=wake_ups, canaries=canaries, clock=office.clock
    )


def test_groups_left_waiting_are_woken_once_each() -> None:
    office, wake_ups, canaries = Office(), MemoryWakeUps(), Canaries()
    office.owe([notice(gpu=1), notice(gpu=2), notice(channel=PAGERDUTY)])
    office.clock.forward(31)

    assert sweeper(office, wake_ups, canaries).sweep() == 2
    assert wake_ups.woken == [notice(channel=PAGERDUTY).group, "slack/C0PAGES"]
    assert canaries.flown == [office.clock.now]


def test_a_fresh_notice_is_its_own_wake_up_s_business() -> None:
    office, wake_ups = Office(), MemoryWakeUps()
    office.owe([notice()])
    office.clock.forward(29)

    assert sweeper(office, wake_ups, Canaries()).sweep() == 0
    assert wake_ups.woken == []


def test_canaries_fly_even_when_the_sweep_fails() -> None:
    office, canaries = Office(), Canaries()
    office.owe([notice()])
    office.clock.forward(31)

    with pytest.raises(Unavailable):
        sweeper(office, Mute(), canaries).sweep()

    assert canaries.flown == [office.clock.now]
