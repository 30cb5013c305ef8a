"""Visit every state of the model, and judge each: what may never be, and what may not stay."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.properties.incident_model import (
    CLOSING,
    NONE,
    OPEN,
    Producer,
    Safeguards,
    Scope,
    State,
    Steps,
    begin,
)
from tests.properties.producer_model import Producers
from tests.properties.sender_model import Senders

Ways = dict[State, tuple[State, str] | None]  # how each state was first reached


@dataclass
class Verdict:
    states: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)


def search(scope: Scope, safe: Safeguards, truth: tuple[int, int], generations: int) -> Verdict:
    """Visit every state; return the shortest way to each kind of violation.

    `truth` is the state of both incidents once all is at rest; more than so many generations of
    one are false. The search ends at the first violation, or when nothing new is left.
    """
    came: Ways = {start(scope): None}
    queue = deque(came)
    parents: dict[State, list[State]] = {}
    resting: list[State] = []
    while queue:
        state = queue.popleft()
        found = list(harms(state, generations))
        after = list(steps(state, scope, safe))
        if not after and any(state.rows) and safe.sweep:
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


def steps(state: State, scope: Scope, safe: Safeguards) -> Steps:
    """Yield everything that may happen next."""
    producers, senders = Producers(scope, safe), Senders(scope, safe)
    yield from producers.steps(state)
    yield from senders.steps(state)
    yield from producers.time(state)
    yield from senders.time(state)


def start(scope: Scope) -> State:
    """Return the state after what was before: one thing after the other, without trouble."""
    past = Scope(events=scope.before, senders=scope.senders)
    state = begin(past)
    while following := next(steps(state, past, Safeguards()), None):
        state = following[1]
    return state._replace(
        producers=(Producer(),) * len(scope.events),
        silenced=scope.silenced,
        crashes=scope.crashes,
        refusals=scope.refusals,
        lapses=scope.lapses,
    )


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
    if any(incident.generation > generations for incident in state.incidents):
        yield "a generation without a fault"
    for vendor in state.vendors:
        if vendor.roots > 1:
            yield "two Slack roots in one generation"
        if vendor.replies > 1:
            yield "a thread reply posted twice"
        if vendor.opens > 1:
            yield "a page opened twice in one generation"
    if state.re_wakes > 1:
        yield "two re-wakes pending"


def unrest(state: State, scope: Scope, truth: tuple[int, int]) -> Iterator[str]:
    """Yield what is wrong once nothing moves any more."""
    if any(state.rows):
        yield "an unsent notice at rest"
    for who, incident in enumerate(state.incidents):
        events = scope.before + scope.events
        faults = {event.name for event in events if event[1::2] == ("fire", who)}
        if incident.faults != len(faults):
            yield "a fault counted wrong"
        if incident.state not in {truth[who], NONE}:
            yield "an incident that is not what happened"
        if incident.state == OPEN and not told(state, who):
            yield "a lost page"
    for number, page in enumerate(state.pages):
        vendor = state.vendors[number]
        broken = any(each.state == OPEN and each.page == number for each in state.incidents)
        if page.state == CLOSING:
            yield "a page left closing"
        if vendor.shown.open and not broken:
            yield "a zombie: told open while all are well"
        if vendor.shown.open and page.acked and not vendor.shown.acked:
            yield "an acknowledgement that was not told"


def told(state: State, who: int) -> bool:
    """Return whether people see an open incident, or asked not to."""
    number = state.incidents[who].page
    page, shown = state.pages[number], state.vendors[number].shown
    if page.muted:
        return state.silenced
    return shown.open and (page.lead == who or shown.named == OPEN)


def trace(came: Ways, state: State) -> list[str]:
    """Return the steps that lead to a state."""
    steps: list[str] = []
    while (step := came[state]) is not None:
        state, label = step
        steps.append(label)
    return steps[::-1]
