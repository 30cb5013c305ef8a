"""The rows that the in-memory adapters share, as the incidents table holds them."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Notice
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
    """One table. Adapters that are to see each other's rows share an instance."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    rows: dict[str, dict[str, Notice]] = field(default_factory=dict)
    leases: dict[str, LeaseRow] = field(default_factory=dict)
    receipts: dict[tuple[str, int, str], Receipt] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
