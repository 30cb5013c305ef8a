"""A new boot of a node whose GPUs read well: what earlier boots broke is repaired. Pure.

Two heartbeats of one boot must agree, for the first may be older than the trouble. A GPU that is
missing or ill after the boot is not well, and what is open of it stays open.
"""

import hashlib
from datetime import datetime

from reflexarc.events.envelope import Source
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity, Hops, Order, Signal
from reflexarc.gpu.identity import device_of
from reflexarc.gpu.readings import GpuState, NodeState
from reflexarc.kernel.clock import epoch_ms, from_epoch_ms
from reflexarc.kernel.ids import ENTROPY_BYTES, ulid

RULE = "boot/healthy"
# Whatever this boot says of itself comes after: a clear ends what earlier boots left, and nothing
# that this one brought. Agents count from 1.
SEQ = 0
# A driver that was not loaded until then hides its GPUs for longer than a boot takes.
PATIENCE_MS = 600_000


def is_told(state: NodeState, before: NodeState | None, born: int) -> bool:
    """Return whether it is known by now how a boot's GPUs are; it was first heard at `born`."""
    if not _follows(state, before):
        return False
    known = {gpu.device for gpu in _known(before)}
    all_known = bool(state.gpus) and {gpu.device for gpu in state.gpus} <= known & {
        gpu.device for gpu in _known(state)
    }
    return all_known or epoch_ms(state.queued_at) - born >= PATIENCE_MS


def well_of(state: NodeState, before: NodeState | None) -> tuple[GpuState, ...]:
    """Return the GPUs that two heartbeats in a row found well."""
    was = {gpu.device for gpu in _known(before) if gpu.health == "ok"}
    return tuple(gpu for gpu in state.gpus if gpu.health == "ok" and gpu.device in was)


def is_well(state: NodeState, gpu: GpuState, born: int, now: datetime) -> Signal:
    """Return the clear of one GPU; the same boot gives one of the same id."""
    said = f"{RULE}\x1f{state.node}\x1f{state.boot_id}\x1f{gpu.device}"
    began, at = from_epoch_ms(born), state.queued_at
    return Signal(
        id=ulid(began, hashlib.sha256(said.encode()).digest()[:ENTROPY_BYTES]),
        sent_at=now,
        source=Source(
            node=state.node, agent=state.agent, boot_id=state.boot_id, labels=state.labels
        ),
        kind="clear",
        entity=Entity(kind="gpu", node=state.node, device=_device(gpu), uuid=gpu.uuid),
        cause=RULE,
        severity=Severity.INFO,
        title="The node was booted anew, and this GPU reads well",
        labels={**state.labels, "node": state.node, "gpu": _device(gpu), "rule": RULE},
        evidence=(f"two heartbeats of boot {state.boot_id} read health ok",),
        first_at=began,
        last_at=at,
        order=Order(boot_id=state.boot_id, seq=SEQ),
        hops=Hops(observed_at=at, queued_at=at, received_at=now),
    )


def _follows(state: NodeState, before: NodeState | None) -> bool:
    return before is not None and (before.boot_id, before.seq < state.seq) == (state.boot_id, True)


def _known(state: NodeState | None) -> tuple[GpuState, ...]:
    return () if state is None else tuple(gpu for gpu in state.gpus if gpu.health != "unknown")


def _device(gpu: GpuState) -> str:
    """Return the device as faults name it; a spelling that is none stays as it came."""
    try:
        return device_of(gpu.device)
    except ValueError:
        return gpu.device
