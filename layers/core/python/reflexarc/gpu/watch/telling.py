"""What one aspect of one thing has told: which rules hold, how grave, and when it flaps. Pure.

An aspect is told when it opens, when it gets graver, and when nothing of it holds any more.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from reflexarc.events.severity import Severity

Telling = Literal["raised", "flapping", "cleared"]


@dataclass(slots=True)
class Aspect:
    """The rules of one aspect that hold, by name, and what was told of them."""

    active: dict[str, Severity] = field(default_factory=dict)
    told: Severity | None = None
    rule: str = ""
    flapping: bool = False
    quiet_since: float | None = None
    _openings: deque[float] = field(default_factory=deque)

    @property
    def worst(self) -> Severity | None:
        """Return the gravest severity that holds."""
        return max(self.active.values(), key=lambda each: each.rank, default=None)

    def turn(self, rule: str, severity: Severity, turned: Literal["raised", "cleared"]) -> None:
        """Take note of a rule that begins or ends to hold."""
        if turned == "raised":
            self.active[rule] = severity
        else:
            self.active.pop(rule, None)

    def raise_(
        self, rule: str, severity: Severity, seconds: float, *, flaps: int, window_s: float
    ) -> Telling | None:
        """Tell that a rule holds: at once, but folded where the aspect opens again and again."""
        openings = self._openings
        if self.told is None:
            while openings and not 0 <= seconds - openings[0] <= window_s:
                openings.popleft()
            openings.append(seconds)
            self.flapping = len(openings) > flaps
            self.told, self.rule, self.quiet_since = severity, rule, None
            return "flapping" if self.flapping else "raised"
        self.quiet_since = None
        if severity.rank < self.told.rank + self.flapping:
            return None
        self.told = max(self.told, severity, key=lambda each: each.rank)
        return "raised"

    def settle(self, seconds: float, window_s: float) -> Telling | None:
        """Tell that nothing of it holds any more; one that flaps must be quiet for a window."""
        if self.active or self.told is None:
            return None
        if self.flapping:
            if self.quiet_since is None or seconds < self.quiet_since:
                self.quiet_since = seconds
            if seconds - self.quiet_since < window_s:
                return None
            self._openings.clear()
        self.told, self.flapping, self.quiet_since = None, False, None
        return "cleared"
