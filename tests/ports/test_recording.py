"""The incident service on a real table: it rides out races and lost answers, and counts once."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ReadTimeoutError

from reflexarc.adapters.dynamodb.incident_book import DynamoIncidentBook
from reflexarc.adapters.memory.queues import MemoryTimers, MemoryWakeUps
from reflexarc.events.incident import Incident
from reflexarc.incidents.config import Route
from reflexarc.incidents.model import Policy
from reflexarc.incidents.service import IncidentService
from tests.ports.conftest import Table, no_pause
from tests.support.incidents import GPU, NOW, signal, ulid_of
from tests.support.notices import PAGERDUTY, SLACK

URL = "https://dynamodb.eu-west-1.amazonaws.com"
POLICY = Policy(
    channels=(SLACK, PAGERDUTY), routes=(Route(name="all", channels=("slack", "pagerduty")),)
)


@dataclass
class Recorder:
    """A service on a table, of which each transaction first meets the next scripted trouble."""

    table: Table
    wakes: MemoryWakeUps = field(default_factory=MemoryWakeUps)
    troubles: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table.faults.before = [self._before] * 100

    def record(self, *numbers: int) -> frozenset[str]:
        service = IncidentService(
            book=DynamoIncidentBook(self.table.client, self.table.name, pause=no_pause),
            wake_ups=self.wakes,
            timers=MemoryTimers(),
            policy=lambda: POLICY,
            clock=lambda: NOW,
            pause=no_pause,
        )
        return service.record([signal(number) for number in numbers])

    def stored(self) -> Incident:
        found = DynamoIncidentBook(self.table.client, self.table.name).load([GPU.fingerprint])
        return found[GPU.fingerprint]

    def _before(self) -> None:
        if self.table.faults.calls[-1] == "TransactWriteItems" and self.troubles:
            self.troubles.pop(0)()


@pytest.fixture
def recorder(table: Table) -> Recorder:
    return Recorder(table)


def test_first_fault_is_an_incident_and_a_page_that_both_channels_are_to_be_told(
    recorder: Recorder,
) -> None:
    assert recorder.record(1) == frozenset()

    incident = recorder.stored()
    assert incident.count == 1
    assert incident.page is not None
    assert recorder.wakes.woken == [f"pagerduty/pagerduty/{incident.page.scope}", "slack/C0PAGES"]


def test_conflicts_are_ridden_out_and_count_once(recorder: Recorder) -> None:
    cancel = recorder.table.faults.cancel
    recorder.troubles = [
        lambda: cancel("None", "TransactionConflict", "None"),
        lambda: cancel("TransactionConflict", "None", "None"),
    ]

    assert recorder.record(1) == frozenset()

    assert recorder.stored().count == 1


def test_answer_lost_after_the_commit_counts_once_and_wakes_again(recorder: Recorder) -> None:
    lost = ReadTimeoutError(endpoint_url=URL)
    recorder.troubles = [lambda: recorder.table.faults.lost.append(lost)]
    assert recorder.record(1) == {ulid_of(1)}
    assert recorder.wakes.woken == []

    assert recorder.record(1) == frozenset()

    assert recorder.stored().count == 1
    assert len(recorder.wakes.woken) == 2


def test_rival_that_is_faster_is_counted_beside(table: Table) -> None:
    rival, recorder = Recorder(table), Recorder(table)
    recorder.troubles = [lambda: called(rival, 2)]

    assert recorder.record(1) == frozenset()

    assert recorder.stored().count == 2


def called(recorder: Recorder, number: int) -> None:
    assert recorder.record(number) == frozenset()


def test_fault_that_is_seen_again_costs_a_few_reads_and_one_write(recorder: Recorder) -> None:
    recorder.record(1)
    recorder.table.faults.calls.clear()

    recorder.record(2)

    calls = recorder.table.faults.calls
    assert calls.count("TransactWriteItems") == 1
    assert set(calls) <= {"TransactWriteItems", "BatchGetItem", "GetItem", "Query"}
    assert len(calls) <= 5
