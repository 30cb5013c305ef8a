"""Real processes: whatever is killed, cut off or full, every fault line is conserved."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.fakes import XID_79, XID_95, xid
from tests.agent.process import AgentProcess, append, wait_until, write_through_kills
from tests.agent.standin import SqsStandIn

Start = Callable[..., AgentProcess]


@pytest.fixture
def sqs() -> Iterator[SqsStandIn]:
    with SqsStandIn().running() as standin:
        yield standin


@pytest.fixture
def agent(sqs: SqsStandIn, tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    made: list[AgentProcess] = []

    def make(*extra: str, file_size_limit: int | None = None) -> AgentProcess:
        made.append(AgentProcess(sqs, tmp_path, extra, file_size_limit))
        made[-1].log.touch()
        return made[-1]

    yield make
    for each in made:
        each.clean_up()


def test_kill_in_mid_stream_loses_and_doubles_nothing(sqs: SqsStandIn, agent: Start) -> None:
    running = agent("--drain-s", "5")
    chosen = random.Random(7)
    lines = chosen.choices([XID_79, XID_95, "noise", *(xid(each) for each in range(400))], k=4000)
    running.start()
    sqs.lose_every = 7

    write_through_kills(running, lines, [chosen.uniform(0.2, 0.6) for _ in range(3)])
    sqs.lose_every = 0
    code = running.stop()

    written = Counter(line for line in lines if line != "noise")
    assert code == 0
    assert sqs.counts() == dict(written)
    assert len(sqs.bodies["gpu-faults"]) > len(sqs.faults())  # lost answers were sent again
    seqs = sorted(message.seq for message in sqs.faults().values())
    assert seqs == list(range(1, len(seqs) + 1))


def test_outage_and_a_kill_in_it_lose_nothing(sqs: SqsStandIn, agent: Start) -> None:
    running = agent("--drain-s", "15").start()
    sqs.unreachable = True
    lines = [xid(number) for number in range(100)]
    for line in lines:
        append(running.log, line)
    asked = sqs.requests
    assert wait_until(lambda: sqs.requests > asked)
    append(running.log, *[XID_95] * 50)
    time.sleep(1.5)
    running.kill()
    assert sqs.faults() == {}

    running.start()
    sqs.unreachable = False
    assert wait_until(lambda: len(sqs.counts()) >= 101)
    assert running.stop() == 0

    assert sqs.counts() == {**dict.fromkeys(lines, 1), XID_95: 50}
    assert "no answer from SQS: check the route" in running.errors[0]


def test_full_disk_is_told_and_faults_go_out_all_the_same(sqs: SqsStandIn, agent: Start) -> None:
    running = agent(file_size_limit=600).start()
    lines = [xid(number) for number in range(50)]
    for line in lines:
        append(running.log, line)
        time.sleep(0.005)

    assert wait_until(lambda: len(sqs.counts()) == 50)
    assert wait_until(lambda: any(each.heartbeat for each in sqs.heartbeats()))
    time.sleep(1.1)
    assert running.stop() == 0

    assert sqs.counts() == dict.fromkeys(lines, 1)
    assert "the spool cannot be written: messages wait in memory" in running.errors[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_planned_stop_says_farewell_and_leaves_nothing_behind(
    sqs: SqsStandIn, agent: Start, number: int
) -> None:
    running = agent().start()
    append(running.log, XID_95, XID_95, XID_95)
    assert wait_until(lambda: sqs.counts() == {XID_95: 1})

    assert running.stop(number) == 0

    assert sqs.counts() == {XID_95: 3}
    assert [each.heartbeat.farewell for each in sqs.heartbeats()] == [False, True]
    last = sqs.heartbeats()[-1].heartbeat
    assert (last.counters.faults, last.counters.faults_shed, last.spool_bytes) == (3, 0, 0)


def test_stop_in_an_outage_is_bounded_and_the_next_start_sends(
    sqs: SqsStandIn, agent: Start
) -> None:
    running = agent("--drain-s", "0.5").start()
    sqs.unreachable = True
    append(running.log, XID_79)
    time.sleep(0.3)

    begun = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begun < 4

    sqs.unreachable = False
    running.start()
    assert wait_until(lambda: sqs.counts() == {XID_79: 1})
