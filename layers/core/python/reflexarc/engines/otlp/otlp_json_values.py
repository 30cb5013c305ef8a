"""Values of OTLP's JSON form to the bytes of one protobuf field, by the field's type. Pure.

https://protobuf.dev/programming-guides/json/, and where OTLP differs: ids in hex, enums as numbers
(names are taken too, as the Collector takes them). Whatever is of another type is refused.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import math
import re
import struct
from base64 import b64decode
from binascii import unhexlify
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from reflexarc.engines.otlp.wire import varint
from reflexarc.kernel.errors import Rejected

# One value of a field: as its bytes, without tag, None where the field is as good as absent.
Scalar = Callable[[Any], bytes]

# As many as 2^64 has; int() alone would take underscores, spaces and digits of other scripts.
_DIGITS = 20
_INTEGER = re.compile(rf"-?[0-9]{{1,{_DIGITS}}}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONE = re.compile("[\ud800-\udfff]")
_UNENDING = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class WrongJson(Rejected):
    """A document cannot be an export request; says which field is wrong, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self._steps: list[str] = []

    def within(self, step: str) -> "WrongJson":
        """Note the field or the place in a list that this was found in, from the inside out."""
        self._steps.append(step)
        return self

    @property
    def path(self) -> str:
        """Return where it is: resourceSpans[0].scopeSpans[0].spans[3].traceId."""
        return "".join(reversed(self._steps)).removeprefix(".")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self._steps else self.reason


def wrong(expected: str, found: object) -> NoReturn:
    """Raise the refusal of a value that is something else; it is not repeated, for it is logged."""
    raise WrongJson(f"{expected} is expected, not {_KINDS.get(type(found), 'this number')}")


_KINDS: Mapping[type, str] = {
    bool: "true or false",
    dict: "an object",
    list: "a list",
    str: "this string",
    type(None): "null",
}


def text(value: Any) -> bytes:
    """Return a string's UTF-8. Half of a surrogate pair, which JSON can say, becomes U+FFFD.

    Exporters cut long attributes between its halves. Go's decoder, hence the Collector, does so.
    """
    if value.__class__ is not str:
        wrong("a string", value)
    try:
        encoded: bytes = value.encode()
    except UnicodeEncodeError:
        return _LONE.sub("\ufffd", value).encode()
    return encoded


def truth(value: Any) -> bytes:
    """Return a bool."""
    if value.__class__ is not bool:
        wrong("true or false", value)
    return b"\x01" if value else b"\0"


def hexadecimal(value: Any) -> bytes:
    """Return an id. Its length is not judged here."""
    if value.__class__ is not str:
        wrong("a string of hex digits", value)
    try:
        return unhexlify(value)
    except ValueError:
        wrong("a string of hex digits", value)


def base64(value: Any) -> bytes:
    """Return bytes; both alphabets and a missing padding are taken, as protobuf's readers do."""
    if value.__class__ is not str:
        wrong("base64", value)
    plain = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        wrong("base64", value)


def double(value: Any) -> bytes:
    """Return a double: a number, a number in a string, or the name of one that JSON lacks."""
    if value.__class__ is str:
        if value in _UNENDING:
            return struct.pack("<d", _UNENDING[value])
        if not _NUMBER.fullmatch(value):
            wrong("a number", value)
    elif value.__class__ is not float and value.__class__ is not int:
        wrong("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        wrong("a number that a double can hold", value)
    return struct.pack("<d", number)


def integer(value: Any, low: int, high: int) -> int:
    """Return a whole number within bounds: a number, or one in a string."""
    if value.__class__ is str:
        value = int(value) if _is_integer(value) else value
    elif value.__class__ is float and value.is_integer():
        value = int(value)
    if value.__class__ is not int:
        wrong("a whole number", value)
    if not low <= value <= high:
        wrong(f"a number from {low} to {high}", value)
    found: int = value
    return found


def _is_integer(value: str) -> bool:
    # Most have no sign, and need no pattern.
    if value.isdecimal() and value.isascii() and len(value) <= _DIGITS:
        return True
    return _INTEGER.fullmatch(value) is not None


def varints(low: int, high: int) -> Scalar:
    """Return the writer of integers as varints; below zero as their 64-bit complement."""

    def write(value: Any) -> bytes:
        return varint(integer(value, low, high) & 0xFFFF_FFFF_FFFF_FFFF)

    return write


def zigzags(bits: int) -> Scalar:
    """Return the writer of integers that are small on both sides of zero."""
    half = 1 << (bits - 1)

    def write(value: Any) -> bytes:
        number = integer(value, -half, half - 1)
        return varint(number << 1 if number >= 0 else (-number << 1) - 1)

    return write


def fixed(form: str, low: int, high: int) -> Scalar:
    """Return the writer of integers of a fixed size."""
    pack = struct.Struct(form).pack

    def write(value: Any) -> bytes:
        return pack(integer(value, low, high))

    return write


def enums(numbers: Mapping[str, int]) -> Scalar:
    """Return the writer of an enum's values: any number, as protobuf has it, or a known name."""
    half = 1 << 31

    def write(value: Any) -> bytes:
        if value.__class__ is str and value in numbers:
            return varint(numbers[value])
        return varint(integer(value, -half, half - 1) & 0xFFFF_FFFF_FFFF_FFFF)

    return write
