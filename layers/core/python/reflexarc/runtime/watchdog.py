"""One tick of the watchdog: every chore, and then the word to somebody outside that all is well.

Who suspects itself must not be the only one to say so: the dead man's switch hears of a tick only
when every chore of it was done, so whatever breaks the watchdog (or this account) raises an alarm
elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reflexarc.kernel.errors import ReflexError
from reflexarc.notify.sweep import SweepService, Swept
from reflexarc.runtime.observability import count, logger


class DeadMansSwitch(Protocol):
    """Somebody outside who raises the alarm when nothing is heard."""

    def ping(self, url: str) -> None:
        """Say that all is well; raises Unavailable or Ambiguous when that did not arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """Does the chores of a minute. `url` is the configured switch, empty for none."""

    chores: SweepService
    url: Callable[[], str]
    switch: DeadMansSwitch

    def tick(self) -> Swept:
        """Do every chore once, and tell the switch if all were done; never raise."""
        swept = self.chores.sweep()
        if not swept.failed and (url := self.url()):
            try:
                self.switch.ping(url)
            except ReflexError as error:
                logger().warning("dead man's switch not reached", reason=str(error))
                count("DeadManUnreached")
        return swept
