"""A crowd of GPUs fails at once, the table refuses, functions are killed: still one page."""

import threading
from collections.abc import Iterator

import pytest

from reflexarc.emulator.flaky_table import Troubles, flaky
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes, wait_until
from tests.benchmarks.storm_crowd import Crowd, Uproar
from tests.benchmarks.storm_killer import workers
from tests.benchmarks.storm_watch import faults_by_node, follow
from tests.emulator.conftest import ROOT

pytestmark = pytest.mark.emulator

NODES, GPUS = 40, 8
TARGET_S = 60.0
# What dies comes back after its queue's visibility. The template's 30 s are shortened here for the
# faults alone: a batch may die at each of two strikes. A sender's wake-up was in flight once.
FAULTS_VISIBILITY_S, FAULTS_DEATHS = 6, 2
WAKE_VISIBILITY_S, WAKE_DEATHS = 30, 1
DRAIN_S = 10  # Slack takes a message a second: a root and its lists
RECOVERY_S = FAULTS_VISIBILITY_S * FAULTS_DEATHS + WAKE_VISIBILITY_S * WAKE_DEATHS + DRAIN_S
HANG_S = 5
TROUBLES = Troubles(conflicts=0.10, throttles=0.02)
FUNCTIONS = ("gpu_alert", "incident", "notify", "watchdog")
TABLES = ("IncidentsTableName", "FleetTableName")


@pytest.fixture
def storm_lane(processes: Processes) -> Iterator[Lane]:
    """Return a stack of its own behind a table that refuses, with the vendors' rate limits."""
    lane = build(processes, Plan(checkout=ROOT))
    lane.endpoint.client("sqs").set_queue_attributes(
        QueueUrl=lane.stack.outputs["GpuFaultsQueueUrl"],
        Attributes={"VisibilityTimeout": str(FAULTS_VISIBILITY_S)},
    )
    functions = [lane.stack.function(name) for name in FUNCTIONS]
    tables = [lane.stack.outputs[name] for name in TABLES]
    with flaky(lane.endpoint, functions, tables, TROUBLES):
        lane.stack.warm(alongside=1)
        yield lane
    assert lane.emulator is not None
    processes.kill(lane.emulator.child)


def kill_after_more_is_recorded(lane: Lane, known: int) -> int:
    """Kill every worker of gpu_alert in the midst of its work; return how many incidents are."""
    assert wait_until(lambda: recorded(lane) > known, 20, every_s=0.01)
    assert kill(lane, "gpu_alert")
    so_far = recorded(lane)
    assert so_far < NODES * GPUS, "killed when all was done"
    return so_far


def kill(lane: Lane, function: str) -> int:
    """Kill -9 every worker of a function; return how many there were."""
    found = workers(lane, function)
    for worker in found:
        worker.kill()
    return len(found)


def recorded(lane: Lane) -> int:
    return sum(incidents for incidents, _ in faults_by_node(lane).values())


def test_a_storm_with_refusals_and_deaths_is_one_page_that_names_every_node(
    storm_lane: Lane,
) -> None:
    uproar = Uproar(crowd=Crowd(nodes=NODES, gpus=GPUS))
    storm_lane.standins.trouble(
        {"vendor": "slack", "method": "chat.postMessage", "do": "hang", "seconds": HANG_S}
    )
    queue = storm_lane.stack.outputs["GpuFaultsQueueUrl"]
    speaking = threading.Thread(target=uproar.say, args=(storm_lane.endpoint, queue))

    speaking.start()
    known = 0
    for _ in range(FAULTS_DEATHS):
        known = kill_after_more_is_recorded(storm_lane, known)
    assert wait_until(lambda: bool(storm_lane.standins.slack()), 20, every_s=0.05)
    assert kill(storm_lane, "notify")
    told = follow(storm_lane, uproar.crowd.names, uproar.began, TARGET_S + RECOVERY_S)
    speaking.join()

    assert (told.shown.roots, told.pagerduty, told.shown.doubled) == (1, 1, ())
    assert len(told.shown.named) == NODES
    assert dict(told.faults) == dict.fromkeys(uproar.crowd.names, (GPUS, GPUS))
    assert told.reachable_s is not None
    assert told.settled_s is not None
