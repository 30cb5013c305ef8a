"""Fills incidents.ports.IncidentBook in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.adapters.memory.store import Store
from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.notice import Channel, Notice, group_of, row_of
from reflexarc.events.page import Member, Page
from reflexarc.incidents.model import Commit
from reflexarc.incidents.ports import AlreadyRecorded, Stale


@dataclass(frozen=True, slots=True)
class MemoryIncidentBook:
    """An incident book over a store; its committed notices appear in that store's outbox."""

    store: Store = field(default_factory=Store)

    def load(self, fingerprints: Collection[str]) -> Mapping[str, Incident]:
        """Return the latest committed versions of those that exist."""
        with self.store.lock:
            known = self.store.incidents
            return {each: known[each] for each in fingerprints if each in known}

    def latest(self, scope: str) -> Page | None:
        """Return the page of a scope that was opened last."""
        with self.store.lock:
            pages = (page for page in self.store.pages.values() if page.scope == scope)
            return max(pages, key=lambda page: page.generation, default=None)

    def page(self, ref: PageRef) -> Page | None:
        """Return one page as it is now."""
        return self.store.pages.get((ref.scope, ref.generation))

    def members(self, ref: PageRef, node: str | None = None) -> tuple[Member, ...]:
        """Return who joined a page beside its lead, in that order; only one node's if named."""
        with self.store.lock:
            members = self.store.members.get((ref.scope, ref.generation), {}).values()
            wanted = [member for member in members if node in {None, member.entity.node}]
        return tuple(sorted(wanted, key=lambda m: (m.joined_at, m.entity.node, m.fingerprint)))

    def held_by(self, key: str) -> frozenset[str]:
        """Return the open incidents that keep quiet what an inhibition's key names."""
        with self.store.lock:
            known = self.store.incidents
            held = self.store.holds.get(key, ())
            return frozenset(each for each in held if each in known and known[each].state == "open")

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing."""
        with self.store.lock:
            self._check(commit)
            for write in commit.incidents:
                self.store.events.update(write.events)
                self.store.incidents[write.incident.fingerprint] = write.incident
            for told in commit.pages:
                self.store.pages[told.page.scope, told.page.generation] = told.page
                self.store.said.extend((told.page.ref, entry) for entry in told.said)
            self._move(commit)
            for notice in commit.notices:
                known = self.store.row(notice)
                shared = notice.shared or (known is not None and known.shared)
                self.store.write(notice, shared=shared, fresh=notice.fresh)
            for hold in commit.holds:
                self.store.holds.setdefault(hold.key, set()).add(hold.fingerprint)
            for lift in commit.lifts:
                self.store.holds.get(lift.key, set()).discard(lift.fingerprint)

    def mark(self, page: Page, at: datetime) -> frozenset[str]:
        """Note that members of a page changed; return the delivery groups that are news to."""
        news: set[str] = set()
        with self.store.lock:
            for channel in page.channels:
                notice = Notice(
                    channel=channel, page=page.ref, severity=page.severity, created_at=at
                )
                known = self.store.row(notice)
                if known and known.shared and known.stamp not in self.store.taken:
                    continue
                self.store.write(known or notice, shared=True, fresh=False)
                news.add(notice.group)
        return frozenset(news)

    def owed(self, ref: PageRef, channels: Iterable[Channel]) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this page."""
        with self.store.lock:
            groups = {row_of(channel, ref): group_of(channel, ref) for channel in channels}
            rows = self.store.rows
            return frozenset(group for row, group in groups.items() if row in rows.get(group, {}))

    def _check(self, commit: Commit) -> None:
        """Raise what keeps this commit from being stored."""
        events = {event for write in commit.incidents for event in write.events}
        if known := self.store.events & events:
            raise AlreadyRecorded(known)
        for write in commit.incidents:
            current = self.store.incidents.get(write.incident.fingerprint)
            if (current.version if current else 0) != write.expected:
                raise Stale(f"incident {write.incident.fingerprint} changed since it was read")
        for told in commit.pages:
            page = self.page(told.page.ref)
            if (page.version if page else 0) != told.expected:
                raise Stale(f"page {told.page.scope} changed since it was read")

    def _move(self, commit: Commit) -> None:
        for ref, member in commit.left:
            self.store.members.get((ref.scope, ref.generation), {}).pop(member.fingerprint, None)
        for ref, member in commit.joined:
            joined = self.store.members.setdefault((ref.scope, ref.generation), {})
            joined[member.fingerprint] = member
