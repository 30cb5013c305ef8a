"""Signals in, incidents out: each event counted once, each change told once, whoever races."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from reflexarc.events.signal import Signal
from reflexarc.incidents.model import EVENTS_MAX, Routing
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, IncidentBook, Stale, WakeUps
from reflexarc.incidents.rules import decide, distinct, event_of, in_order
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause

TRIES = 8
# After so many failures in a row the store is taken for down: the function must still answer
# within its timeout, or what it did commit would be retried as well.
OUTAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentService:
    """Records signals. Recording one again changes nothing and wakes what is still unsent."""

    book: IncidentBook
    wake_ups: WakeUps
    routing: Callable[[], Routing]
    clock: Clock
    pause: Callable[[int], None] = jittered_pause

    def record(self, signals: Sequence[Signal]) -> frozenset[str]:
        """Record the signals; return the ids of those that must be sent again later.

        Signals that share an id and a thing are parts of one message: recorded together or not,
        and once where two copies of the message came.
        """
        routing = self.routing()
        done = _Progress()
        for chunk in _chunks(signals):
            ids = {signal.id for signal in chunk}
            if done.failures >= OUTAGE:
                done.retry |= ids
                continue
            try:
                groups = self._commit(chunk, routing)
            except Unavailable as error:
                done.failures += not isinstance(error, Conflict)
                done.retry |= ids
            else:
                done.failures = 0
                done.wake(groups, ids)
        return frozenset(done.retry | self._wake(done))

    def _commit(self, chunk: tuple[Signal, ...], routing: Routing) -> frozenset[str]:
        """Commit what is new of a chunk; return the delivery groups that have work."""
        fingerprint = chunk[0].entity.fingerprint
        seen = False
        for attempt in range(TRIES):
            change = decide(self.book.load(fingerprint), chunk, routing, self.clock())
            try:
                self.book.commit(change)
            except AlreadyRecorded as error:
                seen = True
                chunk = tuple(signal for signal in chunk if event_of(signal) not in error.events)
                if not chunk:
                    return self.book.owed(fingerprint)
            except (Stale, Conflict):
                self.pause(attempt)
            else:
                owed = self.book.owed(fingerprint) if seen else frozenset()
                return owed | {notice.group for notice in change.notices}
        raise Conflict(f"lost {TRIES} races in a row for incident {fingerprint}")

    def _wake(self, done: "_Progress") -> set[str]:
        """Send one wake-up a group; on failure return the ids whose redelivery sends it again.

        What they changed is committed: redelivery finds them in the ledger and only wakes, which
        is sooner than the watchdog's next sweep.
        """
        if not done.woken_by:
            return set()
        try:
            self.wake_ups.wake(sorted(done.woken_by))
        except Unavailable:
            return set().union(*done.woken_by.values())
        return set()


@dataclass(slots=True)
class _Progress:
    """How far one call came."""

    retry: set[str] = field(default_factory=set)
    woken_by: dict[str, set[str]] = field(default_factory=dict)
    failures: int = 0

    def wake(self, groups: Iterable[str], ids: set[str]) -> None:
        """Remember that these groups have work because of these signals."""
        for group in groups:
            self.woken_by.setdefault(group, set()).update(ids)


def _chunks(signals: Sequence[Signal]) -> Iterator[tuple[Signal, ...]]:
    """Yield the signals by thing, in order, each time as many as one transaction can record."""
    by_thing: dict[str, list[Signal]] = {}
    for signal in distinct(signals):
        by_thing.setdefault(signal.entity.fingerprint, []).append(signal)
    for group in by_thing.values():
        ordered = in_order(group)
        events = list(dict.fromkeys(event_of(signal) for signal in ordered))
        for start in range(0, len(events), EVENTS_MAX):
            chosen = set(events[start : start + EVENTS_MAX])
            yield tuple(signal for signal in ordered if event_of(signal) in chosen)
