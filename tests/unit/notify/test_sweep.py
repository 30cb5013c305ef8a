from collections.abc import Iterable
from datetime import datetime

import pytest

from reflexarc.adapters.memory.queues import MemoryWakeUps
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.sweep import StaleGroups, SweepService, Swept
from tests.support.delivery import Hand, Office
from tests.support.notices import NOW, PAGERDUTY, SLACK, notice, page


def test_groups_left_waiting_are_woken_once_each() -> None:
    office, wake_ups = Office(), MemoryWakeUps()
    office.tell(page(1))
    office.tell(page(2, channels=(SLACK,)))
    office.clock.forward(31)

    woken = StaleGroups(outbox=office.outbox, wake_ups=wake_ups).wake(office.clock.now)

    assert woken == 2
    assert wake_ups.woken == [notice(PAGERDUTY).group, "slack/C0PAGES"]


def test_a_fresh_notice_is_its_own_wake_up_s_business() -> None:
    office, wake_ups = Office(), MemoryWakeUps()
    office.tell(page())
    office.clock.forward(29)

    assert StaleGroups(outbox=office.outbox, wake_ups=wake_ups).wake(office.clock.now) == 0
    assert wake_ups.woken == []


def test_a_queue_that_takes_no_wake_up_is_told_of() -> None:
    class Mute:
        def wake(self, groups: Iterable[str]) -> None:
            raise Unavailable(f"cannot wake {sorted(groups)}")

    office = Office()

    with pytest.raises(Unavailable):
        StaleGroups(outbox=office.outbox, wake_ups=Mute()).wake(office.clock.now)


def test_a_chore_that_fails_keeps_no_other_from_being_done() -> None:
    def broken(now: datetime) -> int:
        raise Unavailable(f"nothing answers at {now:%H:%M}")

    def buggy(now: datetime) -> int:
        raise KeyError(f"{now:%H}")

    chores = {"timers": broken, "nodes": buggy, "canaries": lambda now: (now - NOW).seconds}

    swept = SweepService(chores=chores, clock=Hand()).sweep()

    failed = {"timers": "Unavailable: nothing answers at 04:44", "nodes": "KeyError: '04'"}
    assert swept == Swept(done={"canaries": 0}, failed=failed)
