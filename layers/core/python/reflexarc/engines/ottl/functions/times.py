"""Converters of times and durations: Time, Duration, Hour, UnixNano, TruncateTime..."""

import re
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from reflexarc.engines.ottl.functions.layout import formatted, layout_of
from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.functions.time_parsing import parsed, zone_of
from reflexarc.engines.ottl.values import Duration, EvaluationError, Time, int64

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_LONGEST = 2**63 - 1
# From the first of January of year 1, where Go counts from.
_BEFORE_1970 = 62_135_596_800 * 10**9


def now() -> Time:
    """Return the time on this machine's clock."""
    return Time(time.time_ns())


def duration(text: str) -> Duration:
    """Return the duration that a text like 1h15m30.5s writes."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            break
        total += int(Fraction(part[1].rstrip(".") or "0") * _UNITS[part[2]])
        at = part.end()
    if not rest or at < len(rest):
        raise EvaluationError(f"{text[:80]!r} is no duration")
    if total > _LONGEST:
        raise EvaluationError(f"{text[:80]!r} is too long a duration")
    return Duration(sign * total)


def _time(given: Mapping[str, object]) -> Callable[..., object]:
    """Prepare Time: a format, a zone, a language."""
    layout = layout_of(str(given["format"]))
    zone = zone_of(str(given.get("location", "")))
    locale = str(given.get("locale", "en"))
    if re.split("[-_]", locale)[0].lower() != "en":
        raise ValueError(f"names of months and days are read in English, not in {locale!r}")

    def read(text: str) -> Time:
        if not text:
            raise EvaluationError("a time cannot be empty")
        return parsed(text, layout, zone, now)

    # Without a year the answer changes with the day; else a condition's own times are read once.
    return lru_cache(maxsize=64)(read) if "06" in layout else read


def _format_time(given: Mapping[str, object]) -> Callable[..., object]:
    """Prepare FormatTime."""
    layout = layout_of(str(given["format"]))
    return lambda moment: formatted(moment, layout)


def unix(seconds: int, nanoseconds: int = 0) -> Time:
    """Return the moment so long after 1970."""
    return Time(seconds * 10**9 + nanoseconds)


def truncate(moment: Time, to: Duration) -> Time:
    """Return a moment rounded down to a multiple of a duration."""
    if to.nanoseconds <= 0:
        return moment
    over = (moment.nanoseconds + _BEFORE_1970) % to.nanoseconds
    return Time(moment.nanoseconds - over, moment.zone)


def _whole(unit: int) -> Callable[[Duration], int]:
    def whole(length: Duration) -> int:
        size = abs(length.nanoseconds) // unit
        return size if length.nanoseconds >= 0 else -size

    return whole


def _fractional(unit: int) -> Callable[[Duration], float]:
    def fractional(length: Duration) -> float:
        whole = _whole(unit)(length)
        return whole + (length.nanoseconds - whole * unit) / unit

    return fractional


def _since_1970(unit: int) -> Callable[[Time], int]:
    return lambda moment: int64(moment.nanoseconds // unit)


def _part(name: str, read: Callable[[Time], int]) -> Converter:
    return Converter(name, parameters("time: time"), read, "int")


def _measure(name: str, read: Callable[[Duration], object]) -> Converter:
    result = "float" if name in {"Hours", "Minutes", "Seconds"} else "int"
    return Converter(name, parameters("duration: duration"), read, result, total=True)  # type: ignore[arg-type]


CONVERTERS = table(
    Converter("Now", (), now, "time", total=True, pure=False),
    Converter("Duration", parameters("duration: string"), duration, "duration"),
    Converter(
        "Time",
        parameters("time: string, format: text, location: text?, locale: text?"),
        _time,
        "time",
        pure=False,
        static=("format", "location", "locale"),
    ),
    Converter(
        "FormatTime",
        parameters("time: time, format: text"),
        _format_time,
        "string",
        static=("format",),
    ),
    Converter("Unix", parameters("seconds: int, nanoseconds: int?"), unix, "time", total=True),
    Converter("TruncateTime", parameters("time: time, duration: duration"), truncate, "time"),
    _part("Year", lambda moment: moment.calendar().year),
    _part("Month", lambda moment: moment.calendar().month),
    _part("Day", lambda moment: moment.calendar().day),
    _part("Weekday", lambda moment: moment.calendar().isoweekday() % 7),
    _part("Hour", lambda moment: moment.calendar().hour),
    _part("Minute", lambda moment: moment.calendar().minute),
    _part("Second", lambda moment: moment.calendar().second),
    _part("Nanosecond", lambda moment: moment.nanoseconds % 10**9),
    _part("UnixNano", _since_1970(1)),
    _part("UnixMicro", _since_1970(10**3)),
    _part("UnixMilli", _since_1970(10**6)),
    _part("UnixSeconds", _since_1970(10**9)),
    _measure("Hours", _fractional(3600 * 10**9)),
    _measure("Minutes", _fractional(60 * 10**9)),
    _measure("Seconds", _fractional(10**9)),
    _measure("Milliseconds", _whole(10**6)),
    _measure("Microseconds", _whole(10**3)),
    _measure("Nanoseconds", _whole(1)),
)
