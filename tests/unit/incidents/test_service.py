from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reflexarc.adapters.memory.incident_book import MemoryIncidentBook
from reflexarc.adapters.memory.outbox import MemoryOutbox
from reflexarc.adapters.memory.queues import MemoryWakeUps
from reflexarc.events.incident import Incident
from reflexarc.events.signal import Entity, Hops
from reflexarc.incidents.model import EVENTS_MAX, Change
from reflexarc.incidents.ports import AlreadyRecorded, Conflict, Stale
from reflexarc.incidents.service import OUTAGE, TRIES, IncidentService
from reflexarc.kernel.errors import Unavailable
from reflexarc.kernel.pause import jittered_pause
from tests.support.incidents import GPU, NOW, ROUTING, at, signal, ulid_of

SLACK = "slack/C0PAGES"
PAGER = f"pagerduty/pagerduty/{GPU.fingerprint}"


@dataclass
class StubbornBook:
    """A real book that first fails as told, once a commit."""

    book: MemoryIncidentBook = field(default_factory=MemoryIncidentBook)
    failures: list[Exception] = field(default_factory=list)
    before_commit: Callable[[], object] = lambda: None
    commits: list[Change] = field(default_factory=list)

    def load(self, fingerprint: str) -> Incident | None:
        return self.book.load(fingerprint)

    def commit(self, change: Change) -> None:
        self.commits.append(change)
        self.before_commit()
        if self.failures:
            raise self.failures.pop(0)
        self.book.commit(change)

    def owed(self, fingerprint: str) -> frozenset[str]:
        return self.book.owed(fingerprint)


class BrokenWakeUps:
    def wake(self, groups: Iterable[str]) -> None:
        raise Unavailable(f"cannot wake {sorted(groups)}")


def service(
    book: StubbornBook, wake_ups: MemoryWakeUps | BrokenWakeUps | None = None
) -> IncidentService:
    return IncidentService(
        book=book,
        wake_ups=wake_ups or MemoryWakeUps(),
        routing=lambda: ROUTING,
        clock=lambda: NOW,
        pause=lambda attempt: None,  # noqa: ARG005 - no time passes in tests
    )


def things(number: int) -> list[Entity]:
    return [Entity(kind="gpu", node=f"node-{n}", device="0000:3b:00") for n in range(number)]


def test_fault_is_stored_and_its_senders_are_woken_once() -> None:
    book, wake_ups = StubbornBook(), MemoryWakeUps()

    retry = service(book, wake_ups).record([signal(1), signal(2)])

    assert retry == frozenset()
    stored = book.load(GPU.fingerprint)
    assert stored is not None
    assert stored.count == 2
    assert wake_ups.woken == [PAGER, SLACK]
    assert len(MemoryOutbox(book.book.store).pending(SLACK)) == 1


def test_nothing_to_tell_wakes_nobody() -> None:
    wake_ups = MemoryWakeUps()
    recorder = service(StubbornBook(), wake_ups)
    recorder.record([signal(1)])
    wake_ups.woken.clear()

    recorder.record([signal(2)])

    assert wake_ups.woken == []


def test_no_signals_do_nothing() -> None:
    assert service(StubbornBook()).record([]) == frozenset()


def test_redelivery_changes_nothing_and_wakes_what_is_unsent() -> None:
    book, wake_ups = StubbornBook(), MemoryWakeUps()
    recorder = service(book, wake_ups)
    recorder.record([signal(1)])
    before = book.load(GPU.fingerprint)
    wake_ups.woken.clear()

    retry = recorder.record([signal(1)])

    assert retry == frozenset()
    assert book.load(GPU.fingerprint) == before
    assert sorted(wake_ups.woken) == [PAGER, SLACK]


def test_new_signals_beside_seen_ones_are_counted_alone() -> None:
    book, wake_ups = StubbornBook(), MemoryWakeUps()
    recorder = service(book, wake_ups)
    recorder.record([signal(1, count=3)])
    wake_ups.woken.clear()

    recorder.record([signal(1, count=3), signal(2, count=4)])

    stored = book.load(GPU.fingerprint)
    assert stored is not None
    assert stored.count == 7
    assert sorted(wake_ups.woken) == [PAGER, SLACK]


def test_lost_race_reads_again_and_decides_again() -> None:
    book = StubbornBook()
    rival = service(StubbornBook(book=book.book))
    raced: list[int] = []

    def race_once() -> None:
        if not raced:
            raced.append(1)
            rival.record([signal(9)])

    book.before_commit = race_once

    retry = service(book).record([signal(1)])

    assert retry == frozenset()
    stored = book.load(GPU.fingerprint)
    assert stored is not None
    assert (stored.count, stored.version, stored.generation) == (2, 2, 1)
    assert [change.expected_version for change in book.commits] == [0, 1]


def test_conflict_is_tried_again_at_once() -> None:
    book = StubbornBook(failures=[Conflict("busy"), Stale("old")])

    assert service(book).record([signal(1)]) == frozenset()
    assert book.load(GPU.fingerprint) is not None


def test_races_lost_for_ever_end_in_a_retry_of_that_thing_alone() -> None:
    other = things(1)[0]
    book = StubbornBook(failures=[Stale("old")] * TRIES)

    retry = service(book).record([signal(1), signal(2, entity=other)])

    assert retry == {ulid_of(1)}
    assert book.load(other.fingerprint) is not None


def test_ledger_that_names_foreign_events_does_not_loop_for_ever() -> None:
    book = StubbornBook(failures=[AlreadyRecorded({"foreign"})] * TRIES)

    assert service(book).record([signal(1)]) == {ulid_of(1)}


def test_unavailable_store_returns_that_signal_and_the_others_go_on() -> None:
    other = things(1)[0]
    book = StubbornBook(failures=[Unavailable("throttled")])

    retry = service(book).record([signal(1), signal(2, entity=other)])

    assert retry == {ulid_of(1)}
    assert book.load(other.fingerprint) is not None


def test_outage_is_not_asked_about_every_thing() -> None:
    book = StubbornBook(failures=[Unavailable("down")] * 50)
    faults = [signal(n, entity=thing) for n, thing in enumerate(things(20))]

    retry = service(book).record(faults)

    assert retry == {fault.id for fault in faults}
    assert len(book.commits) == OUTAGE


def test_failed_wake_up_returns_the_ids_whose_redelivery_wakes_again() -> None:
    book = StubbornBook()

    assert service(book, BrokenWakeUps()).record([signal(1)]) == {ulid_of(1)}

    wake_ups = MemoryWakeUps()
    assert service(book, wake_ups).record([signal(1)]) == frozenset()
    assert sorted(wake_ups.woken) == [PAGER, SLACK]


def test_more_events_than_a_transaction_holds_are_recorded_in_several() -> None:
    book = StubbornBook()
    faults = [signal(n, seq=n) for n in range(2 * EVENTS_MAX + 1)]

    retry = service(book).record(faults)

    assert retry == frozenset()
    assert [len(change.events) for change in book.commits] == [EVENTS_MAX, EVENTS_MAX, 1]
    stored = book.load(GPU.fingerprint)
    assert stored is not None
    assert stored.count == 2 * EVENTS_MAX + 1


def test_what_one_message_says_of_a_thing_is_never_split() -> None:
    book = StubbornBook()
    faults = [signal(n, seq=n, cause=f"xid/{m}") for n in range(EVENTS_MAX + 1) for m in (48, 63)]

    service(book).record(faults)

    assert [len(change.events) for change in book.commits] == [EVENTS_MAX, 1]
    stored = book.load(GPU.fingerprint)
    assert stored is not None
    assert stored.count == 2 * (EVENTS_MAX + 1)


def test_pause_after_a_lost_race_is_short() -> None:
    jittered_pause(0)


def test_two_copies_of_one_message_in_a_batch_count_once() -> None:
    book = StubbornBook()
    message = [signal(1, cause="xid/48", count=2), signal(1, cause="xid/63", count=3)]
    hops = Hops(observed_at=NOW, sent_at=at(4), queued_at=at(5))
    sent_again = [fault.model_copy(update={"hops": hops, "sent_at": at(4)}) for fault in message]

    service(book).record([*message, signal(2), *sent_again])

    stored = book.load(GPU.fingerprint)
    assert stored is not None
    assert stored.count == 6
