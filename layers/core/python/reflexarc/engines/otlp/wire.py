"""Protobuf's wire form, as far as cutting and joining messages needs it. Pure.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Container, Sequence

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_GROUP, _GROUP_END = 3, 4
_DEEPEST_GROUP = 100  # protobuf's own limit on nesting
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


def read_tag(data: bytes, at: int) -> tuple[int, int]:
    """Return the tag that starts here (field number and wire type) and where its field starts."""
    tag, at = read_varint(data, at)
    if tag < 1 << 3 or tag >= 1 << 32:
        raise Malformed(f"{tag} is no tag of a field")
    return tag, at


def skip_field(data: bytes, at: int, tag: int, depth: int = 0) -> int:
    """Return where the field ends whose tag was just read."""
    kind = tag & 7
    if kind == LENGTH:
        size, at = read_varint(data, at)
        at += size
    elif kind == VARINT:
        at = read_varint(data, at)[1]
    elif kind == FIXED64:
        at += 8
    elif kind == FIXED32:
        at += 4
    elif kind == _GROUP and depth < _DEEPEST_GROUP:
        at = _group_end(data, at, tag, depth)
    else:
        raise Malformed(f"wire type {kind} has no place here")
    if at > len(data):
        raise Malformed("a field is cut off")
    return at


def _group_end(data: bytes, at: int, tag: int, depth: int) -> int:
    while True:
        # Within a group protobuf takes fields of number 0, which it takes nowhere else.
        inner, at = read_varint(data, at)
        if inner == tag + _GROUP_END - _GROUP:
            return at
        at = skip_field(data, at, inner, depth + 1)


def without(
    message: bytes, field: int, gone: Container[int] | None, added: Sequence[bytes] = ()
) -> bytes:
    """Return a message less some of a field's occurrences, by their number, and with others.

    None: all of them go. All else stays byte for byte; what is added stands at the end, which in
    protobuf is no matter.
    """
    pieces: list[bytes | memoryview] = []
    view = memoryview(message)
    at = kept = number = 0
    while at < len(message):
        begin = at
        found, inner = read_tag(message, at)
        at = skip_field(message, inner, found)
        if found == field << 3 | LENGTH:
            if gone is None or number in gone:
                pieces.append(view[kept:begin])
                kept = at
            number += 1
    pieces.append(view[kept:])
    for each in added:
        pieces += field_of(field, each)
    return b"".join(pieces)


def occurrences(message: bytes, field: int) -> list[bytes]:
    """Return what each occurrence of a length-delimited field holds."""
    found, at = [], 0
    while at < len(message):
        mark, inner = read_tag(message, at)
        at = skip_field(message, inner, mark)
        if mark == field << 3 | LENGTH:
            found.append(message[read_varint(message, inner)[1] : at])
    return found
