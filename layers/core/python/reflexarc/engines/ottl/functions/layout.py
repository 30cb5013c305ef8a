"""Times as text and back, by Go's layouts, into which strptime's directives are turned. Pure.

https://pkg.go.dev/time#pkg-constants, and the directives:
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/internal/coreinternal/timeutils
"""

import re
from calendar import day_abbr, day_name, month_abbr, month_name
from collections.abc import Iterator

from reflexarc.engines.ottl.values import Time

SECOND = 1_000_000_000

_DIRECTIVES = {
    "Y": "2006", "y": "06", "m": "01", "o": "_1", "q": "1", "b": "Jan", "h": "Jan",
    "B": "January", "d": "02", "e": "_2", "g": "2", "a": "Mon", "A": "Monday", "H": "15",
    "l": "3", "I": "03", "p": "PM", "P": "pm", "M": "04", "S": "05", "L": "999", "f": "999999",
    "s": "999999999", "Z": "MST", "z": "Z0700", "w": "-070000", "i": "-07", "j": "-07:00",
    "k": "-07:00:00", "D": "01/02/2006", "x": "01/02/2006", "F": "2006-01-02", "T": "15:04:05",
    "X": "15:04:05", "r": "03:04:05 pm", "R": "15:04", "n": "\n", "t": "\t", "%": "%",
    "c": "Mon Jan 02 15:04:05 2006",
}  # fmt: skip
_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|[345]|PM|pm"
    r"|[-Z]07(?:0000|:00:00|00|:00)?|[.,](?:0+|9+)(?![0-9])"
)
MONTHS = {"January": list(month_name)[1:], "Jan": list(month_abbr)[1:]}
DAYS = {"Monday": list(day_name), "Mon": list(day_abbr)}


def layout_of(directives: str) -> str:
    """Return Go's layout for a format of strptime; raises ValueError on an unknown directive."""

    def replaced(match: re.Match[str]) -> str:
        if match[1] not in _DIRECTIVES:
            raise ValueError(f"%{match[1]} is no directive of a time")
        return _DIRECTIVES[match[1]]

    if not directives:
        raise ValueError("a time's format cannot be empty")
    return re.sub("%(.)", replaced, directives)


def elements(layout: str) -> Iterator[tuple[str, str]]:
    """Yield a layout's parts: the text before an element and the element, empty at the end."""
    at = 0
    for match in _ELEMENT.finditer(layout):
        yield layout[at : match.start()], match[0]
        at = match.end()
    yield layout[at:], ""


def formatted(moment: Time, layout: str) -> str:
    """Return a moment as a layout shows it."""
    shown = _shown(moment)
    return "".join(
        prefix + (shown[element] if element in shown else _varying(moment, element))
        for prefix, element in elements(layout)
    )


def _shown(moment: Time) -> dict[str, str]:
    local = moment.calendar()
    day_of_year = local.timetuple().tm_yday
    hour = local.hour % 12 or 12
    return {
        "": "",
        "2006": f"{local.year:04}", "06": f"{local.year % 100:02}",
        "January": month_name[local.month], "Jan": month_abbr[local.month],
        "01": f"{local.month:02}", "1": str(local.month),
        "Monday": day_name[local.weekday()], "Mon": day_abbr[local.weekday()],
        "02": f"{local.day:02}", "_2": f"{local.day:2}", "2": str(local.day),
        "002": f"{day_of_year:03}", "__2": f"{day_of_year:3}",
        "15": f"{local.hour:02}", "03": f"{hour:02}", "3": str(hour),
        "04": f"{local.minute:02}", "4": str(local.minute),
        "05": f"{local.second:02}", "5": str(local.second),
        "PM": "AM" if local.hour < 12 else "PM", "pm": "am" if local.hour < 12 else "pm",  # noqa: PLR2004 - noon
    }  # fmt: skip


def _varying(moment: Time, element: str) -> str:
    """Return what an element shows that has several forms: a fraction or a zone."""
    if element[0] in ".,":
        digits = f"{moment.nanoseconds % SECOND:09}"[: len(element) - 1]
        if element[1] == "9":
            digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    local = moment.calendar()
    offset = local.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    if element == "MST":
        return _zone_name(local.tzname() or "", seconds)
    if element[0] == "Z" and not seconds:
        return "Z"
    sign, size = "-" if seconds < 0 else "+", abs(seconds)
    hours, minutes, rest = f"{size // 3600:02}", f"{size // 60 % 60:02}", f"{size % 60:02}"
    colon = ":" if ":" in element else ""
    parts = {3: [hours], 5: [hours, minutes], 6: [hours, minutes]}
    return sign + colon.join(parts.get(len(element), [hours, minutes, rest]))


def _zone_name(name: str, seconds: int) -> str:
    if name and not name.startswith("UTC"):
        return name
    if not seconds:
        return "UTC"
    sign, size = "-" if seconds < 0 else "+", abs(seconds)
    minutes = f"{size // 60 % 60:02}" if size // 60 % 60 else ""
    return f"{sign}{size // 3600:02}{minutes}"
