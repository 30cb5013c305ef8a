"""What people are told of a silence, and of its end. Pure.

Ids come of what was heard last, so a look that is repeated says the same signal again.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from reflexarc.events.envelope import Source
from reflexarc.events.gpu_faults import Job
from reflexarc.events.severity import Severity
from reflexarc.events.signal import EVIDENCE_MAX, Entity, Hops, Order, Signal
from reflexarc.gpu.config import GpuPolicy
from reflexarc.gpu.findings import known_rule, overridden
from reflexarc.gpu.fleet_silence import Ended, Pulse
from reflexarc.gpu.model import Verdict
from reflexarc.gpu.readings import GpuState, NodeState
from reflexarc.kernel.clock import epoch_ms, from_epoch_ms
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid

NODE_RULE, RACK_RULE = "agent/silent", "rack/silent"
ASPECT = "silence"
LINE_MAX = 900
JOBS_SHOWN = 4
HEARD_AGAIN = "The node is heard again"
RACK_HEARD_AGAIN = "All nodes of the rack are heard again, or left"
DEAF = (
    "nodes elsewhere are not heard either: reflexarc itself may be deaf, "
    "see docs/runbooks/gpu-readings-age.md"
)
LEFT = "The node left: its Auto Scaling group ended it"


def node_is_silent(
    pulse: Pulse, state: NodeState | None, policy: GpuPolicy, now: datetime
) -> Signal:
    """Return the signal that a node is silent; `state` is what it last said, where readable."""
    verdict = _verdict(NODE_RULE, policy)
    labels = {} if state is None else state.labels
    jobs = () if state is None else _jobs(state.gpus)
    signal = _signal(
        ("fire", NODE_RULE, pulse.node, pulse.heard_ms),
        node=pulse.node,
        entity=Entity(kind="node", node=pulse.node, aspect=ASPECT),
        verdict=verdict,
        heard_ms=(pulse.heard_ms, pulse.heard_ms),
        now=now,
    )
    return signal.model_copy(
        update={
            "labels": {**labels, "node": pulse.node, **signal.labels},
            "evidence": _evidence(pulse, state, jobs, now),
            "job": jobs[0] if len(jobs) == 1 else None,
        }
    )


def rack_is_silent(silent: Sequence[Pulse], policy: GpuPolicy, now: datetime) -> Signal:
    """Return the signal that no node of a rack is heard; `silent` are its nodes."""
    rack = silent[0].rack
    heard = [each.heard_ms for each in silent]
    signal = _signal(
        ("fire", RACK_RULE, rack, max(heard)),
        node=rack,
        entity=_rack(rack),
        verdict=_verdict(RACK_RULE, policy),
        heard_ms=(min(heard), max(heard)),
        now=now,
    )
    return signal.model_copy(
        update={
            "labels": {"rack": rack, **signal.labels},
            "marks": (f"{len(silent)} nodes, all that the rack has",),
            "evidence": _roll(silent),
        }
    )


def is_over(ended: Ended, now: datetime) -> Signal:
    """Return the clear of a silence that ended."""
    rule = RACK_RULE if ended.rack else NODE_RULE
    well = LEFT if ended.leavers else HEARD_AGAIN
    verdict = Verdict(
        cause=rule,
        severity=Severity.INFO,
        title=RACK_HEARD_AGAIN if ended.rack else well,
        meaning="",
        action="",
        owner="oncall",
        clears=True,
    )
    labels = {"rack": ended.rack} if ended.rack else {"node": ended.node}
    signal = _signal(
        ("clear", rule, ended.rack or ended.node, ended.seq),
        node=ended.rack or ended.node,
        entity=_rack(ended.rack)
        if ended.rack
        else Entity(kind="node", node=ended.node, aspect=ASPECT),
        verdict=verdict,
        heard_ms=(ended.seq, ended.seq),
        now=now,
    )
    return signal.model_copy(update={"labels": {**labels, **signal.labels}})


def _signal(
    said: tuple[str, str, str, int],
    *,
    node: str,
    entity: Entity,
    verdict: Verdict,
    heard_ms: tuple[int, int],
    now: datetime,
) -> Signal:
    kind, rule, name, seq = said
    first_at, last_at = (from_epoch_ms(each) for each in heard_ms)
    digest = hashlib.sha256(f"{kind}\x1f{rule}\x1f{name}\x1f{seq}".encode()).digest()
    return Signal(
        id=ulid(last_at, digest[:ENTROPY_BYTES]),
        sent_at=now,
        source=Source(node=node),
        kind="clear" if verdict.clears else "fire",
        entity=entity,
        cause=rule,
        severity=verdict.severity,
        title=verdict.title,
        meaning=verdict.meaning,
        action=verdict.action,
        owner=verdict.owner,
        labels={"aspect": ASPECT, "rule": rule},
        first_at=first_at,
        last_at=last_at,
        # The time at which the queue took a reading only grows, whatever boots meanwhile.
        order=Order(boot_id=rule, seq=seq),
        hops=Hops(observed_at=now),
    )


def _rack(rack: str) -> Entity:
    return Entity(kind="rack", device=rack, aspect=ASPECT)


def _verdict(rule: str, policy: GpuPolicy) -> Verdict:
    known = known_rule(rule) or {}
    verdict = Verdict(
        cause=rule,
        severity=Severity(known["severity"]),
        title=known["title"],
        meaning=known["meaning"],
        action=known["action"],
        owner=known["owner"],
    )
    return overridden(verdict, rule, policy)


def _jobs(gpus: Sequence[GpuState]) -> tuple[Job, ...]:
    """Return the jobs that last ran on a node's GPUs, each once."""
    jobs = {gpu.job.id: gpu.job for gpu in gpus if gpu.job is not None and not gpu.job.ended}
    return tuple(jobs.values())


def _evidence(
    pulse: Pulse, state: NodeState | None, jobs: Sequence[Job], now: datetime
) -> tuple[str, ...]:
    heard = from_epoch_ms(pulse.heard_ms)
    ago = timedelta(seconds=(epoch_ms(now) - pulse.heard_ms) // 1000)
    where = f", rack {pulse.rack}" if pulse.rack else ""
    lines = [f"last heard {heard:%Y-%m-%d %H:%M:%S} UTC, {ago.total_seconds():.0f} s ago{where}"]
    if state is None:
        return tuple(lines)
    if state.gpus:
        lines.append(_gpus(state.gpus))
    lines += [_job(job, state.gpus) for job in jobs[: JOBS_SHOWN - 1]]
    if state.agent:
        lines.append(f"agent {state.agent}, boot {state.boot_id or 'unknown'}")
    return tuple(line[:LINE_MAX] for line in lines[:EVIDENCE_MAX])


def _gpus(gpus: Sequence[GpuState]) -> str:
    names = ", ".join(dict.fromkeys(gpu.name for gpu in gpus if gpu.name)) or "unknown"
    ill = [f"{gpu.device} {gpu.health}" for gpu in gpus if gpu.health != "ok"]
    last = f"then {', '.join(ill)}" if ill else "all ok then"
    return f"{len(gpus)} GPUs ({names}), {last}"


def _job(job: Job, gpus: Sequence[GpuState]) -> str:
    held = sum(gpu.job is not None and gpu.job.id == job.id for gpu in gpus)
    words = " ".join(word for word in (job.id, job.name) if word)
    owner = f" of {job.owner}" if job.owner else ""
    return f"job {words}{owner} held {held} GPUs"


def _roll(silent: Sequence[Pulse]) -> tuple[str, ...]:
    """Return the nodes of a rack in as many lines as evidence may have."""
    said = [f"{each.node} (heard {from_epoch_ms(each.heard_ms):%H:%M:%S} UTC)" for each in silent]
    size = -(-len(said) // EVIDENCE_MAX)
    lines = (", ".join(said[start : start + size]) for start in range(0, len(said), size))
    return tuple(line[:LINE_MAX] for line in lines)
