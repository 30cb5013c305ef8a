"""Bytes, numbers, shares and dollars as people read them in a table."""

from datetime import timedelta
from decimal import Decimal

_THOUSAND, _TEN = 1_000, 10
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def size_of(size: int | None) -> str:
    """Return bytes with two or three digits and a unit."""
    if size is None:
        return "unknown"
    amount, units = float(size), list(_UNITS)
    while amount >= _THOUSAND and len(units) > 1:
        amount /= _THOUSAND
        units.pop(0)
    places = 1 if amount < _TEN and units[0] != "B" else 0
    return f"{amount:,.{places}f} {units[0]}"


def compact(number: int) -> str:
    """Return a number with few digits, for where there is little room."""
    if number < _THOUSAND * _TEN:
        return f"{number:,}"
    return size_of(number).rstrip("B").replace("k", " k").replace("  ", " ")


def dollars(usd: Decimal | None) -> str:
    """Return money; what is not known is not $0, and what is little is not nothing."""
    if usd is None:
        return "unknown"
    if 0 < usd < Decimal("0.01"):
        return "< $0.01"
    return f"${usd:,.2f}" if usd < _THOUSAND else f"${usd:,.0f}"


def share(part: int, whole: int) -> str:
    """Return a share in percent; a small one is not none."""
    if not part:
        return "0 %"
    percent = 100 * part / whole
    return "< 0.1 %" if percent < 0.1 else f"{percent:.1f} %"  # noqa: PLR2004 - as it says


def lasting(span: timedelta) -> str:
    """Return how long something lasted."""
    if span < _SECOND:
        return f"{span / _SECOND * _THOUSAND:.0f} ms"
    if span < _MINUTE:
        return f"{span.total_seconds():.1f} s"
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if span >= unit:
            return f"{span / unit:.1f} {name}"
    return ""
