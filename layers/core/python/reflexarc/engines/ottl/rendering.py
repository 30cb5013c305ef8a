"""Values as text, letter for letter as the Collector writes them. Pure.

It writes JSON with Go's encoder: keys sorted, no spaces, numbers in the shortest form.
"""

import base64
import json
from decimal import Decimal
from math import isfinite

from reflexarc.engines.ottl.values import Duration, EvaluationError, Id, Time, type_name

_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-6, 1e21
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_LINES = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})
_SECOND = 1_000_000_000


def octets(text: str) -> bytes:
    """Return a text as UTF-8; bytes that were none come back as they were."""
    return text.encode("utf-8", "surrogateescape")


def from_octets(data: bytes) -> str:
    """Return bytes as a text that `octets` turns back."""
    return data.decode("utf-8", "surrogateescape")


def float_text(number: float) -> str:
    """Return a number as JSON has it, with an exponent only where it is very small or large."""
    if number == 0:
        return "-0" if str(number) == "-0.0" else "0"
    size = abs(number)
    if _SMALLEST_PLAIN <= size < _LARGEST_PLAIN:
        plain = f"{Decimal(repr(number)):f}"
        return plain.removesuffix(".0")
    # Python's shortest form has an exponent too where it comes to this.
    digits, _, exponent = repr(number).partition("e")
    sign, power = exponent[:1], exponent.lstrip("+-0")
    # Go writes two digits of a positive exponent, and one of a negative if one is enough.
    return f"{digits.removesuffix('.0')}e{sign if sign == '-' else '+'}{power}"


def json_text(value: object, *, html: bool) -> str:
    """Return a value as JSON; `html` hides what has a meaning in a page."""
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False).translate(_LINES)
        return quoted.translate(_HTML) if html else quoted
    if isinstance(value, dict):
        items = (
            f"{json_text(key, html=html)}:{json_text(value[key], html=html)}"
            for key in sorted(value)
        )
        return f"{{{','.join(items)}}}"
    if isinstance(value, list):
        return f"[{','.join(json_text(item, html=html) for item in value)}]"
    return _scalar_json(value)


def _scalar_json(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if isfinite(value):
            return float_text(value)
        case bytes():
            return f'"{base64.b64encode(value).decode()}"'
        case _:
            return _special_json(value)


def _special_json(value: object) -> str:
    match value:
        case Id(octets=data):
            return f"[{','.join(map(str, data))}]"
        case Duration(nanoseconds=nanoseconds):
            return str(nanoseconds)
        case Time():
            return f'"{rfc3339(value)}"'
        case _:
            raise EvaluationError(f"{type_name(value)} cannot be written as text: {value!r:.80}")


def rfc3339(moment: Time) -> str:
    """Return a moment as 2006-01-02T15:04:05.999999999Z07:00, without zeroes at the end."""
    local = moment.calendar()
    text = f"{local.year:04}-{local:%m-%dT%H:%M:%S}"
    fraction = f"{moment.nanoseconds % _SECOND:09}".rstrip("0")
    offset = f"{local:%z}"
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return text + (f".{fraction}" if fraction else "") + zone


def field_text(value: object) -> str:
    """Return a value as pdata's AsString has it: that of nil is empty, bytes are base64."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not isfinite(value):
        names = {"inf": "Infinity", "-inf": "-Infinity"}
        return names.get(str(value), "NaN")
    return json_text(value, html=False)
