"""Converters between types: Int, Double, Bool, String, Hex, Log, Coalesce. Pure."""

import math
from collections.abc import Callable

from reflexarc.engines.ottl.coercion import bool_like, float_like, int_like, string_like
from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.rendering import octets
from reflexarc.engines.ottl.values import EvaluationError

_HIGHEST_BASE = 36
_MIN, _MAX = -(2**63), 2**63 - 1
_PREFIXES = {"0b": 2, "0o": 8, "0x": 16}


def logarithm(value: float | None) -> float:
    """Return the natural logarithm."""
    if value is None or not value > 0:
        raise EvaluationError(f"no logarithm of {value}")
    return math.log(value)


def coalesce(values: list[Callable[[], object]]) -> object:
    """Return the first value that is not nil; those behind it are not looked at."""
    for value in values:
        found = value()
        if found is not None:
            return found
    return None


def parse_int(text: str, base: int) -> int:
    """Return the number that a text writes in a base; base 0 takes it from a prefix (0x, 0b, 0)."""
    digits = text.lstrip("+-") if text[:2] not in {"+-", "-+", "--", "++"} else ""
    lowest = digits.lower()
    if base == 0 and lowest[:1] == "0" and len(lowest) > 1:
        prefix = _PREFIXES.get(lowest[:2])
        base, digits = (prefix, digits[2:]) if prefix else (8, digits[1:])
        digits = digits.replace("_", "")
    elif base == 0:
        base, digits = 10, digits.replace("_", "")
    if base == 1 or not 0 <= base <= _HIGHEST_BASE:
        raise EvaluationError(f"{base} is no base of numbers")
    if not digits.isalnum() or not digits.isascii():
        raise EvaluationError(f"{text[:80]!r} is no number in base {base}")
    result = int(octets(digits), base) * (-1 if text[0] == "-" else 1)
    if not _MIN <= result <= _MAX:
        raise EvaluationError(f"{text[:80]!r} is too large")
    return result


CONVERTERS = table(
    Converter("Int", parameters("target: int_like"), int_like, "int", nullable=True, total=True),
    Converter(
        "Double", parameters("target: float_like"), float_like, "float", nullable=True, total=True
    ),
    Converter(
        "Bool", parameters("target: bool_like"), bool_like, "bool", nullable=True, total=True
    ),
    Converter(
        "String",
        parameters("target: string_like"),
        string_like,
        "string",
        nullable=True,
        total=True,
    ),
    Converter("Hex", parameters("target: bytes_like"), bytes.hex, "string", total=True),
    Converter("Log", parameters("target: float_like"), logarithm, "float"),
    Converter("Coalesce", parameters("values: lazy[]"), coalesce, "any", nullable=True, total=True),
    Converter("ParseInt", parameters("target: string, base: int"), parse_int, "int"),
)
