"""A text that tells a time is read by Go's layouts. Pure, but for years that a text leaves out.

What Go's time.ParseInLocation accepts: https://go.dev/src/time/format.go
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reflexarc.engines.ottl.functions.layout import DAYS, MONTHS, SECOND, elements
from reflexarc.engines.ottl.values import EvaluationError, Time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CENTURY_TURNS = 69
_NOON, _LAST_HOUR, _SIXTY = 12, 23, 60
_AHEAD = timedelta(days=7)
_NAMED_ZONE = re.compile(
    r"ChST|MeST|GMT[+-][0-9]{1,2}|[+-][0-9]{2}(?:[0-9]{2})?|WITA(?![A-Z])"
    r"|[A-Z]{4}T(?![A-Z])|[A-Z]{3}T(?![A-Z])|[A-Z]{3}(?![A-Z])"
)
# Digits that an element takes: exactly, or from one to two.
_FIXED = {"01": 2, "02": 2, "03": 2, "04": 2, "05": 2, "06": 2, "2006": 4, "002": 3}
_NAMES = {
    "2006": "year", "06": "year", "01": "month", "1": "month", "02": "day", "_2": "day",
    "2": "day", "002": "yday", "__2": "yday", "15": "hour", "03": "half", "3": "half",
    "04": "minute", "4": "minute", "05": "second", "5": "second",
}  # fmt: skip
_RANGES = {
    "month": (1, 12), "hour": (0, _LAST_HOUR), "half": (0, _NOON), "minute": (0, 59),
    "second": (0, 59), "yday": (1, 366),
}  # fmt: skip


def zone_of(location: str) -> tzinfo:
    """Return a zone by its name; raises ValueError where there is none of this name."""
    if location in {"", "UTC"}:
        return UTC
    try:
        return ZoneInfo(location)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{location!r} is no time zone") from None


@dataclass(slots=True)
class _Reading:
    """What is left of a text, and what was read."""

    text: str
    fields: dict[str, int]
    zone: tzinfo | None = None
    zone_name: str = ""

    def fail(self, wanted: str) -> EvaluationError:
        return EvaluationError(f"expected {wanted} at {self.text[:80]!r} of a time")

    def skip(self, prefix: str) -> None:
        for character in re.sub(" +", " ", prefix):
            if character == " ":
                if self.text and not self.text.startswith(" "):
                    raise self.fail("a space")
                self.text = self.text.lstrip(" ")
            elif self.text.startswith(character):
                self.text = self.text[1:]
            else:
                raise self.fail(repr(character))

    def take(self, pattern: str, wanted: str) -> str:
        match = re.match(pattern, self.text)
        if match is None:
            raise self.fail(wanted)
        self.text = self.text[match.end() :]
        return match[0]


def parsed(text: str, layout: str, zone: tzinfo, now: Callable[[], Time]) -> Time:
    """Return the moment that a text tells; one without a year is the latest of its kind."""
    reading = _read(text, layout)
    name = reading.zone_name
    if reading.zone is None and name and name != _name_in(zone, reading):
        # The zone that was asked for does not know the abbreviation: the zone of that name does.
        try:
            zone = zone_of(name)
        except ValueError as error:
            raise EvaluationError(str(error)) from None
    return _moment(reading, reading.zone or zone, now)


def _read(text: str, layout: str) -> _Reading:
    reading = _Reading(text, {})
    fraction_follows = _fractions(layout)
    for number, (prefix, element) in enumerate(elements(layout)):
        reading.skip(prefix)
        if element:
            _element(reading, element, fraction_follows=fraction_follows[number])
    if reading.text:
        raise EvaluationError(f"{reading.text[:80]!r} is more than the time's format holds")
    return reading


def _fractions(layout: str) -> list[bool]:
    """Tell for each element whether a fraction stands directly behind it."""
    parts = list(elements(layout))
    behind = [*parts[1:], ("", "")]
    return [not prefix and element[:1] in {".", ","} for prefix, element in behind]


def _element(reading: _Reading, element: str, *, fraction_follows: bool) -> None:
    if element in MONTHS:
        reading.fields["month"] = 1 + _name(reading, MONTHS[element])
    elif element in DAYS:
        _name(reading, DAYS[element])
    elif element in _NAMES:
        _number(reading, element)
        if element in {"05", "5"} and not fraction_follows:
            _fraction(reading, optional=True)
    elif element in {"PM", "pm"}:
        letter = "[AP]M" if element == "PM" else "[ap]m"
        reading.fields["noon"] = int(reading.take(letter, element).lower() == "pm")
    elif element[0] in ".,":
        _fraction(reading, optional=element[1] == "9", digits=len(element) - 1)
    elif element == "MST":
        _named_zone(reading)
    else:
        _offset(reading, element)


def _name(reading: _Reading, names: list[str]) -> int:
    text = reading.text.lower()
    for number, name in enumerate(names):
        if text.startswith(name.lower()):
            reading.text = reading.text[len(name) :]
            return number
    raise reading.fail(f"one of {', '.join(names)}")


def _number(reading: _Reading, element: str) -> None:
    if element in {"_2", "__2"}:
        reading.text = reading.text.lstrip(" ")
    size = _FIXED.get(element)
    pattern = f"[0-9]{{{size}}}" if size else "[0-9]{1,3}" if element == "__2" else "[0-9]{1,2}"
    number = int(reading.take(pattern, "digits"))
    name = _NAMES[element]
    if element == "06":
        number += 1900 if number >= _CENTURY_TURNS else 2000
    low, high = _RANGES.get(name, (number, number))
    if not low <= number <= high:
        raise EvaluationError(f"{name} {number} is out of range")
    reading.fields["hour" if name == "half" else name] = number


def _fraction(reading: _Reading, *, optional: bool, digits: int = 0) -> None:
    if optional and not re.match("[.,][0-9]", reading.text):
        return
    count = "+" if optional else f"{{{digits}}}"
    text = reading.take(f"[.,][0-9]{count}", "a fraction of a second")
    reading.fields["nanosecond"] = int(text[1:10].ljust(9, "0"))


def _named_zone(reading: _Reading) -> None:
    if reading.text.startswith("UTC"):
        reading.text = reading.text[3:]
        reading.zone = UTC
        return
    match = _NAMED_ZONE.match(reading.text)
    if match is None:
        raise reading.fail("a time zone")
    reading.text = reading.text[match.end() :]
    reading.zone_name = match[0]
    if match[0].startswith("GMT"):
        hours = int(match[0][3:] or 0)
        reading.zone = timezone(timedelta(hours=hours), match[0])


def _offset(reading: _Reading, element: str) -> None:
    if element[0] == "Z" and reading.text.startswith("Z"):
        reading.text = reading.text[1:]
        reading.zone = UTC
        return
    pattern = "[+-]" + element[1:].replace("07", "[0-9]{2}").replace("00", "[0-9]{2}")
    text = reading.take(pattern, "an offset")
    digits = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > _LAST_HOUR or minutes >= _SIXTY or seconds >= _SIXTY:
        raise EvaluationError(f"offset {text} is out of range")
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    reading.zone = timezone(-size if text[0] == "-" else size)


def _name_in(zone: tzinfo, reading: _Reading) -> str:
    return _local(reading.fields, zone, reading.fields.get("year", 0) or 1970).tzname() or ""


def _moment(reading: _Reading, zone: tzinfo, now: Callable[[], Time]) -> Time:
    year = reading.fields.get("year", 0)
    local = _local(reading.fields, zone, year or now().calendar().year)
    if not year and local > now().calendar() + _AHEAD:
        # As rfc3164 has it: a date that lies ahead is one of last year.
        local = _local(reading.fields, zone, local.year - 1)
    since = local - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return Time(seconds * SECOND + reading.fields.get("nanosecond", 0), zone)


def _local(fields: dict[str, int], zone: tzinfo, year: int) -> datetime:
    month, day = fields.get("month", 1), fields.get("day", 1)
    if "yday" in fields:
        date = datetime(year, 1, 1, tzinfo=zone) + timedelta(days=fields["yday"] - 1)
        month, day = date.month, date.day
    hour = fields.get("hour", 0)
    if "noon" in fields:
        hour = hour % _NOON + _NOON * fields["noon"] if hour <= _NOON else hour
    if not 1 <= day <= monthrange(year, month)[1]:
        raise EvaluationError(f"day {day} is out of range")
    return datetime(
        year, month, day, hour, fields.get("minute", 0), fields.get("second", 0), tzinfo=zone
    )
