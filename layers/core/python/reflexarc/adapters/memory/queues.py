"""Fills WakeUps (incidents, notify), ReWakes, Undeliverable and DeadLetters in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.events.delivery import Delivery
from reflexarc.events.notice import Notice


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
class MemoryUndeliverable:
    """Keeps the notices that a vendor refused, each with its answer."""

    kept: list[tuple[Notice, str]] = field(default_factory=list)

    def keep(self, notice: Notice, reason: str) -> None:
        """Keep the notice and the reason."""
        self.kept.append((notice, reason))


@dataclass(frozen=True, slots=True)
class MemoryDeadLetters:
    """Keeps the messages that can never succeed, each with its reason."""

    kept: list[tuple[Delivery, str]] = field(default_factory=list)

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Keep the message and the reason."""
        self.kept.append((delivery, reason))
