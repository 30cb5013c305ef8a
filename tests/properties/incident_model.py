"""The incident and delivery protocol in miniature, searched exhaustively.

Two incidents share a cause: the first leads a page, the other joins it as a member. Producers
record events (read, decide, commit under conditions, look again at the page, mark, wake), people
acknowledge and silence, senders serve one delivery group (acquire, look, take, read, send, settle,
release or postpone). Every interleaving of their steps is visited, with a budget of crashes,
refusals (429), lost answers and lapsing leases. One send shows both harms that vendors can do: a
Slack message posted twice, a PagerDuty incident opened twice.

Time is abstract: a wait ends when its re-wake comes, a dead sender's message comes back after its
lease has lapsed, a silence ends at some moment, and the watchdog's sweep comes when nothing else
moves. `Safeguards` are what the protocol relies on; the tests take them away one by one.
`producer_model.py` has the steps of producers, `sender_model.py` those of senders.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

DEAD = 9  # owner of a lease whose sender has crashed
NONE, OPEN, CLOSING, RESOLVED = range(4)
UNSURE = -1  # a receipt that says so fits nothing
LEAD, MEMBER = range(2)
WAKES_MAX = 2  # more wake-ups than senders change nothing

Item = TypeVar("Item")
Steps = Iterator[tuple[str, "State"]]


@dataclass(frozen=True)
class Safeguards:
    version: bool = True  # a commit demands the versions that were read
    ledger: bool = True  # a commit demands that its event is new
    sequence: bool = True  # faults before a clear are history, clears before a fault are late
    closing: bool = True  # members are read after the page said that nobody may join
    rereads: bool = True  # who joined looks whether the page still took it in
    stays: bool = True  # who joined a closing page helps to conclude it, instead of leaving
    tidies: bool = True  # an event seen before is followed up like a new one
    ends: bool = True  # a sender that finds a page closing concludes it
    marks: bool = True  # a change of a member leaves a notice
    lasting_shared: bool = True  # a notice that members changed says so until it is settled
    shared_unmute: bool = True  # what is told after a mute tells those who joined meanwhile
    looks: bool = True  # a mute that ends is noticed
    told_resolves: bool = True  # a silence keeps no resolve back
    stamp: bool = True  # a row that was written anew is not removed by who read it before
    takes_first: bool = True  # a notice is taken before the members are read, not after
    fresh_ends: bool = True  # a page that was told in part is not fresh any more
    lease: bool = True  # one sender a group, and settling demands to be that one
    outlasts: bool = True  # a lease lapses only after its sender is dead
    visibility: bool = True  # a dead sender's message comes back after its lease has lapsed
    reconcile: bool = True  # after a death or a lost answer, look before posting
    doubts: bool = True  # ... and before believing that an ended page was never told
    unsure: bool = True  # ... nor that an update did not arrive: it is sent again
    suspicion: bool = True  # a takeover is known as one
    wake_flag: bool = True  # a wake-up that meets a live lease leaves word
    hears: bool = True  # word that was heard is forgotten
    re_wake: bool = True  # who postpones plans another look
    sweep: bool = True  # the watchdog wakes what a crash left


class Event(NamedTuple):
    name: str
    kind: str  # fire, clear; ack and silence are a person's
    seq: int
    who: int = LEAD


@dataclass(frozen=True)
class Scope:
    events: tuple[Event, ...]
    crashes: int = 0
    refusals: int = 0
    lapses: int = 0
    senders: int = 2
    silenced: bool = False  # a silence holds from the start, and ends
    before: tuple[Event, ...] = ()  # recorded and told before the search begins


class Incident(NamedTuple):
    generation: int = 0
    state: int = NONE
    version: int = 0
    faults: int = 0
    cleared: int = -1
    latest: int = -1
    page: int = -1


class Page(NamedTuple):
    lead: int
    lead_open: bool = True
    state: int = OPEN
    version: int = 1
    acked: bool = False
    muted: bool = False


class Row(NamedTuple):
    """The notice of a page. Who holds an older stamp of it is noted in the sender."""

    shared: bool
    fresh: bool = False
    taken: bool = False


class Told(NamedTuple):
    """What a channel shows of a page: a receipt, or the vendor's truth."""

    open: bool = False
    acked: bool = False
    named: int = NONE  # the state that the member has in the thread; NONE: not named


class Vendor(NamedTuple):
    roots: int = 0
    replies: int = 0
    opens: int = 0
    shown: Told = Told()


class Lease(NamedTuple):
    owner: int | None = None
    lapsed: bool = False
    wake: bool = False
    suspect: bool = False
    waiting: bool = False


class Sender(NamedTuple):
    step: str
    suspect: bool
    page: int = -1
    row: Row | None = None
    current: bool = True  # the row was not written since
    wanted: Told | None = None
    receipt: Told | None = None
    last: bool = False
    closing: Page | None = None  # what it is about to conclude
    well: bool = False


class Producer(NamedTuple):
    step: str = "idle"
    incident: Incident | None = None
    number: int = -1  # of the page that it read
    page: Page | None = None
    pages: int = 0  # how many there were
    silenced: bool = False
    well: bool = False


class State(NamedTuple):
    incidents: tuple[Incident, ...]
    ledger: frozenset[str]
    pages: tuple[Page, ...]
    members: tuple[int, ...]  # the state that the joined incident has in each page
    rows: tuple[Row | None, ...]
    receipts: tuple[Told | None, ...]
    vendors: tuple[Vendor, ...]
    producers: tuple[Producer, ...]
    senders: tuple[Sender | None, ...]
    lease: Lease
    wakes: int
    re_wakes: int
    returning: int  # messages of dead senders, not visible yet
    silenced: bool
    crashes: int
    refusals: int
    lapses: int


def begin(scope: Scope) -> State:
    return State(
        incidents=(Incident(),) * 2,
        ledger=frozenset(),
        pages=(),
        members=(),
        rows=(),
        receipts=(),
        vendors=(),
        producers=(Producer(),) * len(scope.events),
        senders=(None,) * scope.senders,
        lease=Lease(),
        wakes=0,
        re_wakes=0,
        returning=0,
        silenced=scope.silenced,
        crashes=scope.crashes,
        refusals=scope.refusals,
        lapses=scope.lapses,
    )


def put(items: tuple[Item, ...], number: int, item: Item) -> tuple[Item, ...]:
    """Return the items with one of them changed."""
    return (*items[:number], item, *items[number + 1 :])


def well(state: State, number: int) -> bool:
    """Return whether nobody of a page is broken."""
    return not state.pages[number].lead_open and state.members[number] != OPEN


def open_page(state: State, page: Page) -> State:
    """Add a page; its channel is told unless it is muted."""
    return state._replace(
        pages=(*state.pages, page),
        members=(*state.members, NONE),
        rows=(*state.rows, None if page.muted else Row(shared=False, fresh=True)),
        receipts=(*state.receipts, None),
        vendors=(*state.vendors, Vendor()),
    )


def conclude(state: State, number: int, page: Page, safe: Safeguards, *, well: bool) -> State:
    """End the page whose members are all well, open it again otherwise."""
    after = page._replace(state=RESOLVED if well else OPEN)
    return change_page(state, number, after, safe)


def change_page(state: State, number: int, page: Page, safe: Safeguards) -> State:
    """Store a page's next version with its notice, in one transaction."""
    pages = put(state.pages, number, page._replace(version=page.version + 1))
    stored = state._replace(pages=pages)
    kept_back = page.state != OPEN and state.silenced and not safe.told_resolves
    if page.muted or kept_back:
        return stored
    row = state.rows[number]
    shared = row is not None and row.shared and safe.lasting_shared
    return write_row(stored, number, Row(shared=shared))


def mark(state: State, number: int, safe: Safeguards) -> State:
    """Note that a member changed, unless a notice says so already."""
    row = state.rows[number]
    if not safe.marks or (row is not None and row.shared and not row.taken):
        return state
    return write_row(state, number, Row(shared=True))


def write_row(state: State, number: int, row: Row) -> State:
    """Write a page's notice with a new stamp: what senders hold of it is old."""
    senders = tuple(
        sender._replace(current=False) if sender is not None and sender.page == number else sender
        for sender in state.senders
    )
    return state._replace(rows=put(state.rows, number, row), senders=senders)
