"""Follows a storm at the vendors until everything is told, and counts what it took."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reflexarc.emulator.lane import Lane
from reflexarc.emulator.stack import SLACK_CHANNEL
from tests.benchmarks.storm_reach import Shown, shown

EVERY_S = 0.5
SWEEP_S = 60.0  # as the schedule of the template has it
REST_S = 2.0  # a look at all rows takes the emulator a moment
QUIET_S = 3.0
QUEUES = ("GpuFaultsQueueUrl", "NotifySlackQueueUrl", "NotifyPagerdutyQueueUrl")
TOO_MANY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a storm ended."""

    reachable_s: float | None
    """From the first fault until every node could be found from a root; None: never."""
    settled_s: float | None
    """... until nothing was owed any more."""
    at_a_minute: int
    """How many nodes could be found after 60 s."""
    shown: Shown
    pagerduty: int
    faults: Mapping[str, tuple[int, int]]
    """By node: incidents, and faults that they count."""
    calls: Mapping[str, int]
    """Requests to the vendors, by vendor and method; `429` are those refused for their rate."""


def follow(
    lane: Lane,
    names: tuple[str, ...],
    began: float,
    timeout_s: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> Told:
    """Watch until all nodes can be found and nothing is owed, or the time is over."""
    reachable = settled = None
    minute, swept = 0, began
    since = len(lane.standins.log())
    looked = 0.0
    while time.time() - began < timeout_s:
        meanwhile()
        seen = _shown(lane, names)
        now = time.time()
        if now - began <= SWEEP_S:
            minute = len(seen.named)
        if reachable is None and len(seen.named) == len(names):
            reachable = now - began
        if reachable is not None and now - looked >= REST_S:
            looked = now
            if _rests(lane):
                settled = now - began
                break
        if now - swept >= SWEEP_S:
            swept = now
            _sweep(lane)
        time.sleep(EVERY_S)
    time.sleep(QUIET_S)  # what should not come has a moment to come
    return Told(
        reachable_s=reachable,
        settled_s=settled,
        at_a_minute=minute,
        shown=_shown(lane, names),
        pagerduty=len(lane.standins.pagerduty()),
        faults=faults_by_node(lane),
        calls=_calls(lane.standins.log(since)),
    )


def faults_by_node(lane: Lane) -> dict[str, tuple[int, int]]:
    """Return how many incidents each node has, and how many faults they count."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows_of(lane, "INC#"):
        incident = json.loads(row["doc"]["S"])
        node = incident["entity"]["node"]
        incidents, faults = found.get(node, (0, 0))
        found[node] = incidents + 1, faults + incident["count"]
    return found


def rows_of(lane: Lane, prefix: str) -> list[dict[str, Any]]:
    """Return the rows of the incidents table whose partition key begins so."""
    table = lane.stack.outputs["IncidentsTableName"]
    pages = (
        lane.endpoint.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table,
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
        )
    )
    return [row for page in pages for row in page["Items"]]


def _shown(lane: Lane, names: tuple[str, ...]) -> Shown:
    return shown(lane.standins.slack().get(SLACK_CHANNEL, []), names)


def _rests(lane: Lane) -> bool:
    """Return whether nothing is under way: no message, no notice that waits."""
    if lane.stack.waiting(*QUEUES):
        return False
    return not any(row["sk"]["S"].startswith("ROW#") for row in rows_of(lane, "OUT#"))


def _sweep(lane: Lane) -> None:
    """Run the watchdog, as its schedule would: the emulator has no clock for it."""
    lane.endpoint.client("lambda").invoke(
        FunctionName=lane.stack.function("watchdog"), InvocationType="Event", Payload=b"{}"
    )


def _calls(log: list[dict[str, Any]]) -> Counter[str]:
    calls: Counter[str] = Counter()
    for entry in log:
        limited = entry.get("status") == TOO_MANY
        calls["429" if limited else f"{entry['vendor']} {entry['kind']}"] += 1
    return calls
