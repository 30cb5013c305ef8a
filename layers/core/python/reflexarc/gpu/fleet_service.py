"""Readings in, the fleet's last state out: the one entry point of gpu_reading.

Every step is idempotent and safe in any order, so a message that comes back changes nothing twice:
hours replace themselves, a state is kept by its number, and what a rack was told is remembered
only after it was told.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from reflexarc.events.delivery import Delivery, Outcome
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.fleet_boot import is_told, is_well, well_of
from reflexarc.gpu.fleet_ports import Fleet, Kept, Signals
from reflexarc.gpu.fleet_rack import LABEL, decide, heat_of, signal_of
from reflexarc.gpu.kinship import are_kin
from reflexarc.gpu.ports import DeadLetters, Senders
from reflexarc.gpu.readings import NodeState, hours_of, read, state_of
from reflexarc.kernel.clock import Clock
from reflexarc.kernel.errors import Rejected, Unavailable

# botocore keeps ten connections; most of a write is waiting.
WORKERS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    delivery: Delivery
    message: GpuReadings


@dataclass(slots=True)
class _Batch:
    """What one batch came to."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    nodes: dict[str, list[_Read]] = field(default_factory=dict)
    lost: int = 0

    def done(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self.outcomes.setdefault(
                delivery.message_id, Outcome(message_id=delivery.message_id, status="done")
            )

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self.outcomes[delivery.message_id] = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingService:
    """Keeps the newest state of each node of a batch, many nodes at a time."""

    fleet: Fleet
    signals: Signals
    dead_letters: DeadLetters
    senders: Senders
    policy: Callable[[], GpuPolicy]
    clock: Clock
    lost: Callable[[int], None]

    def react(self, deliveries: Sequence[Delivery]) -> tuple[Outcome, ...]:
        """Return what became of each message; a retry only where waiting can help."""
        now = self.clock()
        batch = _Batch()
        for delivery in deliveries:
            if delivery.witness:
                self._witness(delivery, batch, now)
            else:
                self._read(delivery, batch)
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            jobs = [
                (reads, pool.submit(self._node, node, reads, now))
                for node, reads in batch.nodes.items()
            ]
        for reads, job in jobs:
            try:
                refused, lost = job.result()
            except Unavailable as error:
                for each in reads:
                    batch.settle(each.delivery, _retry(each.delivery, str(error)))
                continue
            batch.lost += lost
            for each, reason in refused:
                self._refuse(each.delivery, reason, batch)
        batch.done(deliveries)
        if batch.lost:
            self.lost(batch.lost)
        return tuple(batch.outcomes[delivery.message_id] for delivery in deliveries)

    def _read(self, delivery: Delivery, batch: _Batch) -> None:
        try:
            message = read(delivery)
        except Rejected as error:
            self._refuse(delivery, str(error), batch)
            return
        if message is not None:
            found = _Read(delivery=delivery, message=message)
            batch.nodes.setdefault(message.source.node, []).append(found)

    def _witness(self, delivery: Delivery, batch: _Batch, now: datetime) -> None:
        """Keep what telemetry says where no agent does; it has no hours, and takes no farewell."""
        try:
            message = read(delivery)
            if message is not None and not message.heartbeat.farewell:
                self.fleet.witness(state_of(message, delivery.queued_at), now)
        except Rejected as error:
            self._refuse(delivery, str(error), batch)
        except Unavailable as error:
            batch.settle(delivery, _retry(delivery, str(error)))

    def _refuse(self, delivery: Delivery, reason: str, batch: _Batch) -> None:
        try:
            self.dead_letters.keep(delivery, reason)
        except Unavailable as error:
            batch.settle(delivery, _retry(delivery, str(error)))
            return
        batch.settle(
            delivery, Outcome(message_id=delivery.message_id, status="rejected", reason=reason)
        )

    def _node(
        self, node: str, reads: Sequence[_Read], now: datetime
    ) -> tuple[list[tuple[_Read, str]], int]:
        """Keep what one node said; return the messages of strangers, and how many were lost."""
        lost, left = self._follow(node, reads, now)
        heard: dict[str, bool] = {}
        # The first to speak holds the node: a stranger in the same batch must not come before it.
        for each in sorted(left, key=lambda each: each.delivery.queued_at):
            sender = each.delivery.sender
            if sender not in heard:
                heard[sender] = self._speaks_for(node, sender, now)
        reason = f"another sender speaks for node {node}; nothing of this message was used"
        refused = [(each, reason) for each in left if not heard[each.delivery.sender]]
        for boot in _by_boot([each for each in left if heard[each.delivery.sender]]):
            self._hours(node, boot, now)
            newest, seqs = _newest(boot)
            state = state_of(newest.message, newest.delivery.queued_at)
            kept = self.fleet.keep(state, seqs, newest.delivery.sender, now)
            if kept.newest:
                self._correlate(state, kept, now)
                self._greet(state, kept, now)
            lost += max(0, kept.lost - kept.recovered)
        return refused, lost

    def _follow(
        self, node: str, reads: Sequence[_Read], now: datetime
    ) -> tuple[int, Sequence[_Read]]:
        """Keep what plainly follows what its sender said before; return what is left to do.

        So a steady node costs one write a minute: its state's row says who spoke last.
        """
        senders = {each.delivery.sender for each in reads}
        if len(senders) > 1 or len({each.message.source.boot_id for each in reads}) > 1:
            return 0, reads
        newest, seqs = _newest(reads)
        state = state_of(newest.message, newest.delivery.queued_at)
        kept = self.fleet.follow(state, seqs, newest.delivery.sender, now)
        if kept is None:
            return 0, reads
        self._hours(node, reads, now)
        self._correlate(state, kept, now)
        self._greet(state, kept, now)
        return kept.lost, ()

    def _speaks_for(self, node: str, sender: str, now: datetime) -> bool:
        return self.senders.speaks_for(node, sender, now) or are_kin(
            self.senders.holder(node), sender
        )

    def _hours(self, node: str, reads: Sequence[_Read], now: datetime) -> None:
        """Count the hours that are over; after a farewell no later message may close the last."""
        hours = [hour for each in reads for hour in hours_of(each.message, closed=True)]
        newest, _ = _newest(reads)
        if newest.message.heartbeat.farewell:
            hours += hours_of(newest.message, closed=False)
        if hours:
            self.fleet.count(node, hours, now)

    def _correlate(self, state: NodeState, kept: Kept, now: datetime) -> None:
        """Tell the rack of a node whose heat has changed, and others of the rack's."""
        heat, rack = heat_of(state, kept.told), state.labels.get(LABEL, "")
        if not rack or heat.told == kept.told:
            return
        found = self.fleet.turn(rack, heat, now)
        decision = decide(found.rows)
        newest = max(row.queued_ms for row in found.rows)
        if decision == "fire":
            # Marked first: a signal that was marked in vain is cleared, and that ends nothing.
            self.fleet.mark(rack, newest, now, fired=True)
            self.signals.send([signal_of(rack, found.rows, "fire", self.policy(), now)])
        elif decision == "clear" and found.fired:
            self.signals.send([signal_of(rack, found.rows, "clear", self.policy(), now)])
            self.fleet.mark(rack, newest, now, fired=False)
        self.fleet.tell(heat)

    def _greet(self, state: NodeState, kept: Kept, now: datetime) -> None:
        """End what earlier boots left of GPUs that this boot reads well, once a boot."""
        if kept.born is None or not is_told(state, kept.before, kept.born):
            return
        well = well_of(state, kept.before)
        self.signals.send([is_well(state, gpu, kept.born, now) for gpu in well])
        self.fleet.settle(state.node, kept.born)


def _newest(reads: Sequence[_Read]) -> tuple[_Read, frozenset[int]]:
    """Return the newest of the messages of one boot, and the numbers of all."""
    newest = max(reads, key=lambda each: each.message.seq)
    return newest, frozenset(each.message.seq for each in reads)


def _by_boot(reads: Sequence[_Read]) -> Iterable[list[_Read]]:
    """Return the messages of each boot, the boot first that was heard first."""

    def when(each: _Read) -> tuple[datetime, str]:
        return began[each.message.source.boot_id], each.message.source.boot_id

    began: dict[str, datetime] = {}
    for each in reads:
        boot, at = each.message.source.boot_id, each.delivery.queued_at
        began[boot] = min(began.get(boot, at), at)
    for _, boot_reads in groupby(sorted(reads, key=when), key=when):
        yield list(boot_reads)


def _retry(delivery: Delivery, reason: str) -> Outcome:
    return Outcome(message_id=delivery.message_id, status="retry", reason=reason)
