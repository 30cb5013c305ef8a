"""Pages that are due, silences and clicks, in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.adapters.memory.store import Store
from reflexarc.events.action import Timer
from reflexarc.events.page import Silence


@dataclass(frozen=True, slots=True)
class MemoryDuePages:
    """Pages by when their next step is due."""

    store: Store = field(default_factory=Store)

    def due(self, before: datetime) -> Iterator[Timer]:
        """Yield the timers that were due before a moment."""
        with self.store.lock:
            pages = list(self.store.pages.values())
        for page in pages:
            if page.due_at is not None and page.due_at < before:
                yield Timer(page=page.ref, timer=page.timer, due_at=page.due_at)


@dataclass(frozen=True, slots=True)
class MemorySilences:
    """Fills incidents.ports.Silences over a store."""

    store: Store = field(default_factory=Store)

    def active(self, now: datetime) -> tuple[Silence, ...]:
        """Return the silences that have not ended, by when they begin, then by id."""
        with self.store.lock:
            active = [each for each in self.store.silences.values() if each.ends_at > now]
        return tuple(sorted(active, key=lambda silence: (silence.starts_at, silence.id)))

    def all(self) -> tuple[Silence, ...]:
        """Return every silence that is kept, those that ended included, by id."""
        with self.store.lock:
            return tuple(sorted(self.store.silences.values(), key=lambda silence: silence.id))

    def put(self, silence: Silence) -> None:
        """Keep a silence, new or changed."""
        with self.store.lock:
            self.store.silences[silence.id] = silence


@dataclass(frozen=True, slots=True)
class MemoryClicks:
    """Clicks by digest."""

    store: Store = field(default_factory=Store)

    def first_time(self, digest: str, now: datetime) -> bool:  # noqa: ARG002 - the port's
        """Remember a click; False when it is known."""
        with self.store.lock:
            known = digest in self.store.clicks
            self.store.clicks.add(digest)
            return not known
