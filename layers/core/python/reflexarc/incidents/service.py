"""Signals in, incidents and pages out: each event counted once, each change told, whoever races."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from reflexarc.events.incident import PageRef
from reflexarc.events.page import JOINABLE, Page
from reflexarc.events.signal import Signal
from reflexarc.incidents.closing import Closing
from reflexarc.incidents.draft import Draft
from reflexarc.incidents.model import EVENTS_MAX, ITEMS_MAX, Commit, Policy
from reflexarc.incidents.placing import rehome
from reflexarc.incidents.planning import plan_steps
from reflexarc.incidents.ports import (
    AlreadyRecorded,
    Conflict,
    IncidentBook,
    Stale,
    Timers,
    WakeUps,
)
from reflexarc.incidents.races import TRIES, stored, until_won
from reflexarc.incidents.rules import decide, distinct, event_of, in_order, is_needless
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Unavailable, Unreadable
from reflexarc.kernel.pause import jittered_pause

# After so many failures in a row the store is taken for down: the function must still answer
# within its timeout, or what it did commit would be retried as well.
OUTAGE = 2
# What one incident may need beside its events: itself, a row in two pages, an inhibition, and the
# page that it opens with its line and a row a channel. Most need two.
ITEMS_EACH = 3
ITEMS_OF_PAGES = 24

Chunk = tuple[Signal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentService:
    """Records signals. Recording one again changes nothing and wakes what is still unsent."""

    book: IncidentBook
    wake_ups: WakeUps
    timers: Timers
    policy: Callable[[], Policy]
    clock: Clock
    pause: Callable[[int], None] = jittered_pause

    def record(self, signals: Sequence[Signal]) -> frozenset[str]:
        """Record the signals; return the ids of those that must be sent again later.

        Signals that share an id and a thing are parts of one message: recorded together or not,
        and once where two copies of the message came.
        """
        policy = self.policy()
        done = _Progress()
        for bundle in _bundles(_chunks(signals)):
            self._record(bundle, policy, done)
        return frozenset(done.retry | self._wake(done))

    def _record(self, bundle: Sequence[Chunk], policy: Policy, done: "_Progress") -> None:
        """Record a bundle in one transaction, or each half on its own.

        That helps where much is contended, and keeps what this version cannot read to itself.
        """
        ids = {signal.id for chunk in bundle for signal in chunk}
        if done.failures >= OUTAGE:
            done.retry |= ids
            return
        try:
            groups = self._commit(bundle, policy)
        except (Conflict, Unreadable):
            if len(bundle) == 1:
                done.retry |= ids
                return
            middle = len(bundle) // 2
            self._record(bundle[:middle], policy, done)
            self._record(bundle[middle:], policy, done)
        except Unavailable:
            done.failures += 1
            done.retry |= ids
        else:
            done.failures = 0
            done.wake(groups, ids)

    def _commit(self, bundle: Sequence[Chunk], policy: Policy) -> frozenset[str]:
        """Commit what is new of a bundle; return the delivery groups that have work."""
        seen: set[str] = set()
        chunks = [chunk for chunk in bundle if chunk]
        # A bundle that loses its races is cut in two, and a half wins sooner.
        for attempt in range(TRIES if len(bundle) == 1 else 2):
            draft = self._drafted(chunks, policy)
            commit = draft.commit()
            if commit.size > ITEMS_MAX and len(bundle) > 1:
                raise Conflict(f"{len(bundle)} incidents are too many for one transaction")
            try:
                if draft.incidents:
                    self.book.commit(commit)
            except AlreadyRecorded as error:
                seen |= {_thing(chunk) for chunk in chunks if _any_of(chunk, error.events)}
                chunks = [kept for chunk in chunks if (kept := _without(chunk, error.events))]
                if not chunks:
                    return self._aftercare(seen, policy)
            except (Stale, Conflict):
                self.pause(attempt)
            else:
                return self._finish(draft, commit) | self._aftercare(seen, policy)
        raise Conflict(f"lost too many races for {len(bundle)} incidents")

    def _drafted(self, chunks: Sequence[Chunk], policy: Policy) -> Draft:
        known = self.book.load({_thing(chunk) for chunk in chunks})
        draft = Draft(self.book, policy, self.clock())
        for chunk in chunks:
            incident = known.get(_thing(chunk))
            if not is_needless(incident, chunk):
                decide(draft, incident, chunk)
        return draft

    def _finish(self, draft: Draft, commit: Commit) -> frozenset[str]:
        """Do what a commit leaves to do; a crash before it is made good by the redelivery."""
        groups = {notice.group for notice in commit.notices}
        for page in draft.planned:
            plan_steps(self.timers, page, draft.now)
        groups |= self._look_again(draft.marked, draft.newcomers, draft.policy)
        for ref in draft.closing:
            self._closing().conclude(ref)
        return frozenset(groups)

    def _closing(self) -> Closing:
        return Closing(book=self.book, clock=self.clock, pause=self.pause)

    def _look_again(
        self, changed: Iterable[PageRef], newcomers: Mapping[PageRef, set[str]], policy: Policy
    ) -> frozenset[str]:
        """Look at pages whose members changed: tell their channels, home anew who lost a page.

        A member's row demands nothing of the page, so it may have been shut meanwhile, or told to
        a further channel. Who shuts or tells one reads its members after that: either they saw the
        change, or it is seen here.
        """
        groups: set[str] = set()
        for ref in dict.fromkeys((*changed, *newcomers)):
            page = self._settled(ref)
            if page is None or page.state not in JOINABLE:
                groups |= self._rehome(newcomers.get(ref, ()), ref, policy)
            if page is not None:
                groups |= self.book.mark(page, self.clock())
        return frozenset(groups)

    def _settled(self, ref: PageRef) -> Page | None:
        """Return a page, waiting a little for whoever is just looking whether it is over.

        Who looks may have died at it: then the looking is ours.
        """
        for attempt in range(TRIES):
            page = self.book.page(ref)
            if page is None or page.state != "closing":
                return page
            self.pause(attempt)
        return self._closing().conclude(ref)

    def _rehome(self, things: Iterable[str], ref: PageRef, policy: Policy) -> frozenset[str]:
        groups: set[str] = set()
        for thing in sorted(things):
            rehomed = partial(self._rehomed, thing, ref, policy)
            if done := until_won(rehomed, f"a page for incident {thing}", self.pause):
                groups |= self._finish(*done)
        return frozenset(groups)

    def _rehomed(self, thing: str, ref: PageRef, policy: Policy) -> tuple[Draft, Commit] | None:
        """Tell an incident anew whose page ended without it; None where that is not so."""
        incident = self.book.load({thing}).get(thing)
        if incident is None or incident.state != "open" or incident.page != ref:
            return None
        draft = Draft(self.book, policy, self.clock())
        rehome(draft, incident)
        return draft, stored(self.book, draft)

    def _aftercare(self, seen: Iterable[str], policy: Policy) -> frozenset[str]:
        """Return what incidents still owe that a crashed sender's message had recorded."""
        groups: set[str] = set()
        for incident in self.book.load(set(seen)).values():
            # Where it was told before, somebody may have died before its channels knew.
            groups |= self._look_again(incident.was, {}, policy)
            page = self.book.page(incident.page) if incident.page else None
            if page is None or incident.page is None:
                continue
            lost = incident.state == "open" and page.state not in JOINABLE
            if lost or page.lead.fingerprint != incident.fingerprint:
                newcomers = {page.ref: {incident.fingerprint}} if lost else {}
                groups |= self._look_again([page.ref], newcomers, policy)
            if page.state == "closing":
                self._closing().conclude(page.ref)
            groups |= self.book.owed(page.ref, page.channels)
        return frozenset(groups)

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


def _chunks(signals: Sequence[Signal]) -> Iterator[Chunk]:
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


def _bundles(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Yield as many chunks as one transaction holds, no thing twice among them."""
    bundle: list[Chunk] = []
    items = ITEMS_OF_PAGES
    for chunk in chunks:
        size = len({event_of(signal) for signal in chunk}) + ITEMS_EACH
        repeats = bundle and _thing(bundle[-1]) == _thing(chunk)
        if bundle and (items + size > ITEMS_MAX or repeats):
            yield bundle
            bundle, items = [], ITEMS_OF_PAGES
        bundle.append(chunk)
        items += size
    if bundle:
        yield bundle


def _thing(chunk: Chunk) -> str:
    return chunk[0].entity.fingerprint


def _any_of(chunk: Chunk, events: frozenset[str]) -> bool:
    return any(event_of(signal) in events for signal in chunk)


def _without(chunk: Chunk, events: frozenset[str]) -> Chunk:
    return tuple(signal for signal in chunk if event_of(signal) not in events)
