"""Real processes over a GPU that is played: killed, cut off or full, nothing said is lost."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reflexarc.emulator.nvml_stub import NvmlScenario
from tests.agent.fakes import XID_79, XID_95, xid
from tests.agent.process import AgentProcess, append, wait_until, write_through_kills
from tests.agent.standin import SqsStandIn
from tests.support.nvml import cards, library

A = "0000:18:00"
Start = Callable[..., AgentProcess]


@pytest.fixture
def sqs() -> Iterator[SqsStandIn]:
    with SqsStandIn().running() as standin:
        yield standin


@pytest.fixture
def nvml(tmp_path: Path) -> NvmlScenario:
    return cards(NvmlScenario(tmp_path / "scenario.txt"), 2)


@pytest.fixture
def agent(sqs: SqsStandIn, tmp_path: Path, nvml: NvmlScenario) -> Iterator[Start]:
    made: list[AgentProcess] = []

    def make(*extra: str, file_size_limit: int | None = None) -> AgentProcess:
        env = nvml.environment(library())
        running = AgentProcess(sqs, tmp_path, ("--heartbeat-s", "1", *extra), file_size_limit, env)
        running.log.touch()
        made.append(running)
        return running

    yield make
    for each in made:
        each.clean_up()


def heat(nvml: NvmlScenario, number: int = 0) -> None:
    """Let a GPU stand at its limit from now on."""
    nvml.add(f"hold {number} margin 0:-1", f"hold {number} temp 0:90")


def raised(sqs: SqsStandIn, rule: str) -> int:
    return sum(each.rule == rule and each.state == "raised" for each in sqs.findings())


def test_kill_in_a_storm_doubles_and_forgets_neither_lines_nor_findings(
    sqs: SqsStandIn, agent: Start, nvml: NvmlScenario
) -> None:
    running = agent("--drain-s", "5").start()
    chosen = random.Random(11)
    lines = chosen.choices([XID_79, XID_95, "noise", *(xid(each) for each in range(300))], k=3000)
    sqs.lose_every = 7
    heat(nvml)
    assert wait_until(lambda: raised(sqs, "thermal/limit"))

    write_through_kills(running, lines, [chosen.uniform(0.3, 0.8) for _ in range(3)])
    looked = len(sqs.heartbeats())
    assert wait_until(lambda: len(sqs.heartbeats()) >= looked + 3)
    sqs.lose_every = 0
    assert running.stop() == 0

    assert sqs.counts() == dict(Counter(line for line in lines if line != "noise"))
    assert raised(sqs, "thermal/limit") == 1
    seqs = sorted(message.seq for message in sqs.faults().values())
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(sqs.bodies["gpu-faults"]) > len(sqs.faults())  # lost answers were sent again


def test_readings_of_an_outage_with_a_kill_in_it_come_later_without_a_gap(
    sqs: SqsStandIn, agent: Start
) -> None:
    running = agent().start()
    assert wait_until(lambda: any(each.gpus for each in sqs.heartbeats()))
    sqs.unreachable = True
    time.sleep(3)
    running.kill()
    running.start()
    sqs.unreachable = False
    heard = len(sqs.heartbeats())
    assert wait_until(lambda: any(each.gpus for each in sqs.heartbeats()[heard + 3 :]))
    assert running.stop() == 0

    found = {each.id: each for each in sqs.heartbeats()}.values()
    numbers = sorted(each.seq for each in found)
    assert numbers == list(range(1, len(numbers) + 1))
    assert sum(hour.observed_s for each in found for hour in each.hours) > 0


def test_full_disk_loses_no_finding(sqs: SqsStandIn, agent: Start, nvml: NvmlScenario) -> None:
    running = agent(file_size_limit=600).start()
    heat(nvml)
    append(running.log, XID_79)

    assert wait_until(lambda: raised(sqs, "thermal/limit"))
    assert wait_until(lambda: sqs.counts() == {XID_79: 1})
    assert running.stop() == 0

    assert "the spool cannot be written: messages wait in memory" in running.errors[0]
    assert raised(sqs, "thermal/limit") == 1


def test_driver_that_hangs_stops_neither_the_kernel_log_nor_the_heart(
    sqs: SqsStandIn, agent: Start, nvml: NvmlScenario
) -> None:
    running = agent().start()
    assert wait_until(lambda: any(each.gpus for each in sqs.heartbeats()))
    nvml.add(f"hang all {nvml.now():.1f} 1000000")
    assert wait_until(lambda: _status(sqs, "nvml") == "hung", 20)

    append(running.log, XID_79)

    assert wait_until(lambda: sqs.counts() == {XID_79: 1}, 3)
    begun = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begun < 5
    assert sqs.heartbeats()[-1].heartbeat.farewell


def test_fault_that_both_saw_is_told_once_and_what_nvml_alone_saw_is_told(
    sqs: SqsStandIn, agent: Start, nvml: NvmlScenario
) -> None:
    running = agent().start()
    assert wait_until(lambda: any(each.gpus for each in sqs.heartbeats()))
    both = f"NVRM: Xid (PCI:{A}): 94, pid=7, name=train, Contained: SM (0x1). RST: No, D-RST: Yes"
    soon = nvml.now() + 1
    nvml.add(f"event {soon:.1f} 0 8 94 4294967295 4294967295")
    append(running.log, both)
    nvml.add(f"event {soon + 0.5:.1f} 1 8 79 4294967295 4294967295")

    assert wait_until(lambda: raised(sqs, "xid/79"), 20)
    assert running.stop() == 0

    assert sqs.counts() == {both: 1}
    assert raised(sqs, "xid/94") == 0
    assert sqs.heartbeats()[-1].heartbeat.counters.corroborated == 1


def test_outage_of_the_queue_keeps_findings_in_their_order(
    sqs: SqsStandIn, agent: Start, nvml: NvmlScenario
) -> None:
    running = agent("--drain-s", "15").start()
    assert wait_until(lambda: any(each.gpus for each in sqs.heartbeats()))
    sqs.unreachable = True
    heat(nvml, 0)
    time.sleep(4)
    heat(nvml, 1)
    time.sleep(4)
    running.kill()
    running.start()
    sqs.unreachable = False

    assert wait_until(lambda: raised(sqs, "thermal/limit") == 2)
    assert running.stop() == 0
    assert [each.device for each in sqs.findings()] == [A, "0000:2a:00"]


def _status(sqs: SqsStandIn, name: str) -> str:
    beats = sqs.heartbeats()
    found = [each.status for each in beats[-1].sensors if each.name == name] if beats else []
    return found[0] if found else ""
