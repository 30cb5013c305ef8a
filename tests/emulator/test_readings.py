"""Readings as deployed: a message on the queue becomes a node's state and its hours."""

import json
from typing import Any

import pytest

from reflexarc.adapters.dynamodb import fleet_rows
from reflexarc.emulator.processes import wait_until
from tests.emulator.story import Story
from tests.support.readings import hour, readings

pytestmark = pytest.mark.emulator
NODE = "reading-node"


def rows(story: Story, kind: str) -> list[dict[str, Any]]:
    stack = story.lane.stack
    found = stack.endpoint.client("dynamodb").scan(TableName=stack.outputs["FleetTableName"])
    return [row for row in found["Items"] if row["pk"]["S"].startswith(kind)]


def test_readings_leave_a_state_and_the_hours_that_closed(story: Story) -> None:
    for seq in (1, 2, 4):
        message = readings(NODE, seq, hours=[hour(0, closed=True), hour(1)])
        story.lane.stack.send("GpuReadingsQueueUrl", json.dumps(message))

    # Lambda gathers a batch for up to twenty seconds.
    assert wait_until(
        lambda: any(row["sk"]["S"] == NODE for row in rows(story, "FLEET#")), 40, every_s=0.5
    )
    assert wait_until(lambda: newest(story)["seq"]["N"] == "4", 40, every_s=0.5)
    # What comes in a batch of its own after a later one counts as lost until it is there.
    assert wait_until(lambda: newest(story)["lost"]["N"] == "1", 40, every_s=0.5)
    state = fleet_rows.unpack(newest(story))
    assert [gpu.health for gpu in state.gpus] == ["ok"] * 8
    (day,) = (row for row in rows(story, "DAY#2026-11-24") if row["sk"]["S"].startswith(NODE))
    assert [name for name in day if name.startswith("g.")] == ["g.0000:1b:00"]


def newest(story: Story) -> dict[str, Any]:
    (row,) = (row for row in rows(story, "FLEET#") if row["sk"]["S"] == NODE)
    return row
