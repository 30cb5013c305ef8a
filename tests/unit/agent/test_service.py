import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reflexarc.agent.courier import Courier
from reflexarc.agent.lines import Chunk, Line
from reflexarc.agent.reader import Inbox, Reader
from reflexarc.agent.service import Agent, Outcome, Unreadable
from reflexarc.agent.sources.stdin import StreamSource
from reflexarc.events.gpu_faults import GpuFaults
from reflexarc.events.gpu_readings import GpuReadings
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import ReflexError, Unavailable
from tests.agent.fakes import XID_79, Bench, FakeQueue, xid


class RealTime:
    """The clock on the wall, where a test runs real threads."""

    monotonic = staticmethod(time.monotonic)
    clock = staticmethod(system_clock)


class Running:
    """A whole agent over a pipe, with fake queues."""

    def __init__(self, folder: Path, **facts: Any) -> None:
        out, self.into = os.pipe()
        real: Any = RealTime()
        self.bench = Bench(folder, time=real)
        inbox = Inbox(maxsize=4)
        source = StreamSource(clock=system_clock, fd=out)
        self.agent = Agent(
            readers=[Reader(source=source, inbox=inbox, log=self.bench.log)],
            inbox=inbox,
            intake=self.bench.intake,
            couriers=[self.bench.faults, self.bench.readings],
            spool=self.bench.spool,
            log=self.bench.log,
            **{"heartbeat_s": 60.0, "drain_s": 0.5} | facts,
        )
        self.outcome: list[Outcome] = []
        self.thread = threading.Thread(target=lambda: self.outcome.append(self.agent.run()))
        self.thread.start()
        self._out = out

    def write(self, *lines: str) -> None:
        os.write(self.into, "".join(f"{line}\n" for line in lines).encode())

    def finish(self) -> Outcome:
        self.thread.join(10)
        os.close(self._out)
        assert not self.thread.is_alive()
        return self.outcome[0]

    def end_of_input(self) -> Outcome:
        os.close(self.into)
        return self.finish()

    def stop(self) -> Outcome:
        self.agent.stop()
        outcome = self.finish()
        os.close(self.into)
        return outcome

    def heartbeats(self) -> list[GpuReadings]:
        sent = self.bench.queues["readings"].sent
        return [GpuReadings.model_validate_json(body) for _, body in sent]

    def faults(self) -> list[GpuFaults]:
        sent = self.bench.queues["faults"].sent
        return [GpuFaults.model_validate_json(body) for _, body in sent]


Entries = Sequence[tuple[str, str]]
Until = Callable[[Callable[[], object]], bool]


@pytest.fixture
def until() -> Until:
    def wait(condition: Callable[[], object]) -> bool:
        deadline = time.monotonic() + 5
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        return bool(condition())

    return wait


def test_agent_sends_what_it_reads_and_says_farewell_at_the_end(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.write("noise", XID_79, XID_79)

    outcome = running.end_of_input()

    assert outcome == Outcome(waiting=0, on_disk=True)
    assert sum(fault.count for batch in running.faults() for fault in batch.faults) == 2
    assert [each.heartbeat.farewell for each in running.heartbeats()] == [False, True]
    assert running.heartbeats()[-1].heartbeat.counters.faults == 2


def test_agent_that_is_told_to_stop_takes_in_what_was_written(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.write(XID_79)

    running.stop()

    assert running.faults()[0].faults[0].line == XID_79
    assert running.heartbeats()[-1].heartbeat.farewell


def test_heart_beats_while_nothing_happens(tmp_path: Path, until: Until) -> None:
    running = Running(tmp_path, heartbeat_s=0.05)

    assert until(lambda: len(running.heartbeats()) >= 3)

    running.stop()
    assert [each.seq for each in running.heartbeats()] == list(
        range(1, len(running.heartbeats()) + 1)
    )


def test_undelivered_messages_are_left_on_the_disk(tmp_path: Path, until: Until) -> None:
    running = Running(tmp_path)
    running.bench.queues["faults"].down = Unavailable("no route")
    running.write(XID_79)
    assert until(lambda: running.bench.faults.failures)

    outcome = running.stop()

    assert outcome == Outcome(waiting=1, on_disk=True)
    after = Bench(tmp_path)
    assert after.spool.waiting("faults") == 1
    after.spool.close()


@dataclass
class Noting:
    """A queue that notes when it was called, before it passes the call on."""

    behind: FakeQueue
    called_at: list[float] = field(default_factory=list)

    def send(self, entries: Entries) -> Mapping[str, ReflexError]:
        self.called_at.append(time.perf_counter())
        return self.behind.send(entries)


@dataclass
class Outage:
    """Both queues are away until the readings have just failed once more than the faults have.

    Then the rule leaves the first word to the faults, whichever courier wakes up first.
    """

    faults: Courier
    readings: Courier
    over: bool = False
    order: list[str] = field(default_factory=list)
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, lane: str, behind: FakeQueue, entries: Entries) -> Mapping[str, ReflexError]:
        with self.lock:
            if self.over:
                self.order.append(lane)
                return behind.send(entries)
            self.calls += lane == "faults"
            counted = self.calls == self.faults.failures_ever == self.readings._seen_failures
            self.over = lane == "readings" and self.faults.failures > 1 and counted
            raise Unavailable("no route")


@dataclass
class Cut:
    """One queue behind an outage."""

    behind: FakeQueue
    lane: str
    outage: Outage

    def send(self, entries: Entries) -> Mapping[str, ReflexError]:
        return self.outage.send(self.lane, self.behind, entries)


def test_queue_that_comes_back_gets_faults_first(tmp_path: Path, until: Until) -> None:
    running = Running(tmp_path, heartbeat_s=0.05)
    bench = running.bench
    outage = Outage(bench.faults, bench.readings)
    for courier in (bench.faults, bench.readings):
        courier.queue = Cut(bench.queues[courier.lane], courier.lane, outage)
    # The faults' courier sleeps for as long as it may, the readings' not at all: only the rule
    # can hold the readings back.
    bench.faults.chance, bench.readings.chance = lambda: 1.0, lambda: -1.0

    running.write(*(xid(number) for number in range(30)))
    assert until(lambda: len(outage.order) > 1)
    running.stop()

    assert outage.order[0] == "faults"


class UnreadableSource:
    name = "kmsg"

    def read(self, timeout: float) -> Chunk | None:  # noqa: ARG002 - the port's
        raise PermissionError(1, "Operation not permitted", "/dev/kmsg")

    def close(self) -> None:
        """Nothing was opened."""


def test_source_that_cannot_be_read_at_all_ends_the_agent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    inbox = Inbox()
    agent = Agent(
        readers=[Reader(source=UnreadableSource(), inbox=inbox, log=bench.log)],
        inbox=inbox,
        intake=bench.intake,
        couriers=[bench.faults, bench.readings],
        spool=bench.spool,
        log=bench.log,
        heartbeat_s=60,
        drain_s=0.5,
    )

    with pytest.raises(Unreadable, match=r"cannot read kmsg: .*Operation not permitted"):
        agent.run()

    sent = bench.queues["readings"].sent
    assert GpuReadings.model_validate_json(sent[-1][1]).heartbeat.farewell


class FlakySource:
    """Reads well, fails once, reads on."""

    name = "flaky"

    def __init__(self) -> None:
        self.reads = 0

    def read(self, timeout: float) -> Chunk | None:  # noqa: ARG002 - the port's
        self.reads += 1
        if self.reads == 2:
            raise OSError(5, "Input/output error")
        lines = (Line(text=f"{self.reads}", at=system_clock()),)
        return Chunk(source=self.name, lines=lines, ended=self.reads == 3)

    def close(self) -> None:
        """Nothing is open."""


def test_source_that_fails_later_is_told_and_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reflexarc.agent.reader._RETRY_SECONDS", 0.01)
    bench = Bench(tmp_path)
    inbox: Inbox = queue.Queue()

    Reader(source=FlakySource(), inbox=inbox, log=bench.log).run(lambda: False)
    bench.spool.close()

    chunks = [inbox.get() for _ in range(2)]
    assert [chunk.lines[0].text for chunk in chunks if isinstance(chunk, Chunk)] == ["1", "3"]
    assert "a source cannot be read" in bench.written[0]


def test_disk_that_cannot_be_written_is_told_and_so_is_its_return(
    tmp_path: Path, until: Until
) -> None:
    blocker = tmp_path / "spool"
    blocker.write_text("a file where the folder should be")
    running = Running(blocker)
    assert until(lambda: "cannot be written" in " ".join(running.bench.written))
    running.write(XID_79)
    assert until(running.faults)

    blocker.unlink()
    assert until(lambda: "can be written again" in " ".join(running.bench.written))

    assert running.stop() == Outcome(waiting=0, on_disk=True)


def test_line_is_handed_to_the_queue_within_milliseconds(tmp_path: Path) -> None:
    running = Running(tmp_path)
    noting = Noting(running.bench.queues["faults"])
    running.bench.faults.queue = noting
    took = []
    for number in range(30):
        written = time.perf_counter()
        running.write(xid(number))
        while len(noting.called_at) <= number:
            time.sleep(0.0002)
        took.append(noting.called_at[number] - written)
        time.sleep(0.01)
    running.stop()

    # The quickest third: the machines that run tests are shared.
    assert sorted(took)[len(took) // 3] < 0.003
