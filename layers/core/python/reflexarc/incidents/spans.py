"""Spans of time as people write them in a configuration: 90s, 10m, 4h, 2d."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_SPAN = re.compile(r"([1-9][0-9]{0,5})\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span_of(written: object) -> timedelta:
    """Return the span; raises ValueError, in words for an operator, for anything else."""
    if isinstance(written, timedelta):
        return written
    found = _SPAN.fullmatch(str(written).strip())
    if found is None:
        raise ValueError("write a span as 90s, 10m, 4h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Span = Annotated[
    timedelta,
    BeforeValidator(span_of),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[1-9][0-9]{0,5}\s*(s|m|h|d)\s*$"}),
]
