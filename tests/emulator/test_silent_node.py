"""A node that nobody hears any more is a page, and its next word ends it."""

from typing import Any

import pytest

from reflexarc.adapters.dynamodb.incident_list import IncidentList
from reflexarc.emulator.processes import wait_until
from reflexarc.events.signal import Entity
from reflexarc.gpu.silence_signals import ASPECT
from tests.emulator.story import Story
from tests.support.readings import readings

pytestmark = pytest.mark.emulator
NODE = "node-that-fell-silent"


def spoke(story: Story, node: str, seq: int, *, seconds_ago: float = 0) -> None:
    """Let a node's heartbeat arrive, or have arrived a while ago."""
    source: dict[str, Any] = {"node": node, "boot_id": "boot-1", "labels": {"cluster": "silent"}}
    message = readings(node, seq, source=source)
    answer = story.invoke_as("AROAAGENT:i-1", message, "gpu_reading", waited_s=seconds_ago)
    assert answer == {"batchItemFailures": []}


def key_of_page(story: Story) -> str:
    """Return the page that tells of the silence, empty while there is none."""
    table = story.lane.stack.outputs["IncidentsTableName"]
    entity = Entity(kind="node", node=NODE, aspect=ASPECT)
    found = IncidentList(story.lane.endpoint.client("dynamodb"), table)
    dossier = found.dossier(entity.fingerprint)
    return dossier.page.key if dossier and dossier.page else ""


def test_a_silent_node_is_a_page_until_it_speaks_again(grouped: Story) -> None:
    spoke(grouped, "node-that-speaks", 1)
    spoke(grouped, NODE, 1, seconds_ago=200)

    grouped.lane.stack.warm()  # the watchdog's tick

    assert wait_until(lambda: bool(key_of_page(grouped)), 10)
    key = key_of_page(grouped)
    assert wait_until(lambda: grouped.pager(key) == ["triggered"], 10)
    assert wait_until(lambda: NODE in grouped.slack_message(key).get("text", ""), 10)
    assert "Agent is silent" in grouped.slack_message(key)["text"]

    spoke(grouped, NODE, 2)
    grouped.lane.stack.warm()

    assert wait_until(lambda: grouped.pager(key) == ["resolved"], 10)
    assert wait_until(lambda: "Resolved" in grouped.slack_message(key)["text"], 10)
