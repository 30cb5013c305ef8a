"""What one incident costs over its whole life: told in Slack and PagerDuty, acknowledged, resolved.

DynamoDB's units are counted from the real requests (reflexarc.emulator.capacity), with the queue
messages and invocations that the emulator's own log shows. A queue message is sent, received and
deleted; an invocation is taken for as long as a warm one may be, `BILLED_MS`. List prices, no free
tier. There is no peer: nobody publishes what one alert costs them.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from infra import catalog
from reflexarc.emulator import agents
from reflexarc.emulator.capacity import Counts
from reflexarc.emulator.due import Due
from reflexarc.emulator.flaky_table import FlakyTable, Troubles, flaky
from reflexarc.emulator.lane import Lane, Plan, build
from reflexarc.emulator.processes import Processes, wait_until
from tests.benchmarks import alertmanager
from tests.benchmarks import aws_prices as price
from tests.benchmarks.bench_storm import FUNCTIONS, TABLES
from tests.benchmarks.rows import Row

LINE = "NVRM: Xid (PCI:0000:3b:00): 79, pid=4711, GPU has fallen off the bus."
WELL = (
    "NVRM: Xid (PCI:0000:3b:00): 154, "
    "GPU recovery action changed from 0x2 (Node Reboot Required) to 0x0 (None)"
)
BILLED_MS = 100
TIMEOUT_S = 30.0
_INVOKED = re.compile(
    r"ESM: Lambda reflexarc-([a-z-]+) processed (\d+) SQS messages from \S+?(\.fifo)?\s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What was done: units of the table, invocations by function, messages by kind of queue."""

    counts: Counts
    invoked: Counter[str]
    messages: int
    fifo: int

    def dollars(self) -> dict[str, float]:
        """Return the price of each part."""
        return {
            "table (writes)": self.counts.writes * price.WRITE_UNIT,
            "table (reads)": self.counts.reads * price.READ_UNIT,
            "queues": 3 * (self.messages * price.SQS + self.fifo * price.SQS_FIFO),
            "functions": sum(
                times * (_memory_gb(name) * BILLED_MS / 1000 * price.LAMBDA_GB_S)
                + times * price.LAMBDA_REQUEST
                for name, times in self.invoked.items()
            ),
        }


def run() -> Iterator[Row]:
    """Let one GPU fail, somebody take it on, and the driver call it well; price each and all."""
    total = 0.0
    with ExitStack() as stack:
        life = _Life(stack)
        for name, step in (("told", life.fail), ("acked", life.ack), ("resolved", life.mend)):
            step()
            work = life.work()
            parts = work.dollars()
            total += sum(parts.values())
            _say(name, work, parts)
            yield Row("incident_cost", f"{name}_write_units", "WRU", round(work.counts.writes, 1))
            yield Row("incident_cost", f"{name}_read_units", "RRU", round(work.counts.reads, 1))
    yield Row("incident_cost", "incident", "USD", round(total, 7))


class _Life:
    """One incident on a lane of its own, behind a table that counts and troubles nobody."""

    def __init__(self, stack: ExitStack) -> None:
        processes = stack.enter_context(Processes())
        self._lane = build(processes, Plan(checkout=alertmanager.ROOT))
        self._table = _counted(stack, self._lane)
        self._node = self._lane.node("gpu-node-1")
        agents.wait_for([self._node])
        self._lane.stack.warm()
        self._due, self._key, self._clicks = Due(), "", 0
        self._table.restart_counts()
        self._read = len(self._log())

    def fail(self) -> None:
        """Let the kernel say that a GPU is gone, until both vendors know."""
        pages = self._due.wrote(self._node.name, LINE, self._node.write(LINE))
        self._key = pages[0].key
        self._wait(lambda: bool(self._states()) and self._shows("Xid 79"))

    def ack(self) -> None:
        """Let somebody press Ack, until both vendors show it."""
        url = self._lane.clicks.url
        self._lane.standins.press(self._key, "reflexarc_ack", "on-call", url)
        self._clicks = 1  # Slack calls the function's URL: no queue, no line in the log
        self._wait(lambda: self._states() == ["acknowledged"] and self._shows("Acked"))

    def mend(self) -> None:
        """Let the kernel say that it is well, until both vendors know."""
        self._node.write(WELL)
        self._wait(lambda: self._states() == ["resolved"] and self._shows("Resolved"))

    def work(self) -> _Work:
        """Return what was done since the last call."""
        lines = self._log()[self._read :]
        self._read += len(lines)
        invoked: Counter[str] = Counter()
        messages = {False: 0, True: 0}
        for found in filter(None, map(_INVOKED.search, lines)):
            # Readings come each minute, whether or not anything is wrong.
            if found[1] != "gpu-reading":
                invoked[found[1]] += 1
                messages[bool(found[3])] += int(found[2])
        invoked["slack-action"] += self._clicks
        self._clicks = 0
        counts = self._table.restart_counts()
        return _Work(counts=counts, invoked=invoked, messages=messages[False], fifo=messages[True])

    def _wait(self, done: Callable[[], bool]) -> None:
        if not wait_until(done, TIMEOUT_S, every_s=0.05):
            raise RuntimeError("the incident was not told in time")
        wait_until(lambda: False, 3.0)  # what follows: the thread's line, the pace of edits

    def _states(self) -> list[str]:
        return self._lane.standins.pager(self._key)

    def _shows(self, text: str) -> bool:
        return text in str(self._lane.standins.slack_root(self._key).get("text", ""))

    def _log(self) -> list[str]:
        assert self._lane.emulator is not None
        return self._lane.emulator.child.log.read_text("utf-8", "replace").splitlines(keepends=True)


def _counted(stack: ExitStack, lane: Lane) -> FlakyTable:
    functions = [lane.stack.function(name) for name in FUNCTIONS]
    tables = [lane.stack.outputs[name] for name in TABLES]
    return stack.enter_context(flaky(lane.endpoint, functions, tables, Troubles()))


def _memory_gb(deployed: str) -> float:
    name = deployed.replace("-", "_")
    (function,) = (each for each in catalog.FUNCTIONS if each.name == name)
    return function.memory_mb / 1024


def _say(name: str, work: _Work, parts: dict[str, float]) -> None:
    lines = [f"  {part:16} {dollars * 1e6:8.1f} millionths" for part, dollars in parts.items()]
    done = f"{dict(work.invoked)}, {work.messages} + {work.fifo} FIFO messages"
    sys.stderr.write("\n".join([f"incident_cost: {name}: {done}", *lines, ""]))
