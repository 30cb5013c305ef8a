"""Whether a moment is inside named hours of the week, and when they begin. Pure.

Times are those of a wall clock: `09:00` stays nine in the morning on both sides of a change to or
from summer time. A start that the change skips is taken at the same distance after it; an end that
comes twice counts the second time.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import get_args
from zoneinfo import ZoneInfo

from reflexarc.incidents.document import Day, Hours

_DAYS: tuple[Day, ...] = get_args(Day)
_DAY = timedelta(days=1)


def in_hours(hours: Hours, now: datetime) -> bool:
    """Return whether a moment is inside the hours."""
    return end_of(hours, now) is not None


def end_of(hours: Hours, now: datetime) -> datetime | None:
    """Return when the hours that a moment is inside of end, None when it is outside."""
    today = now.astimezone(zone_of(hours))
    for day in (today, today - _DAY):
        start, end = _window(hours, day)
        if _counts(hours, day) and start <= now < end:
            return end
    return None


def next_start(hours: Hours, now: datetime) -> datetime:
    """Return when the hours begin next, in UTC: always after `now`."""
    today = now.astimezone(zone_of(hours))
    days = (today + number * _DAY for number in range(len(_DAYS) + 2))
    starts = (_window(hours, day)[0] for day in days if _counts(hours, day))
    return next(start for start in starts if start > now)


def zone_of(hours: Hours) -> tzinfo:
    """Return the zone of some hours.

    One that this machine does not know counts as UTC: a push refuses it, and a page must not fail.
    """
    if hours.timezone == "UTC":
        return UTC
    return known_zone(hours.timezone) or UTC


def known_zone(name: str) -> tzinfo | None:
    """Return a zone of the IANA database, None for a name that it does not have."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # A folder of the database ("America") is an OSError, an absolute path a ValueError.
        return None


def _counts(hours: Hours, day: datetime) -> bool:
    return _DAYS[day.weekday()] in hours.days


def _window(hours: Hours, day: datetime) -> tuple[datetime, datetime]:
    """Return the start and end, in UTC, of the hours that begin on a day."""
    start, end = _clock(hours.start), _clock(hours.end)
    last = day if start < end else day + _DAY
    begins = datetime.combine(day.date(), start, day.tzinfo)
    ends = datetime.combine(last.date(), end, last.tzinfo)
    # Times of one zone compare as the wall shows them; only UTC tells which comes first.
    return begins.astimezone(UTC), max(ends.astimezone(UTC), ends.replace(fold=1).astimezone(UTC))


def _clock(written: str) -> time:
    return time.fromisoformat(written)
