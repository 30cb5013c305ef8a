"""The rows that the in-memory adapters share, as the incidents table holds them."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.notice import Notice
from reflexarc.events.page import Entry, Member, Page, Silence
from reflexarc.notify.model import Attempt, Receipt


@dataclass(slots=True)
class LeaseRow:
    """The lease on one delivery group; `owner` is None while nobody holds it."""

    owner: str | None = None
    until: datetime | None = None
    wake: bool = False
    suspect: bool = False
    not_before: datetime | None = None
    rewake_at: datetime | None = None
    failures: int = 0


@dataclass(slots=True)
class Store:
    """One table. Adapters that are to see each other's rows share an instance.

    `taken` names the rows whose members a sender reads, by their stamps.
    """

    incidents: dict[str, Incident] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    pages: dict[tuple[str, int], Page] = field(default_factory=dict)
    members: dict[tuple[str, int], dict[str, Member]] = field(default_factory=dict)
    said: list[tuple[PageRef, Entry]] = field(default_factory=list)
    holds: dict[str, set[str]] = field(default_factory=dict)
    rows: dict[str, dict[str, Notice]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    stamps: int = 0
    leases: dict[str, LeaseRow] = field(default_factory=dict)
    receipts: dict[tuple[str, int, str], Receipt] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    silences: dict[str, Silence] = field(default_factory=dict)
    clicks: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def row(self, notice: Notice) -> Notice | None:
        """Return the row of a notice as it is now."""
        return self.rows.get(notice.group, {}).get(notice.row)

    def write(self, notice: Notice, *, shared: bool, fresh: bool) -> Notice:
        """Write a row under a new stamp; its age is that of the first news that waits."""
        known = self.row(notice)
        self.stamps += 1
        written = notice.model_copy(
            update={
                "stamp": f"stamp-{self.stamps}",
                "shared": shared,
                "fresh": fresh,
                "created_at": known.created_at if known else notice.created_at,
            }
        )
        self.rows.setdefault(notice.group, {})[notice.row] = written
        return written
