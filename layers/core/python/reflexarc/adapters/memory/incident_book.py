"""Fills incidents.ports.IncidentBook in memory."""

from dataclasses import dataclass, field

from reflexarc.adapters.memory.store import Store
from reflexarc.events.incident import Incident
from reflexarc.incidents.model import Change
from reflexarc.incidents.ports import AlreadyRecorded, Stale


@dataclass(frozen=True, slots=True)
class MemoryIncidentBook:
    """An incident book over a store; its committed notices appear in that store's outbox."""

    store: Store = field(default_factory=Store)

    def load(self, fingerprint: str) -> Incident | None:
        """Return the latest committed version."""
        return self.store.incidents.get(fingerprint)

    def commit(self, change: Change) -> None:
        """Store the change whole or not at all."""
        incident = change.incident
        with self.store.lock:
            if known := self.store.events.intersection(change.events):
                raise AlreadyRecorded(known)
            current = self.store.incidents.get(incident.fingerprint)
            if (current.version if current else 0) != change.expected_version:
                raise Stale(f"incident {incident.fingerprint} changed since it was read")
            self.store.events.update(change.events)
            self.store.incidents[incident.fingerprint] = incident
            for notice in change.notices:
                self.store.rows.setdefault(notice.group, {})[notice.row] = notice

    def owed(self, fingerprint: str) -> frozenset[str]:
        """Return the delivery groups that hold unsent notices of this incident."""
        with self.store.lock:
            return frozenset(
                group
                for group, rows in self.store.rows.items()
                if any(notice.incident.fingerprint == fingerprint for notice in rows.values())
            )
