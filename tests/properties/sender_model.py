"""What senders do in the model, and what vendors make of it."""

from dataclasses import dataclass

from tests.properties.incident_model import (
    CLOSING,
    DEAD,
    NONE,
    RESOLVED,
    UNSURE,
    WAKES_MAX,
    Lease,
    Row,
    Safeguards,
    Scope,
    Sender,
    State,
    Steps,
    Told,
    conclude,
    put,
    well,
)


def next_told(wanted: Told, receipt: Told | None) -> Told | None:
    """Return what a channel shows after the next thing to tell, None when it shows all."""
    if receipt is None:
        return Told(open=True) if wanted.open else None
    if wanted.named not in {NONE, receipt.named}:
        return receipt._replace(named=wanted.named)
    if receipt.open and wanted.acked and not receipt.acked:
        return receipt._replace(acked=True)
    if receipt.open and not wanted.open:
        return receipt._replace(open=False)
    return None


@dataclass(frozen=True)
class Senders:
    scope: Scope
    safe: Safeguards

    def steps(self, state: State) -> Steps:
        for number, sender in enumerate(state.senders):
            if sender is None:
                yield from self.take_message(state, number)
            else:
                yield from self.serve(state, number, sender)

    def put(self, state: State, number: int, sender: Sender | None) -> State:
        return state._replace(senders=put(state.senders, number, sender))

    def take_message(self, state: State, number: int) -> Steps:
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

    def serve(self, state: State, number: int, me: Sender) -> Steps:
        who = f"S{number}"
        if state.crashes:
            yield f"{who} CRASH at {me.step}", self.crash(state, number)
        if me.step == "look":
            yield from self.choose(state, number, me)
        elif me.step == "take":
            yield f"{who} takes", self.take(state, number, me)
        elif me.step == "read":
            yield f"{who} reads the page", self.read(state, number, me)
        elif me.step == "conclude":
            yield f"{who} concludes", self.conclude(state, number, me)
        elif me.step == "send":
            yield from self.send(state, number, me)
        elif me.step == "settle":
            yield f"{who} settles", self.settle(state, number, me)
        elif me.step == "clean":
            yield f"{who} releases", self.release(state, number, me)
        elif me.step == "plan":
            planned = state._replace(re_wakes=state.re_wakes + self.safe.re_wake)
            yield f"{who} plans a re-wake", self.put(planned, number, None)

    def choose(self, state: State, number: int, me: Sender) -> Steps:
        for page, row in enumerate(state.rows):
            if row is not None:
                step = "take" if row.shared and self.safe.takes_first else "read"
                chosen = Sender(step, me.suspect, page, row)
                yield f"S{number} chooses page {page}", self.put(state, number, chosen)
        if not any(state.rows):
            yield f"S{number} finds it clean", self.put(state, number, Sender("clean", me.suspect))

    def take(self, state: State, number: int, me: Sender) -> State:
        """Put a new stamp on the row: who changes a member from now on writes it anew."""
        row = state.rows[me.page]
        if row is None:
            return self.put(state, number, Sender("look", me.suspect))
        senders = tuple(
            each._replace(current=False) if each is not None and each.page == me.page else each
            for each in state.senders
        )
        taken = state._replace(
            rows=put(state.rows, me.page, row._replace(taken=True)), senders=senders
        )
        step = "read" if self.safe.takes_first else ("send" if me.wanted else "look")
        return self.put(taken, number, me._replace(step=step, row=row, current=True))

    def read(self, state: State, number: int, me: Sender) -> State:
        """Read the page, its members if they changed, and what the channel was told."""
        row = me.row or Row(shared=False)
        page = state.pages[me.page]
        if page.state == CLOSING and self.safe.ends:
            seen = me._replace(step="conclude", closing=page, well=well(state, me.page))
            return self.put(state, number, seen)
        wanted = Told(
            open=page.state != RESOLVED,
            acked=page.acked,
            named=state.members[me.page] if row.shared else NONE,
        )
        receipt = self.find(state, me, None if row.fresh else state.receipts[me.page])
        seen = self.proceed(me._replace(wanted=wanted, receipt=receipt))
        if row.shared and not self.safe.takes_first:
            seen = seen._replace(step="take")
        return self.put(state, number, seen)

    def conclude(self, state: State, number: int, me: Sender) -> State:
        """End a page that was left closing; whoever changed it meanwhile goes before."""
        if me.closing is not None and state.pages[me.page] == me.closing:
            state = conclude(state, me.page, me.closing, self.safe, well=me.well)
        return self.put(state, number, Sender("look", me.suspect))

    def find(self, state: State, me: Sender, receipt: Told | None) -> Told | None:
        """Adopt what an earlier sender may have posted."""
        vendor = state.vendors[me.page]
        ended = state.pages[me.page].state == RESOLVED
        if not (me.suspect and self.safe.reconcile) or (ended and not self.safe.doubts):
            return receipt
        if receipt is None and vendor.roots:
            receipt = Told(open=True)
        if receipt is None or not vendor.replies:
            return receipt
        if receipt.named == NONE or self.safe.unsure:
            return receipt._replace(named=UNSURE)
        return receipt

    def proceed(self, me: Sender) -> Sender:
        """Go on with the next thing to tell, or settle that there is none."""
        after = next_told(me.wanted or Told(), me.receipt)
        if after is None:
            return me._replace(step="settle", last=True)
        return me._replace(step="send")

    def send(self, state: State, number: int, me: Sender) -> Steps:
        wanted = me.wanted or Told()
        after = next_told(wanted, me.receipt)
        if after is None:
            yield f"S{number} has nothing to tell", self.put(state, number, self.proceed(me))
            return
        posted = self.post(state, me, after)
        last = next_told(wanted, after) is None
        settling = me._replace(step="settle", receipt=after, last=last)
        # A sender that waits keeps nothing: the row that it held may be written meanwhile.
        settling = settling._replace(current=self.now(posted, number, me).current)
        yield f"S{number} POSTS {after}", self.put(posted, number, settling)
        if state.refusals:
            spent = state._replace(refusals=state.refusals - 1)
            yield f"S{number} refused (429)", self.postpone(spent, number, suspect=me.suspect)
            lost = posted._replace(refusals=state.refusals - 1)
            yield f"S{number} answer lost", self.postpone(lost, number, suspect=True)

    def now(self, state: State, number: int, me: Sender) -> Sender:
        return state.senders[number] or me

    def post(self, state: State, me: Sender, after: Told) -> State:
        vendor = state.vendors[me.page]
        shown = vendor.shown
        if me.receipt is None:
            opens = vendor.opens + (not shown.open)
            vendor = vendor._replace(roots=vendor.roots + 1, opens=opens)
            shown = shown._replace(open=True)
        elif after.named != me.receipt.named:
            first = me.receipt.named == NONE
            vendor = vendor._replace(replies=vendor.replies + first)
            shown = shown._replace(named=after.named)
        else:
            shown = shown._replace(open=after.open, acked=after.acked)
        return state._replace(vendors=put(state.vendors, me.page, vendor._replace(shown=shown)))

    def settle(self, state: State, number: int, me: Sender) -> State:
        """Keep the receipt under the lease; remove the row if it was not written since."""
        if self.safe.lease and state.lease.owner != number:
            return self.put(state, number, None)
        settled = state._replace(receipts=put(state.receipts, me.page, me.receipt))
        row = state.rows[me.page]
        if not me.last:
            if row is not None and self.safe.fresh_ends:
                rows = put(state.rows, me.page, row._replace(fresh=False))
                settled = settled._replace(rows=rows)
            return self.put(settled, number, me._replace(step="send"))
        if me.current or not self.safe.stamp:
            settled = settled._replace(rows=put(state.rows, me.page, None))
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

    def time(self, state: State) -> Steps:
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
