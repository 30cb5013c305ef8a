"""The incident and delivery protocol in miniature, searched exhaustively.

Producers record events (read, decide, commit under conditions, wake), senders serve one delivery
group (acquire, look, send, settle, release or postpone). Every interleaving of their steps is
visited, with a budget of crashes, refusals (429), lost answers and lapsing leases. One send shows
both harms that vendors can do: a Slack root posted twice, a PagerDuty incident opened twice.

Time is abstract: a wait ends when its re-wake comes, a dead sender's message comes back after its
lease has lapsed, and the watchdog's sweep comes when nothing else moves. `Safeguards` are what the
protocol relies on; the tests take them away one by one.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

DEAD = 9  # owner of a lease whose sender has crashed
NONE, OPEN, RESOLVED = range(3)
WAKES_MAX = 2  # more wake-ups than senders change nothing


@dataclass(frozen=True)
class Safeguards:
    version: bool = True  # a commit demands the version that was read
    ledger: bool = True  # a commit demands that its event is new
    sequence: bool = True  # faults before a clear are history, clears before a fault are late
    ordered: bool = True  # rows are sent in their order
    lease: bool = True  # one sender a group, and settling demands to be that one
    outlasts: bool = True  # a lease lapses only after its sender is dead
    visibility: bool = True  # a dead sender's message comes back after its lease has lapsed
    reconcile: bool = True  # after a death or a lost answer, look before posting
    suspicion: bool = True  # a takeover is known as one
    wake_flag: bool = True  # a wake-up that meets a live lease leaves word
    hears: bool = True  # word that was heard is forgotten
    re_wake: bool = True  # who postpones plans another look
    sweep: bool = True  # the watchdog wakes what a crash left


class Event(NamedTuple):
    name: str
    kind: str
    seq: int


@dataclass(frozen=True)
class Scope:
    events: tuple[Event, ...]
    crashes: int = 0
    refusals: int = 0
    lapses: int = 0
    senders: int = 2


class Incident(NamedTuple):
    generation: int = 0
    state: int = NONE
    version: int = 0
    faults: int = 0
    cleared: int = -1
    latest: int = -1


class Row(NamedTuple):
    version: int
    action: str
    generation: int


class Lease(NamedTuple):
    owner: int | None = None
    lapsed: bool = False
    wake: bool = False
    suspect: bool = False
    waiting: bool = False


class Sender(NamedTuple):
    step: str
    suspect: bool
    row: Row | None = None


class Producer(NamedTuple):
    step: str = "idle"
    seen: Incident | None = None


class State(NamedTuple):
    incident: Incident
    ledger: frozenset[str]
    producers: tuple[Producer, ...]
    rows: tuple[Row, ...]
    lease: Lease
    senders: tuple[Sender | None, ...]
    wakes: int
    re_wakes: int
    returning: int  # messages of dead senders, not visible yet
    receipts: frozenset[int]
    roots: tuple[int, ...]  # Slack messages posted, by generation
    opens: tuple[int, ...]  # PagerDuty incidents opened, by generation
    pages: frozenset[int]  # generations whose PagerDuty incident is open
    crashes: int
    refusals: int
    lapses: int


Ways = dict[State, tuple[State, str] | None]  # how each state was first reached


@dataclass
class Verdict:
    states: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)


def begin(scope: Scope) -> State:
    zeros = (0,) * (len(scope.events) + 1)
    return State(
        incident=Incident(),
        ledger=frozenset(),
        producers=(Producer(),) * len(scope.events),
        rows=(),
        lease=Lease(),
        senders=(None,) * scope.senders,
        wakes=0,
        re_wakes=0,
        returning=0,
        receipts=frozenset(),
        roots=zeros,
        opens=zeros,
        pages=frozenset(),
        crashes=scope.crashes,
        refusals=scope.refusals,
        lapses=scope.lapses,
    )


@dataclass(frozen=True)
class Protocol:
    scope: Scope
    safe: Safeguards

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Yield everything that may happen next."""
        for number in range(len(state.producers)):
            yield from self.produce(state, number)
        for number, sender in enumerate(state.senders):
            if sender is None:
                yield from self.take_message(state, number)
            else:
                yield from self.serve(state, number, sender)
        yield from self.time(state)

    # ---- producers ----

    def produce(self, state: State, number: int) -> Iterator[tuple[str, State]]:
        producer, event = state.producers[number], self.scope.events[number]
        if producer.step == "idle":
            yield f"P{number} reads", self.set(state, number, Producer("read", state.incident))
        elif producer.step == "read" and producer.seen is not None:
            yield f"P{number} commits {event.name}", self.commit(state, number, event)
        elif producer.step == "wake":
            woken = state._replace(wakes=min(state.wakes + 1, WAKES_MAX))
            yield f"P{number} wakes", self.set(woken, number, Producer("done"))
            if state.crashes:
                crashed = state._replace(crashes=state.crashes - 1)
                yield f"P{number} CRASH before waking", self.set(crashed, number, Producer())

    def commit(self, state: State, number: int, event: Event) -> State:
        seen = state.producers[number].seen or Incident()
        if self.safe.ledger and event.name in state.ledger:
            owes = Producer("wake" if state.rows else "done")
            return self.set(state, number, owes)
        if self.safe.version and seen.version != state.incident.version:
            return self.set(state, number, Producer())
        incident, action = self.decide(seen, event)
        row = (Row(incident.version, action, incident.generation),) if action else ()
        stored = state._replace(
            incident=incident, ledger=state.ledger | {event.name}, rows=state.rows + row
        )
        return self.set(stored, number, Producer("wake" if row else "done"))

    def decide(self, seen: Incident, event: Event) -> tuple[Incident, str]:
        after = seen._replace(version=seen.version + 1)
        past = self.safe.sequence and event.seq < seen.cleared
        late = self.safe.sequence and event.seq < seen.latest
        if event.kind == "fire":
            after = after._replace(faults=seen.faults + 1, latest=max(seen.latest, event.seq))
            if past or seen.state == OPEN:
                return after, ""
            return after._replace(state=OPEN, generation=seen.generation + 1), "trigger"
        after = after._replace(cleared=max(seen.cleared, event.seq))
        if seen.state == OPEN and not late:
            return after._replace(state=RESOLVED), "resolve"
        return after, ""

    def set(self, state: State, number: int, producer: Producer) -> State:
        producers = state.producers
        return state._replace(producers=(*producers[:number], producer, *producers[number + 1 :]))

    # ---- senders ----

    def put(self, state: State, number: int, sender: Sender | None) -> State:
        senders = state.senders
        return state._replace(senders=(*senders[:number], sender, *senders[number + 1 :]))

    def take_message(self, state: State, number: int) -> Iterator[tuple[str, State]]:
        if state.wakes:
            taken = state._replace(wakes=state.wakes - 1)
            yield f"S{number} woken", self.acquire(taken, number)
        if state.re_wakes:
            lease = state.lease._replace(waiting=False)
            taken = state._replace(re_wakes=state.re_wakes - 1, lease=lease)
            yield f"S{number} re-woken", self.acquire(taken, number)

    def acquire(self, state: State, number: int) -> State:
        lease = state.lease
        if lease.waiting:
            return state
        if self.safe.lease and lease.owner is not None and not lease.lapsed:
            return state._replace(lease=lease._replace(wake=self.safe.wake_flag))
        takeover = self.safe.suspicion and lease.owner is not None
        suspect = lease.suspect or takeover
        held = lease._replace(owner=number, lapsed=False, wake=False)
        return self.put(state._replace(lease=held), number, Sender("look", suspect))

    def serve(self, state: State, number: int, me: Sender) -> Iterator[tuple[str, State]]:
        who = f"S{number}"
        if state.crashes:
            yield f"{who} CRASH at {me.step}", self.crash(state, number)
        if me.step == "look":
            choice = state.rows[:1] if self.safe.ordered else state.rows
            for row in choice:
                sending = self.put(state, number, Sender("send", me.suspect, row))
                yield f"{who} reads {row.action}", sending
            if not state.rows:
                yield f"{who} finds it clean", self.put(state, number, Sender("clean", me.suspect))
        elif me.step == "send" and me.row is not None:
            posted = self.post(state, me)
            settling = Sender("settle", me.suspect, me.row)
            yield f"{who} POSTS {me.row.action}", self.put(posted, number, settling)
            if state.refusals:
                spent = state._replace(refusals=state.refusals - 1)
                yield f"{who} refused (429)", self.postpone(spent, number, suspect=me.suspect)
                lost = posted._replace(refusals=state.refusals - 1)
                yield f"{who} answer lost", self.postpone(lost, number, suspect=True)
        elif me.step == "settle" and me.row is not None:
            yield f"{who} settles", self.settle(state, number, me, me.row)
        elif me.step == "clean":
            yield f"{who} releases", self.release(state, number, me)
        elif me.step == "plan":
            planned = state._replace(re_wakes=state.re_wakes + self.safe.re_wake)
            yield f"{who} plans a re-wake", self.put(planned, number, None)

    def post(self, state: State, me: Sender) -> State:
        row = me.row or Row(0, "", 0)
        generation, roots, opens = row.generation, list(state.roots), list(state.opens)
        known = generation in state.receipts
        found = me.suspect and self.safe.reconcile and roots[generation] > 0
        roots[generation] += not known and not found
        pages = state.pages - {generation}
        if row.action == "trigger":
            opens[generation] += generation not in state.pages
            pages = state.pages | {generation}
        return state._replace(roots=tuple(roots), opens=tuple(opens), pages=pages)

    def settle(self, state: State, number: int, me: Sender, row: Row) -> State:
        if self.safe.lease and state.lease.owner != number:
            return self.put(state, number, None)
        rows = tuple(each for each in state.rows if each != row)
        settled = state._replace(rows=rows, receipts=state.receipts | {row.generation})
        return self.put(settled, number, Sender("look", me.suspect))

    def release(self, state: State, number: int, me: Sender) -> State:
        if state.lease.owner != number:
            return self.put(state, number, None)
        if state.lease.wake:
            heard = state._replace(lease=state.lease._replace(wake=not self.safe.hears))
            return self.put(heard, number, Sender("look", me.suspect))
        return self.put(state._replace(lease=Lease()), number, None)

    def postpone(self, state: State, number: int, *, suspect: bool) -> State:
        if state.lease.owner != number:
            return self.put(state, number, None)
        lease = Lease(waiting=True, suspect=suspect)
        return self.put(state._replace(lease=lease), number, Sender("plan", suspect))

    def crash(self, state: State, number: int) -> State:
        lease = state.lease
        if lease.owner == number:
            lease = lease._replace(owner=DEAD)
        dead = state._replace(lease=lease, crashes=state.crashes - 1, returning=state.returning + 1)
        return self.put(dead, number, None)

    # ---- time ----

    def time(self, state: State) -> Iterator[tuple[str, State]]:
        lease = state.lease
        blocking = lease.owner == DEAD and not lease.lapsed
        if blocking:
            yield "a dead sender's lease lapses", state._replace(lease=lease._replace(lapsed=True))
        if state.returning and not (blocking and self.safe.visibility):
            wakes = min(state.wakes + state.returning, WAKES_MAX)
            yield "a dead sender's message returns", state._replace(wakes=wakes, returning=0)
        living = lease.owner is not None and lease.owner != DEAD and not lease.lapsed
        if not self.safe.outlasts and state.lapses and living:
            lapsed = state._replace(
                lease=lease._replace(lapsed=True),
                lapses=state.lapses - 1,
                wakes=min(state.wakes + 1, WAKES_MAX),
            )
            yield "a living sender's lease lapses and its message returns", lapsed
        planning = any(sender is not None and sender.step == "plan" for sender in state.senders)
        if lease.waiting and not state.re_wakes and not planning:
            yield "a wait ends", state._replace(lease=lease._replace(waiting=False))


def search(scope: Scope, safe: Safeguards, truth: int, generations: int) -> Verdict:
    """Visit every state; return the shortest way to each kind of violation.

    `truth` is the incident's state once all is at rest; more than so many generations are false.
    The search ends at the first violation, or when nothing new is left.
    """
    protocol = Protocol(scope, safe)
    came: Ways = {begin(scope): None}
    queue = deque(came)
    parents: dict[State, list[State]] = {}
    resting: list[State] = []
    while queue:
        state = queue.popleft()
        found = list(harms(state, generations))
        after = list(protocol.steps(state))
        if not after and state.rows and safe.sweep:
            after = [("the sweep wakes", state._replace(wakes=1))]
        elif not after:
            resting.append(state)
            found += unrest(state, scope, truth)
        if found:
            return Verdict(len(came), {name: trace(came, state) for name in found})
        for label, following in after:
            parents.setdefault(following, []).append(state)
            if following not in came:
                came[following] = state, label
                queue.append(following)
    return Verdict(len(came), livelock(came, parents, resting))


def livelock(
    came: Ways, parents: dict[State, list[State]], resting: list[State]
) -> dict[str, list[str]]:
    """Return the way to a state from which nothing leads to rest."""
    calm, queue = set(resting), deque(resting)
    while queue:
        for parent in parents.get(queue.popleft(), ()):
            if parent not in calm:
                calm.add(parent)
                queue.append(parent)
    restless = next((state for state in came if state not in calm), None)
    return {} if restless is None else {"no way to rest": trace(came, restless)}


def harms(state: State, generations: int) -> Iterator[str]:
    """Yield what may never be, not even for a moment."""
    if state.incident.generation > generations:
        yield "a generation without a fault"
    if max(state.roots) > 1:
        yield "two Slack roots in one generation"
    if max(state.opens) > 1:
        yield "a page opened twice in one generation"
    if state.re_wakes > 1:
        yield "two re-wakes pending"


def unrest(state: State, scope: Scope, truth: int) -> Iterator[str]:
    """Yield what is wrong once nothing moves any more."""
    incident = state.incident
    if state.rows:
        yield "an unsent notice at rest"
    if incident.faults != len({event.name for event in scope.events if event.kind == "fire"}):
        yield "a fault counted wrong"
    if incident.state not in {truth, NONE}:
        yield "an incident that is not what happened"
    if bool(state.pages) != (incident.state == OPEN):
        yield "a page that is not what the incident is"
    if any(state.opens[number] != 1 for number in range(1, incident.generation + 1)):
        yield "a lost page"


def trace(came: Ways, state: State) -> list[str]:
    """Return the steps that lead to a state."""
    steps: list[str] = []
    while (step := came[state]) is not None:
        state, label = step
        steps.append(label)
    return steps[::-1]
