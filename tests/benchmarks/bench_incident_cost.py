"""Dollars of an incident: a page from its line to its repair, and a storm of 5,000 GPUs.

Units of DynamoDB are counted from the real requests, requests to SQS as well; functions run warm
under awslambdaric at their memory's CPU share, and their milliseconds are measured. Prices are
list prices without a free tier. What is paid whether or not anything happens (alarms, metrics,
polls of quiet queues, the watchdog) is in `make bench ONLY=readings`. No peer is known that says
what an incident costs.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from infra import catalog
from infra.kinds import FromQueue
from reflexarc.emulator.bridge import Bridge
from reflexarc.emulator.fidelity import bridged
from reflexarc.emulator.flaky_table import FlakyTable, Troubles, flaky
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes, wait_until
from reflexarc.emulator.stack import SLACK_CHANNEL
from tests.benchmarks import alertmanager
from tests.benchmarks import aws_prices as price
from tests.benchmarks.rows import Row
from tests.benchmarks.sqs_requests import SqsRequests, counted_sqs
from tests.benchmarks.storm_crowd import Crowd, Uproar
from tests.benchmarks.storm_watch import follow, rows_of

FUNCTIONS = ("gpu_alert", "incident", "notify", "slack_action", "watchdog")
COUNTED = FUNCTIONS[:-1]  # the watchdog runs once a minute in any case
TABLES = ("IncidentsTableName", "FleetTableName")
LIVES = 5
WAIT_S = 40.0
NODES, GPUS = 625, 8
STORM_TIMEOUT_S = 240.0
LOG_BYTES = 1_200  # START, END and REPORT lines, and one line of metrics
WELL = "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"
QUEUES = (
    "GpuFaultsQueueUrl",
    "SignalsQueueUrl",
    "NotifySlackQueueUrl",
    "NotifyPagerdutyQueueUrl",
    "NotifyLaterQueueUrl",
)


def run() -> Iterator[Row]:
    """Price whole lives of a page, then a storm."""
    with ExitStack() as stack:
        rig = _rig(stack)
        _life(rig, 0)  # the first of each function connects, and imports what a start does not
        begun = rig.used()
        for number in range(1, LIVES + 1):
            _life(rig, number)
        life = (rig.used() - begun).share(LIVES)
        yield from _rows("page", life, "one page: line, Slack, PagerDuty, ack, repair")
    with ExitStack() as stack:
        rig = _rig(stack)
        _life(rig, 0)
        begun = rig.used()
        _storm(rig)
        storm = rig.used() - begun
        yield from _rows("storm", storm, f"a storm of {NODES * GPUS:,} GPUs of {NODES} nodes")
        yield from _rows("member", storm.share(NODES * GPUS), "its share of one GPU")


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was asked of AWS."""

    writes: float
    reads: float
    sent: float
    """Requests to SQS that send, by functions and agents."""
    invocations: Mapping[str, float]
    seconds: Mapping[str, float]

    def __sub__(self, before: "Used") -> "Used":
        return Used(
            writes=self.writes - before.writes,
            reads=self.reads - before.reads,
            sent=self.sent - before.sent,
            invocations={n: v - before.invocations[n] for n, v in self.invocations.items()},
            seconds={n: v - before.seconds[n] for n, v in self.seconds.items()},
        )

    def share(self, of: int) -> "Used":
        """Return one part of so many."""
        return Used(
            writes=self.writes / of,
            reads=self.reads / of,
            sent=self.sent / of,
            invocations={name: value / of for name, value in self.invocations.items()},
            seconds={name: value / of for name, value in self.seconds.items()},
        )

    @property
    def requests(self) -> float:
        """Return requests to SQS: what was sent; each batch is received, and deleted."""
        by_queue = (self.invocations[name] for name in COUNTED if name in _FROM_QUEUE)
        return self.sent + 2 * sum(by_queue)

    def parts(self) -> dict[str, float]:
        """Return dollars, part by part."""
        parts = {
            "DynamoDB, writes": self.writes * price.WRITE_UNIT,
            "DynamoDB, reads": self.reads * price.READ_UNIT,
            "SQS, all at the price of FIFO": self.requests * price.SQS_FIFO,
        }
        for name in COUNTED:
            second = _MEMORY[name] / 1024 * price.LAMBDA_GB_S
            runs = self.invocations[name]
            parts[f"{name}: Lambda"] = self.seconds[name] * second + runs * price.LAMBDA_REQUEST
            parts[f"{name}: logs"] = runs * LOG_BYTES / 1e9 * price.LOGS_GB
        return parts


_MEMORY = {each.name: each.memory_mb for each in catalog.FUNCTIONS}
_FROM_QUEUE = {
    each.name
    for each in catalog.FUNCTIONS
    if any(isinstance(trigger, FromQueue) for trigger in each.triggers)
}


@dataclass(slots=True, kw_only=True)
class Rig:
    """A lane whose functions are measured, and whose requests are counted."""

    lane: Lane
    table: FlakyTable
    sqs: SqsRequests
    bridges: Mapping[str, Bridge]
    agents: Counter[str]

    def used(self) -> Used:
        """Return what was used so far."""
        ran = {name: bridge.ran_ms for name, bridge in self.bridges.items()}
        sends = sum(n for kind, n in self.sqs.counts.items() if kind.startswith("SendMessage"))
        return Used(
            writes=self.table.counts.writes,
            reads=self.table.counts.reads,
            sent=sends + self.agents.total(),
            invocations={name: float(len(times)) for name, times in ran.items()},
            seconds={name: sum(times) / 1000 for name, times in ran.items()},
        )

    def rests(self) -> bool:
        """Return whether no message and no notice is under way."""
        if self.lane.stack.waiting(*QUEUES):
            return False
        return not any(row["sk"]["S"].startswith("ROW#") for row in rows_of(self.lane, "OUT#"))


def _rig(stack: ExitStack) -> Rig:
    processes = stack.enter_context(Processes())
    lane = build(processes, Plan(checkout=alertmanager.ROOT))
    functions = [lane.stack.function(name) for name in FUNCTIONS]
    tables = [lane.stack.outputs[name] for name in TABLES]
    table = stack.enter_context(flaky(lane.endpoint, functions, tables, Troubles()))
    sqs = stack.enter_context(counted_sqs(lane.endpoint, functions))
    bridges = stack.enter_context(bridged(lane, COUNTED, limit_cpu=True))
    lane.stack.warm(alongside=2)
    return Rig(lane=lane, table=table, sqs=sqs, bridges=bridges, agents=Counter())


def _life(rig: Rig, number: int) -> None:
    """Let one GPU fail, somebody take it on, and the driver take it back."""
    crowd = Crowd(nodes=1, gpus=1, prefix=f"life-{number}-", within_s=0.0)
    (node,) = crowd.names
    _send(rig, crowd)
    _until(rig, f"a page of {node}", lambda: _statuses(rig, node) == ["triggered"])
    _rest(rig)
    key = _key(rig, node)
    url = rig.lane.stack.outputs["SlackActionUrl"]
    rig.lane.standins.press(key, "reflexarc_ack", "dana", url)
    _until(rig, f"an ack of {node}", lambda: _statuses(rig, node) == ["acknowledged"])
    _rest(rig)
    _send(rig, Crowd(nodes=1, gpus=1, code=154, says=WELL, prefix=crowd.prefix, within_s=0.0))
    _until(rig, f"the end of {node}", lambda: _statuses(rig, node) == ["resolved"])
    _rest(rig)


def _send(rig: Rig, crowd: Crowd) -> None:
    (node,) = crowd.names
    for message in crowd.messages(node, datetime.now(UTC)):
        rig.lane.stack.send("GpuFaultsQueueUrl", message.stamped(datetime.now(UTC)))
        rig.agents["SendMessage"] += 1


def _statuses(rig: Rig, node: str) -> list[str]:
    incidents = rig.lane.standins.pagerduty()
    return [str(each["status"]) for each in incidents if node in str(each["payload"])]


def _key(rig: Rig, node: str) -> str:
    for message in rig.lane.standins.slack()[SLACK_CHANNEL]:
        said = (message["metadata"] or {}).get("event_payload", {})
        if said.get("part") == "root" and node in str(message["blocks"]):
            return str(said["key"])
    raise RuntimeError(f"no message in Slack tells of {node}")


def _until(rig: Rig, what: str, look: Callable[[], bool]) -> None:
    if not wait_until(look, WAIT_S, every_s=0.1):
        raise RuntimeError(f"no {what} within {WAIT_S:.0f} s: {rig.lane.standins.pagerduty()[-1:]}")


def _rest(rig: Rig) -> None:
    _until(rig, "rest", rig.rests)
    time.sleep(1.0)  # a message may be changed once in so long; counts follow answers


def _storm(rig: Rig) -> None:
    uproar = Uproar(crowd=Crowd(nodes=NODES, gpus=GPUS))
    uproar.say(rig.lane.endpoint, rig.lane.stack.outputs["GpuFaultsQueueUrl"])
    # Each node is an agent of its own: it sends its first fault, then the others together.
    rig.agents["SendMessage"] += 2 * NODES
    told = follow(rig.lane, uproar.crowd.names, uproar.began, STORM_TIMEOUT_S)
    if told.settled_s is None:
        raise RuntimeError(f"not all was told within {STORM_TIMEOUT_S:.0f} s: {told.shown}")


def _rows(name: str, used: Used, what: str) -> Iterator[Row]:
    parts = used.parts()
    _say(what, parts, used)
    yield Row("incident_cost", f"{name}_write_units", "WRU", round(used.writes, 1))
    yield Row("incident_cost", f"{name}_read_units", "RRU", round(used.reads, 1))
    yield Row("incident_cost", f"{name}_sqs_requests", "requests", round(used.requests, 2))
    runs = sum(used.invocations[each] for each in COUNTED)
    yield Row("incident_cost", f"{name}_invocations", "invocations", round(runs, 2))
    seconds = sum(used.seconds[each] for each in COUNTED)
    yield Row("incident_cost", f"{name}_lambda", "ms", round(seconds * 1000, 1))
    yield Row("incident_cost", f"{name}_dollars", "USD", round(sum(parts.values()), 8))


def _say(what: str, parts: Mapping[str, float], used: Used) -> None:
    lines = [f"  {name:32} {dollars:12.8f}" for name, dollars in parts.items()]
    runs = ", ".join(
        f"{name} {used.invocations[name]:.2f} in {used.seconds[name] * 1000:.1f} ms"
        for name in COUNTED
    )
    total = f"  {'total':32} {sum(parts.values()):12.8f}"
    said = [f"incident_cost: {what}, dollars; {runs}", *lines, total]
    sys.stderr.write("\n".join(said) + "\n")
