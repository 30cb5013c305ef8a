"""The watchdog's part in delivery: wake what was left waiting, keep the page path warm."""

from dataclasses import dataclass, field

from reflexarc.kernel.clock import Clock
from reflexarc.notify.config import Pacing
from reflexarc.notify.ports import Canaries, Outbox, WakeUps


@dataclass(frozen=True, kw_only=True)
class SweepService:
    """Bounds how long a lost wake-up can delay a page: to one sweep."""

    outbox: Outbox
    wake_ups: WakeUps
    canaries: Canaries
    clock: Clock
    pacing: Pacing = field(default_factory=Pacing)

    def sweep(self) -> int:
        """Wake every group with notices that are unsent for long; return how many groups.

        The canaries fly even when the sweep fails: warmth must not depend on it.
        """
        now = self.clock()
        try:
            groups = sorted(set(self.outbox.stale(now - self.pacing.stale)))
            self.wake_ups.wake(groups)
        finally:
            self.canaries.send(now)
        return len(groups)
