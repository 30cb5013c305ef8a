"""A token bucket: so many requests a minute, with a minute's worth at once. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Bucket:
    """How much may be taken, as of a moment."""

    level: float
    at: datetime


def taken(bucket: Bucket | None, per_minute: int, now: datetime) -> tuple[Bucket, timedelta | None]:
    """Take one; return the bucket and, where it was empty, how long until there is one again."""
    if bucket is None:
        return Bucket(per_minute - 1.0, now), None
    # A clock that jumps backwards must not empty a bucket.
    passed = max(0.0, (now - bucket.at).total_seconds())
    level = min(float(per_minute), bucket.level + passed * per_minute / 60)
    if level < 1:
        return Bucket(level, now), timedelta(seconds=(1 - level) * 60 / per_minute)
    return Bucket(level - 1, now), None
