"""No signal, however hostile, makes an incident that its table row or a message cannot hold. Pure.

A transaction holds 4 MB and up to `NOTICES_MAX` notices carry the incident, so its document stays
well under 100 kB. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from reflexarc.events.gpu_faults import Job
from reflexarc.events.signal import EVIDENCE_MAX, Entity, Hops, Order, Signal

TITLE_MAX = 300
TEXT_MAX = 1_000
LABELS_MAX = 24
MARKS_MAX = 12
WORD_MAX = 64
PHRASE_MAX = 200
COUNT_MAX = 10**15

# JSON writes a control character as six bytes; a space reads better than \\u0000 anyway.
_CONTROL = {code: " " for code in (*range(32), 127) if chr(code) not in "\t\n"}


def clip(text: str, limit: int) -> str:
    """Return the text without control characters, cut to a number of bytes, marked if cut."""
    # A character is a byte or more: what lies beyond the limit need not be looked at.
    clean = text[: limit + 1].translate(_CONTROL)
    if len(clean.encode()) <= limit:
        return clean
    return clean.encode()[: limit - 3].decode(errors="ignore") + "…"


def clip_order(order: Order | None) -> Order | None:
    """Return the order with a boot id of bounded length."""
    return Order(boot_id=clip(order.boot_id, WORD_MAX), seq=order.seq) if order else None


def bounded(signal: Signal) -> Signal:
    """Return the signal with every text cut to size; its id, times and identity are untouched."""
    return signal.model_copy(
        update={
            "cause": clip(signal.cause, WORD_MAX),
            "title": clip(signal.title, TITLE_MAX),
            "meaning": clip(signal.meaning, TEXT_MAX),
            "action": clip(signal.action, TEXT_MAX),
            "job": _job(signal.job),
            "labels": join_labels({}, signal.labels),
            "marks": join_marks((), signal.marks),
            "evidence": tuple(clip(line, TEXT_MAX) for line in signal.evidence[:EVIDENCE_MAX]),
            "count": min(signal.count, COUNT_MAX),
            "order": clip_order(signal.order),
            "hops": _hops(signal.hops),
        }
    )


def shown(entity: Entity) -> Entity:
    """Return the entity as an incident shows it; the fingerprint is kept apart, of the original."""
    return Entity(
        kind=entity.kind,
        node=clip(entity.node, 253),
        device=clip(entity.device, PHRASE_MAX),
        uuid=clip(entity.uuid, WORD_MAX),
        aspect=clip(entity.aspect, WORD_MAX),
    )


def join_labels(labels: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Return both, the newer value winning, at most `LABELS_MAX`; the first ones stay."""
    joined = dict(labels)
    for name, value in sorted(more.items()):
        key = clip(name, WORD_MAX)
        if key in joined or len(joined) < LABELS_MAX:
            joined[key] = clip(value, PHRASE_MAX)
    return joined


def join_marks(marks: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Return both without repeats, at most `MARKS_MAX`; the first ones stay."""
    clipped = (clip(mark, PHRASE_MAX) for mark in more)
    return tuple(dict.fromkeys((*marks, *clipped)))[:MARKS_MAX]


def _job(job: Job | None) -> Job | None:
    if job is None:
        return None
    return Job(
        id=clip(job.id, PHRASE_MAX),
        name=clip(job.name, PHRASE_MAX),
        owner=clip(job.owner, PHRASE_MAX),
        namespace=clip(job.namespace, PHRASE_MAX),
        scheduler=job.scheduler,
        workload=clip(job.workload, PHRASE_MAX),
        container=clip(job.container, PHRASE_MAX),
        nodes=clip(job.nodes, PHRASE_MAX),
        rank=clip(job.rank, WORD_MAX),
        ended=job.ended,
    )


def _hops(hops: Hops) -> Hops:
    return Hops(**{name: getattr(hops, name) for name in Hops.model_fields})
