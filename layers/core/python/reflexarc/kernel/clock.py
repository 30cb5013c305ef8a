"""Time at the edges: rules take it as an argument, services take it from a Clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the current instant, aware and in UTC."""
    return datetime.now(UTC)


def from_epoch_ms(milliseconds: int) -> datetime:
    """Return the UTC instant of a Unix time in milliseconds (what SQS stamps)."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def epoch_ms(instant: datetime) -> int:
    """Return the Unix time of an instant in whole milliseconds."""
    return round(instant.timestamp() * 1000)
