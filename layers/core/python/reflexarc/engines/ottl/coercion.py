"""What a function's argument must be, and what it may be turned into. Pure.

These are OTTL's getters: the plain ones refuse another type, the `like` ones convert.
https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/expression.go
"""

import re
import struct
from collections.abc import Callable
from math import isfinite
from typing import TypeVar

from reflexarc.engines.ottl.rendering import json_text, octets
from reflexarc.engines.ottl.values import Duration, EvaluationError, Time, type_name

T = TypeVar("T")

_MIN, _MAX = -(2**63), 2**63 - 1
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
_HEX_FLOAT = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+\Z")
_NOT_FINITE = re.compile(r"(?:[+-]?(?:inf|infinity)|nan)\Z", re.IGNORECASE)
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def _only(kind: type[T], name: str) -> Callable[[object], T]:
    def only(value: object) -> T:
        if type(value) is kind:
            return value
        raise EvaluationError(f"expected {name} but got {type_name(value)}")

    return only


string = _only(str, "string")
integer = _only(int, "int")
number = _only(float, "float")
boolean = _only(bool, "bool")
mapping = _only(dict, "map")
sequence = _only(list, "list")
moment = _only(Time, "time")
duration = _only(Duration, "duration")


def anything(value: object) -> object:
    """Take a value as it is."""
    return value


def string_like(value: object) -> str | None:
    """Return a value as text: bytes in hexadecimal, everything else as JSON."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.hex()
    return json_text(value, html=True)


def parsed_int(text: str) -> int | None:
    """Return the number that a text writes in decimal, None where it writes none."""
    if not _INTEGER.match(text) or len(text) > len(str(_MIN)) + 20:
        return None
    result = int(text)
    return result if _MIN <= result <= _MAX else None


def int_like(value: object) -> int | None:
    """Return a value as a whole number, None where there is none in it."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return parsed_int(value)
    if isinstance(value, float):
        # What Go's conversion gives on the machines that people have where it does not fit.
        return int(value) if isfinite(value) and _MIN <= value <= _MAX else _MIN
    raise EvaluationError(f"{type_name(value)} cannot become an int")


def parsed_float(text: str) -> float:
    """Return the number that a text writes, in any form that Go reads."""
    if _FLOAT.match(text) or _NOT_FINITE.match(text):
        result = float(text)
    elif _HEX_FLOAT.match(text):
        result = float.fromhex(text)
    else:
        raise EvaluationError(f"{text[:80]!r} is no number")
    if not isfinite(result) and not _NOT_FINITE.match(text):
        raise EvaluationError(f"{text[:80]!r} is too large")
    return result


def float_like(value: object) -> float | None:
    """Return a value as a number."""
    if value is None or type(value) is float:
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, str):
        return parsed_float(value)
    raise EvaluationError(f"{type_name(value)} cannot become a float")


def bool_like(value: object) -> bool | None:
    """Return a value as true or false."""
    if value is None or type(value) is bool:
        return value
    if isinstance(value, int | float):
        return value != 0
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise EvaluationError(f"{type_name(value)} cannot become a bool")


def bytes_like(value: object) -> bytes:
    """Return a value as bytes, numbers in eight of them with the highest first."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return octets(value)
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        return struct.pack(">q", value)
    if isinstance(value, float):
        return struct.pack(">d", value)
    raise EvaluationError(f"{type_name(value)} cannot become bytes")


COERCIONS: dict[str, Callable[[object], object]] = {
    "any": anything,
    "string": string,
    "int": integer,
    "float": number,
    "bool": boolean,
    "map": mapping,
    "list": sequence,
    "time": moment,
    "duration": duration,
    "string_like": string_like,
    "int_like": int_like,
    "float_like": float_like,
    "bool_like": bool_like,
    "bytes_like": bytes_like,
}
