"""The outbox in memory and the outbox in DynamoDB answer alike, whatever is done in any order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, count
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.dynamodb.outbox import DynamoOutbox
from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.store import Store
from reflexarc.events.notice import Notice
from reflexarc.incidents.ports import IncidentBook
from reflexarc.kernel.errors import Unavailable
from reflexarc.notify.model import Busy, Deferred, Lease, Receipt
from reflexarc.notify.ports import Outbox
from tests.support.aws import make_table
from tests.support.commits import owing
from tests.support.notices import NOW, SLACK, attempt, notice, page, receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUP = "slack/C0PAGES"
PAGES = tuple(page(number, channels=(SLACK,)) for number in (1, 2))
_numbers = count(1)
Answer = Lease | Busy | Deferred | Notice | tuple[str, ...] | frozenset[str] | bool | str | None


@dataclass
class Twin:
    """One of the two, with what its senders hold and read; time and owners are the test's."""

    book: IncidentBook
    outbox: Outbox
    now: datetime = NOW
    owners: int = 0
    leases: list[Lease] = field(default_factory=list)
    seen: list[Notice] = field(default_factory=list)

    def wait(self, seconds: float, _pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        return None

    def tell(self, _seconds: float, pick: int, yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Change a page: its channel is behind."""
        about = PAGES[pick % len(PAGES)]
        told = notice(SLACK, about=about, shared=yes, fresh=pick > 4, created_at=self.now)
        self.book.commit(owing(told))
        return None

    def mark(self, _seconds: float, pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Change a member."""
        return self.book.mark(PAGES[pick % len(PAGES)], self.now)

    def acquire(self, _seconds: float, _pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Begin a look, and read what is owed."""
        self.owners += 1
        answer = self.outbox.acquire(GROUP, f"owner-{self.owners}", self.now)
        if isinstance(answer, Lease):
            self.leases.append(answer)
        self.seen += self.outbox.pending(GROUP)
        return answer

    def take(self, _seconds: float, pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Take what was read, now or long ago."""
        if not (self.leases and self.seen):
            return None
        taken = self.outbox.take(self._lease(pick), self._notice(pick))
        if taken is None:
            return None
        self.seen.append(taken)
        return unstamped(taken)

    def settle(self, seconds: float, pick: int, yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Settle what was read, now or long ago, with a receipt or without."""
        if not (self.leases and self.seen):
            return None
        kept = receipt(vendor_id=str(seconds)) if pick % 2 else None
        try:
            return self.outbox.settle(
                self._lease(pick), self._notice(pick), kept, attempt(), done=yes
            )
        except Unavailable:
            return "overtaken"

    def suspect(self, _seconds: float, pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Miss an answer."""
        if self.leases:
            self.outbox.suspect(self._lease(pick))
        return None

    def release(self, _seconds: float, pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """End a look cleanly."""
        return self.outbox.release(self._lease(pick)) if self.leases else None

    def postpone(self, seconds: float, pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """End a look that failed."""
        if not self.leases:
            return None
        until = self.now + timedelta(seconds=seconds)
        return self.outbox.postpone(self._lease(pick), until, pick, self.now)

    def defer(self, seconds: float, pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """End a look of which something waits for its pace."""
        if not self.leases:
            return None
        until = self.now + timedelta(seconds=seconds)
        return self.outbox.defer(self._lease(pick), until, self.now)

    def stale(self, seconds: float, _pick: int, _yes: bool) -> Answer:  # noqa: FBT001 - one shape
        """Sweep."""
        return tuple(self.outbox.stale(self.now - timedelta(seconds=seconds)))

    def state(self) -> tuple[list[Notice], list[Receipt | None], frozenset[str]]:
        """Return all that can be read."""
        pending = [unstamped(each) for each in self.outbox.pending(GROUP)]
        receipts = [self.outbox.receipt(notice(SLACK, about=each)) for each in PAGES]
        return pending, receipts, self.book.owed(PAGES[0].ref, (SLACK,))

    def _lease(self, pick: int) -> Lease:
        """Return a lease, most often the last."""
        return self.leases[-1 if pick < 7 else pick % len(self.leases)]

    def _notice(self, pick: int) -> Notice:
        """Return something read, most often the last."""
        return self.seen[-1 if pick < 5 else pick % len(self.seen)]


def unstamped(seen: Notice) -> Notice:
    return seen.model_copy(update={"stamp": ""})


Step = tuple[Callable[[Twin, float, int, bool], Answer], float, int, bool]
_seconds = st.sampled_from([0.0, 0.2, 1.0, 1.2, 2.5, 15.0, 40.0])


def _one_of(*steps: Callable[[Twin, float, int, bool], Answer]) -> st.SearchStrategy[Step]:
    return st.tuples(st.sampled_from(steps), _seconds, st.integers(0, 9), st.booleans())


# A look as senders have it, with what others do meanwhile; one in four never ends.
_look = st.tuples(
    _one_of(Twin.tell, Twin.tell, Twin.mark, Twin.wait),
    _one_of(Twin.acquire),
    st.lists(
        _one_of(Twin.settle, Twin.settle, Twin.take, Twin.suspect, Twin.acquire, Twin.mark),
        max_size=3,
    ),
    _one_of(Twin.release, Twin.defer, Twin.postpone, Twin.stale),
    _one_of(Twin.wait),
).map(lambda parts: [parts[0], parts[1], *parts[2], *parts[3:]])
_looks = st.lists(_look, min_size=2, max_size=6).map(lambda looks: list(chain.from_iterable(looks)))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_looks)
def test_memory_and_dynamodb_answer_alike(cloud: "DynamoDBClient", steps: list[Step]) -> None:
    name = f"twins-{next(_numbers)}"
    make_table(cloud, name)
    store = Store()
    memory = Twin(MemoryIncidentBook(store), MemoryOutbox(store))
    dynamo = Twin(DynamoIncidentBook(cloud, name), DynamoOutbox(cloud, name))

    for step, seconds, pick, yes in steps:
        assert step(memory, seconds, pick, yes) == step(dynamo, seconds, pick, yes)
        assert memory.state() == dynamo.state()
