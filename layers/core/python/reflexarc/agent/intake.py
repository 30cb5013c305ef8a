"""From lines and findings to messages: recognise, collapse, pack, keep before anything is sent."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from reflexarc.agent.aggregate import Aggregator, Window
from reflexarc.agent.attribution import Attribution
from reflexarc.agent.collapse import Collapser
from reflexarc.agent.counters import Counters
from reflexarc.agent.courier import Emit
from reflexarc.agent.lines import Chunk, Cursor, Line
from reflexarc.agent.log import AgentLog
from reflexarc.agent.noticed import Item, Noticed
from reflexarc.agent.packing import Packed, pack_faults, pack_readings
from reflexarc.agent.ports import Witnesses
from reflexarc.agent.spool import Spool
from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import LINE_MAX, Fault, Finding
from reflexarc.events.gpu_readings import Heartbeat, SensorReport
from reflexarc.gpu.model import FaultLine
from reflexarc.gpu.recognise import Recogniser
from reflexarc.kernel.clock import Clock

# How often what is only counted or skipped reaches the disk. A restart reads again what came after,
# so this bounds work, and what is lost where the source has forgotten it by then.
COUNTS_SECONDS = 1.0
POSITION_SECONDS = 30.0
_SAMPLE_MAX = 500
# What a state of another version of the agent may raise: a name more, less, or of another shape.
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(slots=True, kw_only=True)
class Intake:
    """Owned by one thread. The state on the disk is always that of a whole chunk of lines."""

    source: Source
    spool: Spool
    counters: Counters
    clock: Clock
    monotonic: Callable[[], float]
    mint_id: Callable[[datetime], str]
    log: AgentLog
    emit: Emit
    allow_userspace: bool = False
    collapser: Collapser = field(default_factory=Collapser)
    attribution: Attribution = field(default_factory=Attribution)
    witness: Witnesses | None = None
    aggregator: Aggregator | None = None
    sensors: Callable[[], Sequence[SensorReport]] = tuple
    rules: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime = field(init=False)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    _recognisers: dict[str, Recogniser] = field(default_factory=dict)
    _seq: dict[str, int] = field(default_factory=lambda: {"faults": 0, "readings": 0})
    _unkept_counts: bool = False
    _unkept_position: bool = False
    _kept_at: float = 0.0

    def __post_init__(self) -> None:
        self.started_at = self.clock()

    def restore(self) -> None:
        """Go on where an earlier process stopped: numbers, positions, counted repeats."""
        faults, readings = self.spool.state("faults"), self.spool.state("readings")
        self.cursors = dict(faults.get("cursors", {}))
        self.rules = faults.get("rules", {})
        self.attribution.learn(faults.get("uuids", {}))
        self._take_over_seq("readings", readings)
        self._take_over_hours(readings)
        pending = faults.get("pending", ())
        if faults.get("boot", self.source.boot_id) != self.source.boot_id:
            self._leave_for_boot(faults, pending)
            return
        self._take_over_seq("faults", faults)
        self._take_over_counts(self.collapser, pending)
        self._take_over_reports(faults)

    def accept(self, item: Item) -> None:
        """Take in what was read or noticed; what is new can be sent when this returns."""
        if isinstance(item, Noticed):
            self._accept_noticed(item)
        else:
            self._accept_chunk(item)

    def _accept_chunk(self, chunk: Chunk) -> None:
        now = self.monotonic()
        recogniser = self._recognisers.setdefault(chunk.source, Recogniser())
        leaving: list[Fault] = []
        for line in chunk.lines:
            leaving += self._line(recogniser, line, now)
        self.counters.lines += len(chunk.lines)
        if chunk.kernel_lost:
            self.counters.kernel_lost += chunk.kernel_lost
            self.log.warning(
                "the kernel overwrote records before they were read", records=chunk.kernel_lost
            )
        self.cursors[chunk.source] = chunk.cursor
        self._unkept_position = True
        self._leave(leaving)

    def tick(self) -> None:
        """Let repeats go whose window has ended, and keep counts and positions now and then."""
        now = self.monotonic()
        repeats = self._repeats(self.collapser.due(now))
        alone = self.witness.due(now) if self.witness is not None else ()
        self._leave(repeats, [self.attribution.of_finding(each) for each in alone])
        since = now - self._kept_at
        if (self._unkept_counts and since >= COUNTS_SECONDS) or (
            self._unkept_position and since >= POSITION_SECONDS
        ):
            self._keep([])

    def heartbeat(self, *, farewell: bool = False) -> None:
        """Say that the node is alive and what was read, or that silence from here on is planned."""
        spool = self.spool.report()
        heartbeat = Heartbeat(
            started_at=self.started_at,
            counters=self.counters.published(spool),
            spool_bytes=spool.bytes,
            spool_oldest_at=spool.oldest_at,
            farewell=farewell,
            unparsed_sample=self.counters.unparsed_sample,
        )
        window = self.aggregator.swap(self.monotonic()) if self.aggregator else Window()
        packed = pack_readings(
            heartbeat, self.source, self._mint("readings"), window, self.sensors()
        )
        state: dict[str, Any] = {"boot": self.source.boot_id, "seq": self._seq["readings"]}
        if window.running:
            # In the write of the message that carries what is over: told once, and never lost.
            state["hours"] = list(window.running)
        self.spool.put("readings", [packed], state)
        self.emit("heartbeat", {"id": packed.id, "farewell": farewell})

    def finish(self) -> None:
        """Let all counted repeats go: nobody will be here when their window ends."""
        self._leave(self._repeats(self.collapser.drain()))
        self._keep([])

    def _accept_noticed(self, noticed: Noticed) -> None:
        now = self.monotonic()
        self.attribution.learn(noticed.uuids)
        if noticed.rules is not None:
            self.rules = noticed.rules
            self._unkept_position = True
        if self.witness is not None:
            for xid in noticed.xids:
                self.witness.seen(xid, now)
            self.counters.corroborated = self.witness.corroborated
            self._unkept_counts |= bool(noticed.xids)
        self._leave((), [self.attribution.of_finding(each) for each in noticed.findings])

    def _line(self, recogniser: Recogniser, line: Line, now: float) -> list[Fault]:
        sighting = recogniser.see(line.text)
        if sighting is None:
            return []
        if not line.from_kernel and not self.allow_userspace:
            self.counters.spoofed += 1
            self.log.warning("a program wrote a fault to the kernel's log; ignored", line=line.text)
            return []
        if sighting.suspicious:
            self.counters.unparsed += 1
            self.counters.unparsed_sample = sighting.text[:_SAMPLE_MAX]
        self.counters.faults += 1
        if sighting.text != line.text:
            line = replace(line, text=sighting.text)
        if self.witness is not None:
            self.witness.kernel(sighting.fault, now)
            self.counters.corroborated = self.witness.corroborated
        if _says_healthy(sighting.fault):
            # What was counted came before: told later, it would break again what is mended. And
            # what comes from now on is news.
            held = self._repeats(self.collapser.drain())
            word = Fault(line=line.text[:LINE_MAX], observed_at=line.at, kernel_seq=line.kernel_seq)
            return [*held, self.attribution.of_first(word, sighting.fault)]
        leaving = self.collapser.observe(sighting.key, line, now)
        if not leaving:
            self.counters.collapsed += 1
            self._unkept_counts = True
            return []
        *evicted, first = leaving
        return [*self._repeats(evicted), self.attribution.of_first(first, sighting.fault)]

    def _repeats(self, faults: Sequence[Fault]) -> list[Fault]:
        return [self.attribution.of_repeats(fault) for fault in faults]

    def _leave(self, faults: Sequence[Fault], findings: Sequence[Finding] = ()) -> None:
        if not faults and not findings:
            return
        self.counters.findings += len(findings)
        self._keep(pack_faults(faults, self.source, self._mint("faults"), findings))
        for fault in faults:
            self.emit("fault", fault.model_dump(mode="json", exclude_none=True))
        for finding in findings:
            self.emit("finding", finding.model_dump(mode="json", exclude_none=True))

    def _keep(self, messages: Sequence[Packed]) -> None:
        self.spool.put("faults", messages, self._state())
        self._unkept_counts = self._unkept_position = False
        self._kept_at = self.monotonic()

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "boot": self.source.boot_id,
            "seq": self._seq["faults"],
            "cursors": dict(self.cursors),
            "pending": self.collapser.snapshot(),
        }
        if self.rules:
            state["rules"] = self.rules
        if self.attribution.uuids:
            state["uuids"] = dict(self.attribution.uuids)
        if self.witness is not None:
            state["witness"] = self.witness.snapshot()
        return state

    def _mint(self, lane: str) -> Callable[[], tuple[str, int]]:
        def mint() -> tuple[str, int]:
            self._seq[lane] += 1
            return self.mint_id(self.clock()), self._seq[lane]

        return mint

    def _take_over_seq(self, lane: str, state: Any) -> None:
        if state.get("boot") == self.source.boot_id:
            self._seq[lane] = int(state["seq"])
        elif self.spool.report().trouble:
            # Nothing was remembered: milliseconds since the boot are above any earlier number.
            self._seq[lane] = int(self.monotonic() * 1000)

    def _take_over_hours(self, state: Any) -> None:
        if self.aggregator is None:
            return
        try:
            self.aggregator.restore(state.get("hours", ()))
        except (ValueError, TypeError) as error:
            self.log.warning("hours kept by an earlier agent cannot be read", why=error)

    def _take_over_counts(self, collapser: Collapser, pending: Any) -> None:
        try:
            collapser.restore(pending, self.monotonic())
        except _UNREADABLE as error:
            self.log.warning("counts kept by another agent cannot be read", why=error)

    def _take_over_reports(self, state: Any) -> None:
        if self.witness is None:
            return
        try:
            self.witness.restore(state.get("witness", {}), self.monotonic())
        except _UNREADABLE as error:
            self.log.warning("reports kept by another agent cannot be read", why=error)

    def _leave_for_boot(self, state: Any, pending: Any) -> None:
        """Send what an agent counted or held back before the node rebooted, as of that boot."""
        earlier = Collapser()
        self._take_over_counts(earlier, pending)
        self._take_over_reports(state)
        # Nothing of that boot will confirm these any more.
        held = () if self.witness is None else self.witness.due(math.inf)
        seq = int(state["seq"])

        def mint() -> tuple[str, int]:
            nonlocal seq
            seq += 1
            return self.mint_id(self.clock()), seq

        source = self.source.model_copy(update={"boot_id": str(state["boot"])})
        self.counters.findings += len(held)
        self._keep(pack_faults(earlier.drain(), source, mint, held))


def _says_healthy(fault: FaultLine) -> bool:
    """Return whether the driver takes back its recovery action: Xid 154, to 0x0 (None)."""
    return fault.recovery_to == 0
