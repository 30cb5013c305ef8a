"""Fills WakeUps (incidents, notify), ReWakes, Timers, Undeliverable and DeadLetters in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reflexarc.events.action import Timer
from reflexarc.events.delivery import Delivery
from reflexarc.events.notice import Notice
from reflexarc.notify.model import Task

# As SQS: what is due later is the watchdog's.
DELAY_MAX = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class MemoryWakeUps:
    """Keeps the groups woken, in order."""

    woken: list[str] = field(default_factory=list)

    def wake(self, groups: Iterable[str]) -> None:
        """Keep one wake-up a group."""
        self.woken.extend(groups)


@dataclass(frozen=True, slots=True)
class MemoryReWakes:
    """Keeps the planned re-wakes, in order."""

    planned: list[tuple[str, datetime]] = field(default_factory=list)

    def later(self, group: str, at: datetime, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Keep one delayed wake-up."""
        self.planned.append((group, at))


@dataclass(frozen=True, slots=True)
class MemoryTimers:
    """Keeps the timers for which a message was sent, in order."""

    planned: list[Timer] = field(default_factory=list)

    def plan(self, timer: Timer, now: datetime) -> None:
        """Keep one delayed message, unless the watchdog finds the timer."""
        if timer.due_at - now <= DELAY_MAX:
            self.planned.append(timer)


@dataclass(frozen=True, slots=True)
class MemoryUndeliverable:
    """Keeps the notices that a vendor refused, each with what was to be told and its answer."""

    kept: list[tuple[Notice, Task, str]] = field(default_factory=list)

    def keep(self, notice: Notice, task: Task, reason: str) -> None:
        """Keep the notice, the task and the reason."""
        self.kept.append((notice, task, reason))


@dataclass(frozen=True, slots=True)
class MemoryDeadLetters:
    """Keeps the messages that can never succeed, each with its reason."""

    kept: list[tuple[Delivery, str]] = field(default_factory=list)

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Keep the message and the reason."""
        self.kept.append((delivery, reason))
