"""Which readings of a node arrived, which are missing, and which message is the newest. Pure.

Sequence numbers decide inside a boot, and the queue's clock between boots: a node's own clock may
jump when it boots.
"""

from collections.abc import Collection
from dataclasses import dataclass

# Numbers that are remembered as missing, so that one that comes late is taken off the count.
GAPS_KEPT = 40
# More are no losses: an agent that lost its counter goes on far above it (agent/intake.py).
JUMP = 1_000
# A queue hands over out of order by seconds. A lower number so much later is a counter begun anew.
ANEW_MS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The newest message of a node that was kept, and how many before it were lost."""

    boot_id: str
    seq: int
    queued_ms: int
    lost: int = 0
    gaps: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The tally after some messages. `fresh`: their newest is the newest of the node."""

    tally: Tally
    fresh: bool
    lost: int = 0
    recovered: int = 0


def merge(
    known: Tally | None, boot_id: str, seqs: Collection[int], queued_ms: int
) -> Merged | None:
    """Return what messages of one boot change, or None where they say nothing new.

    `seqs` is not empty; `queued_ms` is when the queue took the newest of them.
    """
    if known is None:
        return _begin(0, boot_id, seqs, queued_ms)
    if known.boot_id != boot_id:
        return _begin(known.lost, boot_id, seqs, queued_ms) if queued_ms > known.queued_ms else None
    newest = max(seqs)
    if newest <= known.seq:
        if queued_ms - known.queued_ms > ANEW_MS:
            return _begin(known.lost, boot_id, seqs, queued_ms)
        return _recover(known, known.gaps & set(seqs))
    if min(seqs) - known.seq > JUMP:
        return _begin(known.lost, boot_id, seqs, queued_ms)
    late = known.gaps & set(seqs)
    missing = set(range(known.seq + 1, newest)) - set(seqs)
    tally = Tally(
        boot_id=boot_id,
        seq=newest,
        queued_ms=queued_ms,
        lost=known.lost + len(missing) - len(late),
        gaps=_newest_gaps((known.gaps - late) | missing),
    )
    return Merged(tally=tally, fresh=True, lost=len(missing), recovered=len(late))


def _begin(lost: int, boot_id: str, seqs: Collection[int], queued_ms: int) -> Merged:
    """Start anew; only what is missing between the messages at hand counts as lost."""
    near = [seq for seq in seqs if max(seqs) - seq <= JUMP]
    missing = set(range(min(near), max(near))) - set(seqs)
    tally = Tally(
        boot_id=boot_id,
        seq=max(seqs),
        queued_ms=queued_ms,
        lost=lost + len(missing),
        gaps=_newest_gaps(missing),
    )
    return Merged(tally=tally, fresh=True, lost=len(missing))


def _recover(known: Tally, late: Collection[int]) -> Merged | None:
    if not late:
        return None
    tally = Tally(
        boot_id=known.boot_id,
        seq=known.seq,
        queued_ms=known.queued_ms,
        lost=known.lost - len(late),
        gaps=known.gaps - frozenset(late),
    )
    return Merged(tally=tally, fresh=False, recovered=len(late))


def _newest_gaps(gaps: Collection[int]) -> frozenset[int]:
    return frozenset(sorted(gaps)[-GAPS_KEPT:])
