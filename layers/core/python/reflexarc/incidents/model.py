"""What one transaction stores, and the policy that decides where incidents are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.notice import Channel, Notice
from reflexarc.events.page import Entry, Member, Mute, Page, Silence, Step
from reflexarc.incidents.document import Grouping, Hours, Inhibition, Maintenance, Route

Effect = Literal["opens", "succeeds", "joins", "history", "resolves", "late"]
CHANNELS_MAX = 8
# DynamoDB takes 100 items a transaction.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
ITEMS_MAX = 100
# One incident brings itself, its member row in two pages, an inhibition; a page brings itself, its
# decision, and a row a channel. What is left holds the ledger.
EVENTS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentWrite:
    """An incident's next version. `expected` is the version that was read (0: none yet)."""

    incident: Incident
    expected: int
    events: tuple[str, ...] = ()
    """Ledger ids that this consumed; storing one that is there already must fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWrite:
    """A page's next version. `expected` is the version that was read (0: none yet).

    `said` are the lines of its history that this adds: they go to the ledger as well.
    """

    page: Page
    expected: int
    said: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An open incident that keeps others quiet: `key` names an inhibition and its equal labels."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One transaction: all of it is stored, or nothing."""

    at: datetime
    incidents: tuple[IncidentWrite, ...] = ()
    pages: tuple[PageWrite, ...] = ()
    joined: tuple[tuple[PageRef, Member], ...] = ()
    left: tuple[tuple[PageRef, Member], ...] = ()
    notices: tuple[Notice, ...] = ()
    holds: tuple[Hold, ...] = ()
    lifts: tuple[Hold, ...] = ()

    @property
    def size(self) -> int:
        """Return how many items the transaction has."""
        ledger = sum(len(write.events) + 1 for write in self.incidents)
        pages = sum(1 + len(write.said) for write in self.pages)
        rest = (self.joined, self.left, self.notices, self.holds, self.lifts)
        return ledger + pages + sum(len(part) for part in rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that decides whom an incident is told to, and when: one pinned configuration."""

    channels: tuple[Channel, ...]
    routes: tuple[Route, ...]
    groupings: tuple[Grouping, ...] = ()
    hours: Mapping[str, Hours] = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    silences: tuple[Silence, ...] = ()
    window: timedelta = timedelta(minutes=2)
    """How long a page takes in what has its cause."""
    flaps: int = 3
    """So many openings within an hour are flapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whom an incident is to be told to: now, later, and by which routes."""

    channels: tuple[Channel, ...] = ()
    steps: tuple[Step, ...] = ()
    routes: tuple[str, ...] = ()
    mute: Mute | None = None

    @property
    def somebody(self) -> bool:
        """Return whether anybody is to be told, be it later."""
        return bool(self.channels or self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What an incident is told together with. `scope` is 32 hex digits."""

    scope: str
    family: str
    by: Mapping[str, str]
    window: timedelta
    origin: bool = False
    """It names where the trouble began: it leads the page."""
    consequence: bool = False
    """It joins a page that is there, and opens none of its own as part of this family."""
