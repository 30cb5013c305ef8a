"""Stand-ins for what the agent meets outside: a clock, a queue, a kernel log, and its own parts."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reflexarc.adapters.kmsg.device import Overwritten
from reflexarc.agent.attribution import Attribution
from reflexarc.agent.counters import Counters
from reflexarc.agent.courier import Courier
from reflexarc.agent.intake import Intake
from reflexarc.agent.lines import Chunk, Line
from reflexarc.agent.log import AgentLog
from reflexarc.agent.packing import Packed
from reflexarc.agent.ports import Owners, Witnesses
from reflexarc.agent.spool import MEBIBYTE, LaneName, Spool
from reflexarc.events.envelope import Source
from reflexarc.kernel.errors import ReflexError
from reflexarc.kernel.ids import new_ulid, ulid

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
XID_79 = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus."
XID_95 = (
    "NVRM: Xid (PCI:0000:3b:00): 95, pid=7, name=train, Uncontained: FBHUB. RST: Yes, D-RST: No"
)


def xid(number: int, code: int = 13) -> str:
    """Return a fault line unlike that of any other number."""
    return f"NVRM: Xid (PCI:0000:{number % 256:02x}:00): {code}, pid={number}, name=job, Graphics"


@dataclass
class Time:
    """Time that stands still until it is moved."""

    seconds: float = 1_000_000.0

    def monotonic(self) -> float:
        return self.seconds

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 1_000_000.0)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class FakeQueue:
    """Takes messages, or raises the next planned error, or answers with planned problems."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    requests: list[list[str]] = field(default_factory=list)
    errors: deque[ReflexError | Exception] = field(default_factory=deque)
    problems: dict[str, ReflexError] = field(default_factory=dict)
    down: ReflexError | None = None

    def send(self, entries: Sequence[tuple[str, str]]) -> Mapping[str, ReflexError]:
        self.requests.append([message_id for message_id, _ in entries])
        if self.errors:
            raise self.errors.popleft()
        if self.down is not None:
            raise self.down
        self.sent += [each for each in entries if each[0] not in self.problems]
        return {each: why for each, why in self.problems.items() if each in dict(entries)}


@dataclass
class FakeKernelLog:
    """Records as /dev/kmsg gives them; None in the list stands for records overwritten."""

    records: list[bytes | None] = field(default_factory=list)
    position: int = 0
    closed: bool = False

    def skip_to_end(self) -> None:
        self.position = len(self.records)

    def read(self) -> bytes | None:
        if self.position == len(self.records):
            return None
        raw = self.records[self.position]
        self.position += 1
        if raw is None:
            raise Overwritten
        return raw

    def wait(self, timeout: float) -> None:
        """Nothing comes while a test waits."""

    def close(self) -> None:
        self.closed = True


def record(seq: int, text: str, *, seconds: float = 1_000_000.0, priority: int = 3) -> bytes:
    """Return one /dev/kmsg record of the kernel."""
    return f"{priority},{seq},{int(seconds * 1e6)},-;{text}\n".encode()


class Events(list[tuple[str, dict[str, Any]]]):
    """Keeps what the agent told."""

    def emit(self, event: str, facts: dict[str, Any]) -> None:
        self.append((event, facts))

    def named(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self if name == event]


def message(number: int, *, size: int = 100, faults: int = 1) -> Packed:
    """Return a message whose id tells its number."""
    return Packed(id=ulid(NOW, number.to_bytes(10, "big")), text="x" * size, faults=faults)


@dataclass
class Bench:
    """An intake and its couriers over a folder, with time and queues in the test's hands."""

    folder: Path
    time: Time = field(default_factory=Time)
    boot: str = "boot-a"
    max_bytes: int = 8 * MEBIBYTE
    memory_max: int = MEBIBYTE
    allow_userspace: bool = False
    owners: Owners | None = None
    witness: Witnesses | None = None
    queues: dict[LaneName, FakeQueue] = field(
        default_factory=lambda: {"faults": FakeQueue(), "readings": FakeQueue()}
    )

    def __post_init__(self) -> None:
        self.events = Events()
        self.written: list[str] = []
        self.counters = Counters()
        self.log = AgentLog(write=self.written.append, monotonic=self.time.monotonic)
        self.spool = Spool(
            self.folder,
            max_bytes=self.max_bytes,
            memory_max=self.memory_max,
            monotonic=self.time.monotonic,
        )
        self.damaged = self.spool.open()
        self.intake = Intake(
            source=Source(node="node-7", agent="test", boot_id=self.boot),
            spool=self.spool,
            counters=self.counters,
            clock=self.time.clock,
            monotonic=self.time.monotonic,
            mint_id=new_ulid,
            log=self.log,
            emit=self.events.emit,
            allow_userspace=self.allow_userspace,
            attribution=Attribution(owners=self.owners),
            witness=self.witness,
        )
        self.intake.restore()
        self.faults = self.courier("faults")
        self.readings = self.courier("readings", after=self.faults)

    def courier(self, lane: LaneName, after: Courier | None = None) -> Courier:
        return Courier(
            lane=lane,
            queue=self.queues[lane],
            spool=self.spool,
            counters=self.counters,
            clock=self.time.clock,
            chance=lambda: 0.0,
            log=self.log,
            emit=self.events.emit,
            after=after,
            monotonic=self.time.monotonic,
        )

    def feed(self, *texts: str, position: int = 0, **facts: Any) -> None:
        lines = tuple(Line(text=text, at=self.time.clock(), **facts) for text in texts)
        self.intake.accept(Chunk(source="kmsg", lines=lines, cursor={"seq": position}))

    def deliver_all(self) -> None:
        for courier in (self.faults, self.readings):
            while self.spool.waiting(courier.lane):
                courier.deliver()

    def crash(self) -> "Bench":
        """Return what a process that starts after kill -9 sees."""
        self.spool.close()
        return Bench(self.folder, self.time, self.boot, self.max_bytes, queues=self.queues)
