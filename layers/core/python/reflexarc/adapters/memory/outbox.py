"""Fills notify.ports.Outbox in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from reflexarc.adapters.memory.store import LeaseRow, Store
from reflexarc.events.notice import Notice
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import DEFER_SLACK, LEASE, Attempt, Busy, Deferred, Lease, Receipt


@dataclass(frozen=True, slots=True)
class MemoryOutbox:
    """An outbox over a store; give it the incident book's store to see what that commits."""

    store: Store = field(default_factory=Store)

    def acquire(self, group: str, owner: str, now: datetime) -> Lease | Busy:
        """Take the group's lease, or leave word for its live holder."""
        with self.store.lock:
            row = self.store.leases.setdefault(group, LeaseRow())
            if row.not_before is not None and row.not_before > now:
                return Busy(until=row.not_before)
            if row.until is not None and row.until > now:
                row.wake = True
                return Busy(until=row.until)
            suspect = row.suspect or row.owner is not None
            row.owner, row.until, row.wake = owner, now + LEASE, False
            row.suspect = suspect
            return Lease(
                group=group, owner=owner, until=row.until, suspect=suspect, failures=row.failures
            )

    def pending(self, group: str) -> tuple[Notice, ...]:
        """Return the group's notices in row order."""
        with self.store.lock:
            rows = self.store.rows.get(group, {})
            return tuple(rows[key] for key in sorted(rows))

    def take(self, lease: Lease, notice: Notice) -> Notice | None:  # noqa: ARG002 - the port's
        """Say that members are about to be read; None when the notice is gone."""
        with self.store.lock:
            known = self.store.row(notice)
            if known is None:
                return None
            taken = self.store.write(known, shared=known.shared, fresh=False)
            self.store.taken.discard(known.stamp)
            self.store.taken.add(taken.stamp)
            return taken

    def receipt(self, notice: Notice) -> Receipt | None:
        """Return what this notice's channel was told of its page."""
        return self.store.receipts.get(_receipt_key(notice))

    def settle(
        self,
        lease: Lease,
        notice: Notice,
        receipt: Receipt | None,
        attempt: Attempt | None,
        *,
        done: bool,
    ) -> bool:
        """Keep the receipt and the attempt, if the lease still holds; when `done`, remove the row.

        Once a receipt is kept, the row no longer is of a channel that was never told.
        """
        with self.store.lock:
            if self._held(lease) is None:
                raise Unavailable(f"the lease on {lease.group} was taken over")
            if receipt is not None:
                self.store.receipts[_receipt_key(notice)] = receipt
            if attempt is not None:
                self.store.attempts.append(attempt)
            known = self.store.row(notice)
            if not done:
                if known is not None and receipt is not None:
                    told = known.model_copy(update={"fresh": False})
                    self.store.rows[notice.group][notice.row] = told
                return True
            if known is not None and known.stamp != notice.stamp:
                return False
            self.store.taken.discard(notice.stamp)
            self.store.rows.get(notice.group, {}).pop(notice.row, None)
            return True

    def suspect(self, lease: Lease) -> None:
        """Remember that an answer is missing."""
        with self.store.lock:
            if row := self._held(lease):
                row.suspect = True

    def release(self, lease: Lease) -> bool:
        """Give the lease back; False when a wake-up came meanwhile."""
        with self.store.lock:
            row = self._held(lease)
            if row is None:
                return True
            if row.wake:
                row.wake = False
                return False
            if row.rewake_at is None or row.rewake_at <= lease.until - LEASE:
                del self.store.leases[lease.group]
            else:
                self.store.leases[lease.group] = LeaseRow(rewake_at=row.rewake_at)
            return True

    def defer(self, lease: Lease, until: datetime, now: datetime) -> Deferred:
        """Give the lease back, what is left waits for its pace; a new page may come before."""
        with self.store.lock:
            row = self._held(lease)
            if row is None:
                return "planned"
            if row.wake:
                row.wake = False
                return "again"
            at = row.rewake_at
            planned = at is not None and now < at <= until + DEFER_SLACK
            self.store.leases[lease.group] = LeaseRow(
                suspect=row.suspect or lease.suspect, rewake_at=at if planned else until
            )
            return "planned" if planned else "rewake"

    def postpone(self, lease: Lease, until: datetime, failures: int, now: datetime) -> bool:
        """Give the lease back and forbid looks before `until`; True asks for a re-wake."""
        with self.store.lock:
            row = self._held(lease)
            if row is None:
                return False
            under_way = row.rewake_at is not None and row.rewake_at > now
            covered = under_way and row.rewake_at is not None and row.rewake_at >= until
            row.owner, row.until, row.wake = None, None, False
            row.suspect = row.suspect or lease.suspect
            row.not_before, row.failures = until, failures
            if not covered:
                row.rewake_at = until
            return not covered

    def stale(self, before: datetime) -> Iterable[str]:
        """Return the groups that hold notices created before a moment."""
        with self.store.lock:
            return [
                group
                for group, rows in self.store.rows.items()
                if any(notice.created_at < before for notice in rows.values())
            ]

    def _held(self, lease: Lease) -> LeaseRow | None:
        row = self.store.leases.get(lease.group)
        return row if row is not None and row.owner == lease.owner else None


def _receipt_key(notice: Notice) -> tuple[str, int, str]:
    return notice.page.scope, notice.page.generation, notice.channel.name
