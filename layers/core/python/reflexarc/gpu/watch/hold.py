"""Conditions that must last before they count, and must be gone for a while before they end. Pure.

What is not known neither raises nor clears: a gap in what was read starts the reckoning anew.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reflexarc.events.severity import Severity

# Looks come once a second; one or two may be late or fail without breaking what lasts.
GAP_SECONDS = 3.0
Turn = Literal["raised", "cleared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule's name and manner: how long its condition lasts before it is raised and cleared."""

    name: str
    severity: Severity
    raise_s: float
    clear_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look says of one rule. `holds` and `well` are None where it is not known.

    Between a condition and its clear condition lies a band in which neither is true.
    """

    rule: Rule
    holds: bool | None
    well: bool | None
    says: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Hold:
    """One rule of one device over time: it turns when what would turn it has lasted."""

    active: bool = False
    _since: float | None = None
    _last: float = 0.0

    def step(self, reading: Reading, seconds: float) -> Turn | None:
        """Take one look in; return what it turned, if anything."""
        rule = reading.rule
        turning, lasts = (
            (reading.well, rule.clear_s) if self.active else (reading.holds, rule.raise_s)
        )
        if turning is None:
            return None
        if not 0 <= seconds - self._last <= GAP_SECONDS:
            self._since = None
        self._last = seconds
        if not turning:
            self._since = None
            return None
        if self._since is None:
            self._since = seconds
        if seconds - self._since < lasts:
            return None
        self.active, self._since = not self.active, None
        return "raised" if self.active else "cleared"


class Growth:
    """How much a counter grew within a window; a driver that reloads starts it at zero again."""

    def __init__(self, window_s: float, every_s: float) -> None:
        self._window = window_s
        self._every = every_s
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, count: int, seconds: float) -> None:
        """Take in a look at the counter."""
        seen = self._seen
        if seen and (count < seen[-1][1] or seconds < seen[-1][0]):
            seen.clear()
        while len(seen) > 1 and seconds - seen[1][0] >= self._window:
            seen.popleft()
        if len(seen) > 1 and seconds - seen[-2][0] < self._every:
            seen[-1] = seconds, count
        else:
            seen.append((seconds, count))

    @property
    def grown(self) -> int | None:
        """Return by how much it grew; None before a second look."""
        if len(self._seen) < 2:  # noqa: PLR2004 - growth is between two looks
            return None
        return self._seen[-1][1] - self._seen[0][1]

    @property
    def full(self) -> bool:
        """Tell whether its looks reach over the whole window."""
        return bool(self._seen) and self._seen[-1][0] - self._seen[0][0] >= self._window

    def per_minute(self) -> float | None:
        """Return the growth a minute over at least half of the window; None before."""
        if len(self._seen) < 2:  # noqa: PLR2004 - growth is between two looks
            return None
        span = self._seen[-1][0] - self._seen[0][0]
        if span < self._window / 2:
            return None
        return (self._seen[-1][1] - self._seen[0][1]) * 60 / span


class Slope:
    """How fast a value changes: the least-squares line through its newest looks."""

    def __init__(self, window_s: float = 20.0, least: int = 12) -> None:
        self._window = window_s
        self._least = least
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, value: float, seconds: float) -> None:
        """Take in a look; a gap starts anew."""
        seen = self._seen
        if seen and not 0 < seconds - seen[-1][0] <= GAP_SECONDS:
            seen.clear()
        seen.append((seconds, value))
        while seconds - seen[0][0] > self._window:
            seen.popleft()

    def per_second(self) -> float | None:
        """Return the slope; None while there are too few looks, 0 where it is a step, not a slope.

        What rises all the time rises in both halves of the window; a step is in one of them.
        """
        looks = list(self._seen)
        if len(looks) < self._least:
            return None
        whole = _slope(looks)
        middle = len(looks) // 2
        halves = (_slope(looks[:middle]), _slope(looks[middle:]))
        return whole if all(half * whole >= whole * whole / 4 for half in halves) else 0.0


def _slope(looks: list[tuple[float, float]]) -> float:
    start, count = looks[0][0], len(looks)
    mean_t = sum(seconds - start for seconds, _ in looks) / count
    mean_v = sum(value for _, value in looks) / count
    spread = sum((seconds - start - mean_t) ** 2 for seconds, _ in looks)
    together = sum((seconds - start - mean_t) * (value - mean_v) for seconds, value in looks)
    return together / spread
