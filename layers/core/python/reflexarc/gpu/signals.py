"""Turns what a node reported into signals: one a fault, with corrected times and its hops. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reflexarc.events.delivery import Delivery
from reflexarc.events.gpu_faults import Finding
from reflexarc.events.severity import Severity
from reflexarc.events.signal import APPLICATION, EVIDENCE_MAX, Entity, Hops, Order, Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.findings import entity_of, fault_of, judge_finding
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.messages import Batch
from reflexarc.gpu.model import FaultLine, Verdict
from reflexarc.gpu.parse import NOTHING, parse_each
from reflexarc.gpu.rules import judge
from reflexarc.gpu.salvage import Salvaged

EVIDENCE_CHARS = 500
# A message takes well under a second from an agent to its queue; clocks kept by NTP differ by
# milliseconds. More than this is a clock that is wrong.
SKEW_TOLERATED = timedelta(seconds=5)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClock:
    """How far a node's clock is off, judged by when the queue took its message."""

    off_by: timedelta
    queued_at: datetime

    @classmethod
    def of(cls, sent_at: datetime | None, queued_at: datetime) -> "NodeClock":
        """Compare the sender's stamp with the queue's; small differences count as none."""
        off_by = timedelta() if sent_at is None else sent_at - queued_at
        return cls(
            off_by=off_by if abs(off_by) > SKEW_TOLERATED else timedelta(), queued_at=queued_at
        )

    def correct(self, at: datetime) -> datetime:
        """Return a time of the node in our time; nothing happened after it was reported."""
        try:
            return min(at - self.off_by, self.queued_at)
        except OverflowError:
            return self.queued_at

    @property
    def mark(self) -> str:
        """Return what to tell a reader: node clock is 3 h 2 min ahead; times corrected."""
        if not self.off_by:
            return ""
        way = "ahead" if self.off_by > timedelta() else "behind"
        return f"node clock is {_in_words(abs(self.off_by))} {way}; times corrected"


def signals_of(
    batch: Batch, delivery: Delivery, policy: GpuPolicy, received_at: datetime
) -> tuple[Signal, ...]:
    """Return one signal for each fault and finding of a message, in its order.

    All have the message's id: they are parts of one message, and a redelivery has the same id.
    """
    clock = NodeClock.of(batch.sent_at, delivery.queued_at)
    faults = (
        _signal(batch, report, line, fault, clock=clock, policy=policy, received_at=received_at)
        for report in batch.reports
        for line, fault in _faults_of(report)
    )
    findings = (
        _of_finding(batch, finding, clock=clock, policy=policy, received_at=received_at)
        for finding in batch.findings
    )
    return (*faults, *findings)


def _faults_of(report: Salvaged) -> Iterator[tuple[str, FaultLine]]:
    """Yield the faults of a reported line; a line that says nothing to us is one as well."""
    yield from parse_each(report.line) or ((report.line, NOTHING),)


def _signal(
    batch: Batch,
    report: Salvaged,
    line: str,
    fault: FaultLine,
    *,
    clock: NodeClock,
    policy: GpuPolicy,
    received_at: datetime,
) -> Signal:
    verdict = judge(fault, policy, process=report.process, job=report.job)
    sent_at = _sent_at(batch, clock)
    first_at = sent_at if report.observed_at is None else clock.correct(report.observed_at)
    last_at = first_at if report.last_at is None else clock.correct(report.last_at)
    marks = (*verdict.marks, *report.marks, *batch.marks, clock.mark)
    return Signal(
        id=batch.id,
        sent_at=sent_at,
        source=batch.source,
        kind="clear" if verdict.clears else "fire",
        entity=_entity(batch, report, fault, verdict),
        cause=verdict.cause,
        severity=verdict.severity,
        title=verdict.title,
        meaning=verdict.meaning,
        action=verdict.action,
        owner=verdict.owner,
        job=report.job,
        labels=_labels(batch, report, fault, verdict),
        marks=tuple(mark for mark in marks if mark),
        evidence=_evidence(line),
        count=report.count,
        first_at=first_at,
        last_at=max(first_at, last_at),
        order=_order(batch),
        clock_skew_s=round(clock.off_by.total_seconds(), 3),
        hops=Hops(
            observed_at=first_at,
            sent_at=sent_at,
            queued_at=clock.queued_at,
            received_at=received_at,
        ),
    )


def _of_finding(
    batch: Batch,
    finding: Finding,
    *,
    clock: NodeClock,
    policy: GpuPolicy,
    received_at: datetime,
) -> Signal:
    verdict = judge_finding(finding, policy)
    entity = entity_of(finding, batch.source.node)
    at, sent_at = clock.correct(finding.observed_at), _sent_at(batch, clock)
    marks = (*verdict.marks, *batch.marks, clock.mark)
    return Signal(
        id=batch.id,
        sent_at=sent_at,
        source=batch.source,
        kind="clear" if verdict.clears else "fire",
        entity=entity,
        cause=verdict.cause,
        severity=verdict.severity,
        title=verdict.title,
        meaning=verdict.meaning,
        action=verdict.action,
        owner=verdict.owner,
        job=finding.job,
        labels=_labels_of_finding(batch, finding, entity, verdict),
        marks=tuple(mark for mark in marks if mark),
        evidence=(finding.says,) if finding.says else (),
        first_at=at,
        last_at=at,
        order=_order(batch),
        clock_skew_s=round(clock.off_by.total_seconds(), 3),
        hops=Hops(
            observed_at=at, sent_at=sent_at, queued_at=clock.queued_at, received_at=received_at
        ),
    )


def _sent_at(batch: Batch, clock: NodeClock) -> datetime:
    return clock.queued_at if batch.sent_at is None else clock.correct(batch.sent_at)


def _labels_of_finding(
    batch: Batch, finding: Finding, entity: Entity, verdict: Verdict
) -> dict[str, str]:
    fault = fault_of(finding)
    known = {
        **batch.source.labels,
        entity.kind: entity.device,
        "node": batch.source.node,
        "rule": finding.rule,
        "aspect": finding.aspect,
        "process": finding.process or "",
        "owner": verdict.owner,
    }
    if fault is not None:
        known[fault.kind] = str(fault.code)
    return {name: value for name, value in known.items() if value}


def _entity(batch: Batch, report: Salvaged, fault: FaultLine, verdict: Verdict) -> Entity:
    """Return what is broken; what a job's own code did is apart from what the GPU suffers.

    A job's consequences of another fault (info) stay with the GPU, where that fault is.
    """
    node = batch.source.node
    if fault.kind == "none":
        return Entity(kind="node", node=node)
    device = device_of(fault.pci)
    if fault.kind == "sxid":
        return Entity(kind="nvswitch", node=node, device=device)
    of_the_job = verdict.owner == "job" and verdict.severity is not Severity.INFO
    return Entity(
        kind="gpu",
        node=node,
        device=device or "unknown",
        uuid=report.gpu_uuid or "",
        aspect=APPLICATION if of_the_job else "",
    )


def _order(batch: Batch) -> Order | None:
    if batch.seq is None or not batch.source.boot_id:
        return None
    return Order(boot_id=batch.source.boot_id, seq=batch.seq)


def _labels(batch: Batch, report: Salvaged, fault: FaultLine, verdict: Verdict) -> dict[str, str]:
    instance = (fault.gpu_instance, fault.compute_instance)
    known = {
        **batch.source.labels,
        "node": batch.source.node,
        "gpu": device_of(fault.pci) if fault.kind in {"xid", "lost"} else "",
        "nvswitch": device_of(fault.pci) if fault.kind == "sxid" else "",
        "xid": fault.code if fault.kind == "xid" else None,
        "sxid": fault.code if fault.kind == "sxid" else None,
        "mig": "/".join(str(part) for part in instance if part is not None),
        "link": fault.link,
        "pid": fault.pid,
        "process": report.process or fault.process,
        "owner": verdict.owner,
    }
    return {name: str(value) for name, value in known.items() if value not in {None, ""}}


def _evidence(line: str) -> tuple[str, ...]:
    lines = [part.strip() for part in line.splitlines() if part.strip()] or [line]
    return tuple(part[:EVIDENCE_CHARS] for part in lines[:EVIDENCE_MAX])


def _in_words(span: timedelta) -> str:
    """Return the two largest units of a duration: 3 h 2 min."""
    seconds = round(span.total_seconds())
    words = []
    for unit, size in _UNITS:
        if number := seconds // size:
            words.append(f"{number} {unit}")
        seconds %= size
    return " ".join(words[:2])
