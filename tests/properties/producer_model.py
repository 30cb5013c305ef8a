"""What producers and people do in the model: record an event, and see to its page after."""

from dataclasses import dataclass

from tests.properties.incident_model import (
    CLOSING,
    NONE,
    OPEN,
    RESOLVED,
    WAKES_MAX,
    Event,
    Incident,
    Page,
    Producer,
    Row,
    Safeguards,
    Scope,
    State,
    Steps,
    change_page,
    conclude,
    mark,
    open_page,
    put,
    well,
    write_row,
)


@dataclass(frozen=True)
class Producers:
    scope: Scope
    safe: Safeguards

    def steps(self, state: State) -> Steps:
        for number, producer in enumerate(state.producers):
            if producer.step != "done":
                yield from self.produce(state, number, producer)

    def produce(self, state: State, number: int, me: Producer) -> Steps:
        event = self.scope.events[number]
        who = f"P{number}"
        if state.crashes and me.step not in {"idle", "read"}:
            crashed = state._replace(crashes=state.crashes - 1)
            yield f"{who} CRASH at {me.step}", self.set(crashed, number, Producer())
        if me.step == "idle":
            if event.kind != "ack" or (state.vendors and state.vendors[0].roots):
                yield f"{who} reads", self.set(state, number, self.read(state, event))
        elif me.step == "read":
            yield f"{who} commits {event.name}", self.commit(state, number, me, event)
        elif me.step == "look":
            yield f"{who} looks at its page", self.look(state, number, me, event)
        elif me.step == "members":
            seen = me._replace(step="conclude", well=well(state, me.number))
            yield f"{who} reads the members", self.set(state, number, seen)
        elif me.step == "wake":
            wakes = state.wakes + any(state.rows)
            woken = state._replace(wakes=min(wakes, WAKES_MAX))
            yield f"{who} wakes", self.set(woken, number, Producer("done"))
        else:
            act = {
                "close": self.close,
                "conclude": self.conclude,
                "mark": self.mark,
                "rehome": self.rehome,
            }[me.step]
            yield f"{who} {me.step}s", act(state, number, me, event)

    def set(self, state: State, number: int, producer: Producer) -> State:
        return state._replace(producers=put(state.producers, number, producer))

    def read(self, state: State, event: Event) -> Producer:
        """Read the incident, and the page that tells it or may take it in."""
        incident = state.incidents[event.who]
        fired = event.kind == "fire" and incident.state != OPEN
        page = len(state.pages) - 1 if fired else incident.page
        page = 0 if event.kind == "ack" else page
        return Producer(
            step="read",
            incident=incident,
            number=page,
            page=state.pages[page] if page >= 0 else None,
            pages=len(state.pages),
            silenced=state.silenced,
        )

    # ---- the transaction ----

    def commit(self, state: State, number: int, me: Producer, event: Event) -> State:
        seen = me.incident or Incident()
        if event.kind == "silence":
            return self.set(state._replace(silenced=True), number, Producer("done"))
        if self.safe.ledger and event.name in state.ledger:
            step = "look" if self.safe.tidies and state.incidents[event.who].page >= 0 else "done"
            again = Producer(step, number=state.incidents[event.who].page)
            return self.set(state, number, again)
        if self.safe.version and seen.version != state.incidents[event.who].version:
            return self.set(state, number, Producer())
        known = state._replace(ledger=state.ledger | {event.name})
        if event.kind == "ack":
            return self.acknowledge(state, known, number, me)
        if event.kind == "fire":
            return self.fire(state, known, number, me, event)
        return self.clear(state, known, number, me, event)

    def stale(self, state: State, me: Producer) -> bool:
        """Return whether the page that was read has changed since."""
        return self.safe.version and state.pages[me.number] != me.page

    def acknowledge(self, state: State, known: State, number: int, me: Producer) -> State:
        if self.stale(state, me):
            return self.set(state, number, Producer())
        if me.page is None or me.page.state == RESOLVED:
            return self.set(known, number, Producer("done"))
        acked = change_page(known, me.number, me.page._replace(acked=True), self.safe)
        return self.set(acked, number, Producer("wake"))

    def fire(self, state: State, known: State, number: int, me: Producer, event: Event) -> State:
        seen = me.incident or Incident()
        after = seen._replace(
            version=seen.version + 1, faults=seen.faults + 1, latest=max(seen.latest, event.seq)
        )
        past = self.safe.sequence and event.seq < seen.cleared
        if past or seen.state == OPEN:
            stored = self.keep(known, event.who, after)
            step = "look" if after.page >= 0 else "done"
            return self.set(stored, number, Producer(step, number=after.page))
        opened = after._replace(state=OPEN, generation=seen.generation + 1)
        return self.home(known, number, me, opened) or self.set(state, number, Producer())

    def home(self, known: State, number: int, me: Producer, incident: Incident) -> State | None:
        """Join the page that was read, or lead a new one; None when that is not as it was read."""
        page, who = me.page, self.scope.events[number].who
        if page is None or page.state != OPEN:
            if self.safe.version and len(known.pages) != me.pages:
                return None
            at = len(known.pages)
            opened = open_page(known, Page(lead=who, muted=me.silenced))
            homed = self.keep(opened, who, incident._replace(page=at))
            return self.set(homed, number, Producer("wake"))
        homed = self.keep(known, who, incident._replace(page=me.number))
        if page.lead == who:
            if self.stale(known, me):
                return None
            changed = change_page(homed, me.number, page._replace(lead_open=True), self.safe)
            return self.set(changed, number, Producer("wake"))
        joined = homed._replace(members=put(homed.members, me.number, OPEN))
        step = "look" if self.safe.rereads else "mark"
        return self.set(joined, number, Producer(step, number=me.number, page=page))

    def clear(self, state: State, known: State, number: int, me: Producer, event: Event) -> State:
        seen = me.incident or Incident()
        after = seen._replace(version=seen.version + 1, cleared=max(seen.cleared, event.seq))
        late = self.safe.sequence and event.seq < seen.latest
        if seen.state != OPEN or late or me.page is None:
            stored = self.keep(known, event.who, after)
            return self.set(stored, number, Producer("done"))
        stored = self.keep(known, event.who, after._replace(state=RESOLVED))
        if me.page.lead != event.who:
            repaired = stored._replace(members=put(stored.members, me.number, RESOLVED))
            return self.set(repaired, number, Producer("look", number=me.number))
        if self.stale(state, me):
            return self.set(state, number, Producer())
        page = me.page._replace(lead_open=False, state=CLOSING if self.safe.closing else OPEN)
        closing = change_page(stored, me.number, page, self.safe)
        step = "members" if self.safe.closing else "look"
        read = Producer(step, number=me.number, page=closing.pages[me.number])
        return self.set(closing, number, read)

    def keep(self, state: State, who: int, incident: Incident) -> State:
        return state._replace(incidents=put(state.incidents, who, incident))

    # ---- after it ----

    def look(self, state: State, number: int, me: Producer, event: Event) -> State:
        """Read the page again: it may need a conclusion, or no longer take this incident in."""
        at = me.number
        page, incident = state.pages[at], state.incidents[event.who]
        joined = event.who != page.lead and incident.page == at
        broken = joined and incident.state == OPEN
        leaves = page.state == RESOLVED or (page.state == CLOSING and not self.safe.stays)
        if broken and leaves:
            latest = len(state.pages) - 1
            found = Producer(
                step="rehome",
                incident=incident,
                number=latest,
                page=state.pages[latest],
                pages=len(state.pages),
                silenced=state.silenced,
            )
            return self.set(state, number, found)
        read = me._replace(page=page)
        if page.state == CLOSING:
            return self.set(state, number, read._replace(step="members"))
        if page.state == OPEN and well(state, at):
            if self.safe.closing:
                return self.set(state, number, read._replace(step="close"))
            return self.set(state, number, read._replace(step="conclude", well=True))
        step = "mark" if joined and not page.muted else "wake"
        return self.set(state, number, read._replace(step=step))

    def close(self, state: State, number: int, me: Producer, _: Event) -> State:
        """Say that nobody may join any more."""
        if me.page is None or self.stale(state, me):
            return self.set(state, number, Producer("look", number=me.number))
        closing = change_page(state, me.number, me.page._replace(state=CLOSING), self.safe)
        read = Producer("members", number=me.number, page=closing.pages[me.number])
        return self.set(closing, number, read)

    def conclude(self, state: State, number: int, me: Producer, _: Event) -> State:
        """End the page whose members are all well; open it again otherwise."""
        if me.page is None or self.stale(state, me):
            return self.set(state, number, Producer("look", number=me.number))
        concluded = conclude(state, me.number, me.page, self.safe, well=me.well)
        step = "wake" if me.well else "look"
        return self.set(concluded, number, Producer(step, number=me.number))

    def mark(self, state: State, number: int, me: Producer, _: Event) -> State:
        return self.set(mark(state, me.number, self.safe), number, Producer("wake"))

    def rehome(self, state: State, number: int, me: Producer, event: Event) -> State:
        """Leave a page that ended (its row there goes) and find another."""
        seen = me.incident or Incident()
        if seen.version != state.incidents[event.who].version:
            return self.set(state, number, Producer("look", number=state.incidents[event.who].page))
        left = state._replace(members=put(state.members, seen.page, NONE))
        moved = seen._replace(version=seen.version + 1)
        homed = self.home(left, number, me, moved)
        if homed is None:
            return self.set(state, number, Producer("look", number=seen.page))
        if self.safe.stays:
            return homed
        # It left a page that was closing: nobody else may look whether all are well there.
        return self.set(homed, number, Producer("look", number=seen.page))

    # ---- time ----

    def time(self, state: State) -> Steps:
        if state.silenced and self.scope.silenced:
            yield "the silence ends", state._replace(silenced=False)
        for number, page in enumerate(state.pages):
            if page.muted and not state.silenced and self.safe.looks:
                yield "a mute is looked at", self.unmute(state, number, page)

    def unmute(self, state: State, number: int, page: Page) -> State:
        told = page._replace(muted=False, version=page.version + 1)
        changed = state._replace(pages=put(state.pages, number, told))
        if page.state == RESOLVED:
            return changed
        row = Row(shared=self.safe.shared_unmute, fresh=True)
        woken = min(state.wakes + 1, WAKES_MAX)
        return write_row(changed, number, row)._replace(wakes=woken)
