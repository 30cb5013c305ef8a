"""What a person may silence, and for how long. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from reflexarc.events.page import Silence
from reflexarc.incidents.limits import clip
from reflexarc.kernel.errors import Rejected

# What must be quiet for longer is no silence but a decision: write it into the configuration.
LONGEST = timedelta(days=30)
LABELS_MAX = 16
NAME_MAX = 128
VALUE_MAX = 256
AUTHOR_MAX, REASON_MAX = 200, 500


def labels_from(written: Iterable[str]) -> dict[str, str]:
    """Return the labels of name=value texts; raises Rejected, in words, for anything else."""
    labels: dict[str, str] = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise Rejected(f"{clip(text, 60)!r} is no label: write it as node=gpu-7")
        if name in labels:
            raise Rejected(f"label {clip(name, 60)} is named twice: * stands for any text")
        if len(name) > NAME_MAX or len(value) > VALUE_MAX:
            raise Rejected(
                f"label {clip(name, 60)} is too long: its name may have {NAME_MAX} characters,"
                f" its value {VALUE_MAX}"
            )
        labels[name] = value
    return labels


def silence_of(
    labels: Mapping[str, str],
    *,
    lasts: timedelta,
    reason: str,
    author: str,
    now: datetime,
    silence_id: str,
) -> Silence:
    """Return a new silence that begins now; raises Rejected, in words, for one that may not be."""
    if not any(value.strip("*") for value in labels.values()):
        raise Rejected("name what to silence: at least one --label with more than * as its value")
    if len(labels) > LABELS_MAX:
        raise Rejected(f"a silence has at most {LABELS_MAX} labels")
    if not timedelta(0) < lasts <= LONGEST:
        raise Rejected(f"a silence must end: within {LONGEST.days} days, and not before it begins")
    if not reason.strip():
        raise Rejected("say why: whoever is not paged will want to know")
    return Silence(
        id=silence_id,
        labels=dict(labels),
        starts_at=now,
        ends_at=now + lasts,
        author=clip(author, AUTHOR_MAX),
        reason=clip(reason.strip(), REASON_MAX),
        created_at=now,
    )


def covered_by(silence: Silence, others: Iterable[Silence]) -> Silence | None:
    """Return a silence that keeps quiet all that this one would, None where it is needed."""
    for other in others:
        wider = other.labels.items() <= silence.labels.items()
        longer = other.starts_at <= silence.starts_at and silence.ends_at <= other.ends_at
        if wider and longer and not other.expired_by and other.id != silence.id:
            return other
    return None


def ended(silence: Silence, by: str, now: datetime) -> Silence:
    """Return the silence as somebody ended it; raises Rejected where it is over already."""
    if silence.ends_at <= now:
        by_whom = f" by {silence.expired_by}" if silence.expired_by else ""
        raise Rejected(f"silence {silence.id} is over already: it ended{by_whom}")
    starts_at = min(silence.starts_at, now)
    changed = {"starts_at": starts_at, "ends_at": now, "expired_by": clip(by, AUTHOR_MAX)}
    return silence.model_copy(update=changed)


def only(beginning: str, silences: Sequence[Silence]) -> Silence:
    """Return the silence whose id begins so; raises Rejected where none or several do."""
    if not beginning.strip():
        raise Rejected("which silence? see `reflexarc silence list`")
    found = [silence for silence in silences if silence.id.startswith(beginning.upper())]
    if len(found) == 1:
        return found[0]
    problem = "several silences begin" if found else "there is no silence that begins"
    raise Rejected(f"{problem} with {clip(beginning, 60)}: see `reflexarc silence list --all`")
