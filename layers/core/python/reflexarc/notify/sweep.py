"""The watchdog's round: every minute each chore is done, whatever became of the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.kernel.clock import Clock
from reflexarc.notify.config import Pacing
from reflexarc.notify.ports import Outbox, WakeUps

Chore = Callable[[datetime], int]
"""Does what is due at a moment and returns how many things that were."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a round did: how much each chore found to do, and which could not be done and why."""

    done: Mapping[str, int]
    failed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SweepService:
    """Does the chores that bound what a crash, a lost message or silence can cost: to one round.

    What fails is tried again by the next round, and keeps no other chore from being done.
    """

    chores: Mapping[str, Chore]
    clock: Clock

    def sweep(self) -> Swept:
        """Do every chore once; never raise."""
        now = self.clock()
        done: dict[str, int] = {}
        failed: dict[str, str] = {}
        for name, chore in self.chores.items():
            try:
                done[name] = chore(now)
            except Exception as error:  # noqa: BLE001 - one chore's bug must not stop the others
                failed[name] = f"{type(error).__name__}: {error}"
        return Swept(done, failed)


@dataclass(frozen=True, kw_only=True)
class StaleGroups:
    """The chore that wakes delivery groups: a lost wake-up delays a page by one round."""

    outbox: Outbox
    wake_ups: WakeUps
    pacing: Pacing = field(default_factory=Pacing)

    def wake(self, now: datetime) -> int:
        """Wake every group with notices that are unsent for long; return how many groups.

        Raises Unavailable when the store or a queue cannot answer.
        """
        groups = sorted(set(self.outbox.stale(now - self.pacing.stale)))
        self.wake_ups.wake(groups)
        return len(groups)
