"""A night on call: nodes that break and are repaired, people who click, and messages any way round.

What a state machine or dice may let happen, one method each, and what must be true in the morning.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.kernel.ids import ulid
from samples.standins.clicks import signed_click
from samples.standins.server import SIGNING_SECRET
from tests.support.cloud import Broken, Cloud
from tests.support.wired import READERS, SLACK_CHANNEL, TABLE

NODES, GPUS = 3, 2
LINES = {
    79: "79, pid=1, name=python3, GPU has fallen off the bus.",
    48: "48, pid=1, name=python3, DBE (double bit error) ECC Error",
    63: "63, pid=1, name=python3, Row Remapper: New row marked for remapping",
    74: "74, pid=1, name=python3, NVLink: fatal error detected on link 14(0x0, 0x0)",
    154: "154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)",
}
CAUSES = (79, 63, 48, 74)
ACTS = ("ack", "silence", "resolve", "not_a_fault")
QUEUES = tuple(READERS)
Troubles = Sequence[tuple[int, str]]
# An invocation a second for a quarter of an hour: far more than what there is to tell needs.
PATIENCE = 900


@dataclass
class Node:
    """One node, as its agent sees it."""

    number: int
    boot: int = 1
    seq: int = 0

    @property
    def name(self) -> str:
        """Return the node's name."""
        return f"gpu-node-{self.number}"

    @property
    def boot_id(self) -> str:
        """Return the id of the running boot."""
        return f"boot-{self.number}-{self.boot}"


@dataclass
class Night:
    """What happens, and what was sent: how often each message saw each thing."""

    cloud: Cloud
    nodes: list[Node] = field(default_factory=lambda: [Node(n) for n in range(NODES)])
    sent: dict[str, int] = field(default_factory=dict)
    """By ledger id: the number of faults that it stands for."""
    counted: Counter[str] = field(default_factory=Counter)
    """By ledger id: how often a transaction recorded it."""
    _ids: int = 0

    def __post_init__(self) -> None:
        """Watch what is recorded."""
        self.cloud.tables.watchers.append(self._recorded)

    def fault(self, node: int, gpus: Sequence[int], causes: Sequence[int], count: int) -> None:
        """Let GPUs of a node fault; one message says so."""
        lines = [(gpu, cause, count) for gpu in gpus for cause in causes]
        self._report(self.nodes[node], lines)

    def repair(self, node: int, gpu: int) -> None:
        """Let a GPU recover."""
        self._report(self.nodes[node], [(gpu, 154, 1)])

    def reboot(self, node: int) -> None:
        """Boot a node anew: its GPUs read healthy."""
        booted, now = self.nodes[node], self.cloud.now
        booted.boot += 1
        booted.seq = 0
        for gpu in range(GPUS):
            entity = Entity(kind="gpu", node=booted.name, device=_device(gpu))
            signal = Signal.model_validate(
                {
                    "id": self._id(),
                    "sent_at": now,
                    "source": {"node": booted.name, "boot_id": booted.boot_id},
                    "kind": "clear",
                    "entity": entity,
                    "cause": "boot/healthy",
                    "severity": Severity.INFO,
                    "title": "The node was booted anew, and this GPU reads well",
                    "first_at": now,
                    "last_at": now,
                    "order": Order(boot_id=booted.boot_id, seq=0),
                    "hops": Hops(observed_at=now, queued_at=now),
                }
            )
            self.cloud.send("signals", signal.model_dump_json(by_alias=True))

    def deliver(self, queue: str, pick: int, number: int, troubles: Troubles) -> None:
        """Deliver some messages of a queue, while these things go wrong."""
        due = self.cloud.due(queue)
        if not due:
            return
        start = pick % len(due)
        self._troubled(troubles)
        self.cloud.deliver(queue, (due[start:] + due[:start])[:number])
        self._troubled(())

    def tick(self, troubles: Troubles) -> None:
        """Let the watchdog do its chores."""
        self._troubled(troubles)
        self.cloud.tick()
        self._troubled(())

    def click(self, pick: int, act: str, person: str, troubles: Troubles) -> None:
        """Let somebody click under a page, and the same request come once more."""
        roots = [each for each in self._messages() if _said(each)["part"] == "root"]
        buttons = [each for each in roots if "reflexarc_" + act in json.dumps(each["blocks"])]
        if not buttons:
            return
        moment = int(self.cloud.now.timestamp())
        request = signed_click(
            buttons[pick % len(buttons)],
            f"reflexarc_{act}",
            person,
            SIGNING_SECRET,
            moment,
            channel=SLACK_CHANNEL,
        )
        self._troubled(troubles)
        first = self.cloud.click(*request)
        self._troubled(())
        assert first in {200, 401, 500, 502, 503}
        if first == 200:
            assert self.cloud.click(*request) == 401, "a click counts once"
        headers, body = request
        # 503: there was no secret to check it with a moment ago.
        assert self.cloud.click(headers, body + b"x") in {401, 503}, "a forged click counts"

    def double(self, queue: str, pick: int) -> None:
        """Let SQS deliver a message twice."""
        if waiting := self.cloud.queues[queue]:
            self.cloud.double(queue, waiting[pick % len(waiting)])

    def lose(self, queue: str, pick: int) -> None:
        """Let a wake-up get lost; what is not found again by a sweep is never lost by SQS."""
        if "notify" in queue and (waiting := self.cloud.queues[queue]):
            self.cloud.lose(queue, waiting[pick % len(waiting)])

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.cloud.forward(seconds)

    def morning(self) -> None:
        """Let everything be delivered, without trouble, until nothing is left."""
        self._troubled(())
        for _ in range(PATIENCE):
            if not self._step():
                return
        raise AssertionError("no end of looks")

    def _step(self) -> bool:
        """Deliver what is due, or let time pass until something is; False: nothing is left."""
        for queue in QUEUES:
            if due := self.cloud.due(queue):
                self.cloud.deliver(queue, due[:10])
                self.cloud.forward(0.5)
                return True
        coming = [each.visible_at for queue in QUEUES for each in self.cloud.queues[queue]]
        if coming:
            self.cloud.now = max(self.cloud.now, min(coming))
            return True
        pages = [
            json.loads(row["doc"]["S"]) for row in self.cloud.tables.rows(TABLE, "PAGE#", "A#")
        ]
        if self.cloud.groups_owed() or any(page["steps"] for page in pages):
            self.cloud.forward(60)
            self.cloud.tick()
            return True
        return False

    def _report(self, node: Node, lines: Sequence[tuple[int, int, int]]) -> None:
        node.seq += 1
        now, message = self.cloud.now, self._id()
        faults = [
            {
                "line": f"NVRM: Xid (PCI:{_device(gpu)}): {LINES[cause]}",
                "observed_at": now.isoformat(),
                "count": count,
            }
            for gpu, cause, count in lines
        ]
        for gpu, cause, count in lines:
            entity = Entity(kind="gpu", node=node.name, device=_device(gpu))
            event = f"{message}|{entity.fingerprint}"
            self.sent[event] = self.sent.get(event, 0) + (count if cause != 154 else 0)
        body = {
            "schema": "gpu_faults/1",
            "id": message,
            "sent_at": now.isoformat(),
            "source": {"node": node.name, "agent": "0.1.0", "boot_id": node.boot_id},
            "seq": node.seq,
            "faults": faults,
        }
        self.cloud.send("gpu-faults", json.dumps(body), f"AROANODES:i-{node.number}")

    def _recorded(self, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
        """Count what each transaction records, and check that an incident counts the same."""
        pairs = list(zip(before, after, strict=True))
        events = [row["pk"]["S"].removeprefix("EVT#") for _, row in pairs if _is(row, "EVT#")]
        for event in events:
            self.counted[event] += 1
        for was, row in pairs:
            if not _is(row, "INC#"):
                continue
            now = json.loads(row["doc"]["S"])
            then = json.loads(was["doc"]["S"]) if was else {"generation": 1, "count": 0}
            about = [event for event in events if event.endswith(now["fingerprint"])]
            told = sum(self.sent.get(event, 0) for event in about)
            same = then["generation"] == now["generation"] and (was or not now["cleared"])
            # What a transaction ends as well as opens is counted, but is not in its last version.
            if now["count"] > then["count"] + told or (
                same and now["count"] < then["count"] + told
            ):
                raise Broken("a fault is counted twice, or not at all")

    def _messages(self) -> list[dict[str, Any]]:
        return self.cloud.slack.channels.get(SLACK_CHANNEL, [])

    def _troubled(self, troubles: Troubles) -> None:
        self.cloud.plan(troubles)

    def _id(self) -> str:
        self._ids += 1
        return ulid(self.cloud.now, self._ids.to_bytes(10, "big"))


def _device(gpu: int) -> str:
    return f"0000:{0x3B + gpu:02x}:00"


def _is(row: dict[str, Any], prefix: str) -> bool:
    return bool(row) and row["pk"]["S"].startswith(prefix)


def _said(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (message["metadata"] or {}).get("event_payload", {"part": ""})
    return found
