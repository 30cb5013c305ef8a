"""How far this machine's clock is from that of whoever answered."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def skew_s(date: str | None) -> float | None:
    """Return the seconds by which our clock is ahead of a Date header; None where it says none."""
    if not date:
        return None
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return None
