"""Protobuf's wire form, as far as cutting and joining messages needs it. Pure.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Sequence

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


class Malformed(ValueError):
    """These bytes are no protobuf message."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that starts here and where the next thing starts."""
    value = shift = 0
    try:
        for place in range(at, at + _LONGEST_VARINT):
            byte = data[place]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the bit that says: more follows
                return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
            shift += 7
    except IndexError:
        raise Malformed("a number is cut off") from None
    raise Malformed("a number has more than ten bytes")


def varint(number: int) -> bytes:
    """Return a number in 0..2^64-1 as few bytes as it takes."""
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def tag(field: int, kind: int) -> bytes:
    """Return what stands before a field of this number and wire type."""
    return varint(field << 3 | kind)


def field_of(field: int, *parts: bytes | memoryview) -> Sequence[bytes | memoryview]:
    """Return a length-delimited field made of parts, not joined."""
    return (tag(field, LENGTH) + varint(sum(map(len, parts))), *parts)
