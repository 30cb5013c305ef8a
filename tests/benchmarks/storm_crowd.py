"""Many nodes whose GPUs fail at once: what their agents would send, sent straight to the queue."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any, TypeVar

from reflexarc.agent.packing import Packed, pack_faults
from reflexarc.emulator.endpoint import Endpoint
from reflexarc.emulator.errors import LaneUnavailable
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Fault
from reflexarc.kernel.ids import new_ulid

Item = TypeVar("Item")
BATCH = 10  # of SendMessageBatch
SENDERS = 4
FIRST_BUS = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """So many nodes with so many GPUs each; every GPU logs the same fault within a while."""

    nodes: int
    gpus: int
    code: int = 79
    says: str = "pid=1234, name=python3, GPU has fallen off the bus."
    prefix: str = "gpu-node-"
    within_s: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the nodes."""
        return tuple(f"{self.prefix}{number:04d}" for number in range(self.nodes))

    def line(self, gpu: int) -> str:
        """Return what the kernel logs of one GPU."""
        bus = FIRST_BUS + gpu
        return f"[ 2235.252108] NVRM: Xid (PCI:0000:{bus:02x}:00): {self.code}, {self.says}"

    def messages(self, node: str, at: datetime) -> list[Packed]:
        """Return a node's messages: its first fault leaves at once, the others follow together."""
        source = Source(node=node, agent="crowd", boot_id=f"boot-of-{node}")
        sequence = count(1)
        faults = [Fault(line=self.line(gpu), observed_at=at) for gpu in range(self.gpus)]
        parts = [part for part in (faults[:1], faults[1:]) if part]
        return [
            packed
            for part in parts
            for packed in pack_faults(part, source, lambda: (new_ulid(at), next(sequence)))
        ]


@dataclass(slots=True, kw_only=True)
class Uproar:
    """A crowd that is failing. Leave it running, or wait until all is said."""

    crowd: Crowd
    began: float = field(default_factory=time.time)
    """Seconds since the epoch: the stand-ins' clock."""
    ended: float = 0.0
    _failed: list[str] = field(default_factory=list)

    def say(self, endpoint: Endpoint, queue_url: str) -> None:
        """Send every node's messages, spread evenly over the crowd's while; raises what failed."""
        names = self.crowd.names
        lock, turns = threading.Lock(), _groups(names)
        share = self.crowd.within_s / max(1, len(names))
        numbers = {name: number for number, name in enumerate(names)}

        def speak() -> None:
            client = endpoint.make_client("sqs")
            while True:
                with lock:
                    nodes = next(turns, None)
                if nodes is None:
                    return
                due = self.began + numbers[nodes[-1]] * share
                time.sleep(max(0.0, due - time.time()))
                self._send(client, queue_url, nodes)

        with ThreadPoolExecutor(SENDERS) as pool:
            for running in [pool.submit(speak) for _ in range(SENDERS)]:
                running.result()
        self.ended = time.time()
        if self._failed:
            raise LaneUnavailable(f"{len(self._failed)} messages were refused: {self._failed[:3]}")

    def _send(self, client: Any, queue_url: str, nodes: Sequence[str]) -> None:
        at = datetime.now(UTC)
        packed = [message for node in nodes for message in self.crowd.messages(node, at)]
        self._failed += post(client, queue_url, packed)


def post(client: Any, queue_url: str, messages: Sequence[Packed]) -> list[str]:
    """Send messages in order, ten at a time; return why some were refused."""
    refused: list[str] = []
    for group in _groups(messages):
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=list(_entries(group)))
        refused += [each["Message"] for each in answer.get("Failed", ())]
    return refused


def _groups(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    rest = iter(items)
    while group := tuple(islice(rest, BATCH)):
        yield group


def _entries(group: Sequence[Packed]) -> Iterator[dict[str, str]]:
    now = datetime.now(UTC)
    for number, message in enumerate(group):
        yield {"Id": str(number), "MessageBody": message.stamped(now)}
