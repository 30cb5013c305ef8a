"""The end of the demo's night: a pod's GPUs are gone within a second, and that is one page.

Somebody presses Ack in Slack, and the pager falls quiet. The messages are those that the agents of
the pod's nodes would send; starting as many agents would cost the demo its half minute.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from reflexarc.emulator.audit import Expected
from reflexarc.emulator.due import Due
from reflexarc.emulator.lane import Lane
from reflexarc.emulator.processes import wait_until
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Fault, GpuFaults
from reflexarc.kernel.ids import new_ulid

CLUSTER = "pod-7"
NODES = 6
BUSES = (0x1B, 0x3B, 0x43, 0x52, 0x9B, 0xBB, 0xC3, 0xD1)
GPUS = NODES * len(BUSES)
WHO = "on-call"
SHOWN_WITHIN_S = 6.0  # a message that is new may be changed after a second, and then in turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A pod that lost its GPUs, and the pages that this makes due."""

    nodes: tuple[str, ...]
    pages: tuple[Expected, ...]

    @property
    def key(self) -> str:
        """Return the page that tells all of it."""
        return self.pages[0].key


def break_out(running: Lane, due: Due, suffix: str = "") -> Storm:
    """Send what the nodes' agents would; return what must come of it."""
    nodes = tuple(f"{CLUSTER}-node-{number}{suffix}" for number in range(1, NODES + 1))
    # Worked out first, stamped at the sending: our own thinking must not count as latency.
    thought = datetime.now(UTC)
    messages = [_message(node, thought, suffix) for node in nodes]
    pages = [page for message in messages for page in _due(due, message, thought)]
    at = datetime.now(UTC)
    for message in messages:
        faults = tuple(fault.model_copy(update={"observed_at": at}) for fault in message.faults)
        update = {"faults": faults, "sent_at": datetime.now(UTC)}
        running.stack.send("GpuFaultsQueueUrl", message.model_copy(update=update))
    return Storm(nodes=nodes, pages=tuple(replace(page, written_at=at) for page in pages))


def told(running: Lane, storm: Storm) -> str:
    """Return the page's first line in Slack once it names every node; empty if it never does."""
    found: dict[str, Any] = {}

    def names_all() -> bool:
        found.clear()
        found.update(running.standins.slack_root(storm.key))
        text = json.dumps(found.get("blocks", ()))
        return all(node in text for node in storm.nodes)

    return str(found["text"]) if wait_until(names_all, SHOWN_WITHIN_S, every_s=0.05) else ""


def taken_on(running: Lane, storm: Storm) -> float | None:
    """Press Ack in Slack; return the ms until the pager knew, None if it never did."""
    began = time.monotonic()
    url = running.stack.outputs["SlackActionUrl"]
    running.standins.press(storm.key, "reflexarc_ack", WHO, url)
    if not wait_until(partial(_acknowledged, running, storm.key), SHOWN_WITHIN_S, every_s=0.02):
        return None
    took = round((time.monotonic() - began) * 1000, 1)

    def shown() -> bool:
        return WHO in json.dumps(running.standins.slack_root(storm.key).get("blocks", ()))

    wait_until(shown, SHOWN_WITHIN_S, every_s=0.05)
    return took


def _acknowledged(running: Lane, key: str) -> bool:
    return running.standins.pager(key) == ["acknowledged"]


def _message(node: str, at: datetime, suffix: str) -> GpuFaults:
    lines = (
        f"NVRM: Xid (PCI:0000:{bus:02x}:00): 79, pid='<unknown>', name=<unknown>, "
        "GPU has fallen off the bus."
        for bus in BUSES
    )
    labels = {"cluster": f"{CLUSTER}{suffix}"}
    return GpuFaults(
        id=new_ulid(at),
        sent_at=at,
        source=Source(node=node, labels=labels, agent="demo", boot_id=f"boot-of-{node}"),
        seq=1,
        faults=tuple(Fault(line=line, observed_at=at) for line in lines),
    )


def _due(due: Due, message: GpuFaults, at: datetime) -> Sequence[Expected]:
    due.labelled(message.source.node, message.source.labels)
    return [
        page for fault in message.faults for page in due.wrote(message.source.node, fault.line, at)
    ]
