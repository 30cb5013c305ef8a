"""A fault that ended as a dead letter pages after all, and counts once however often it is sent."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from reflexarc.cli.dlq import dlq_app
from reflexarc.emulator.lane import Lane
from tests.emulator.story import Story, batch, xid

pytestmark = pytest.mark.emulator
QUEUE = "GpuFaultsDlqUrl"


def run(lane: Lane, *words: str) -> Result:
    result = CliRunner().invoke(dlq_app, [*words, "--endpoint", lane.endpoint.url])
    assert result.exit_code == 0, result.output
    return result


def letter_about(lane: Lane, node: str) -> dict[str, Any]:
    queues = [json.loads(line) for line in run(lane, "list", "--json").stdout.splitlines()]
    (faults,) = (queue for queue in queues if queue["queue"] == "gpu-faults-dlq")
    shown = (
        json.loads(run(lane, "show", message["id"], "--json").stdout)
        for message in faults["messages"]
    )
    return next(letter for letter in shown if node in letter["original"])


def test_a_dead_fault_is_shown_redriven_and_pages_once(story: Story, as_operator: Lane) -> None:
    line = xid(79)
    story.tell("node-in-a-dlq", line)
    message = json.dumps(batch("node-in-a-dlq", line))
    for _ in range(2):
        story.lane.stack.send(QUEUE, message)

        letter = letter_about(as_operator, "node-in-a-dlq")
        assert letter["original"] == message
        run(as_operator, "redrive", "gpu-faults-dlq", "--message", letter["id"], "--yes")

    assert story.all_arrive_once()
