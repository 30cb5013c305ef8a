"""Attributes as the plain schema reads them: what the fast maps cannot tell exactly.

A map keeps the last of two equal keys, where the Collector takes the first. And of a KeyValue whose
value is written twice it keeps the last, where protobuf merges the two. Where the last is a text, a
number, a truth value or bytes, that is the same; where it is a list, a map or nothing, it need not
be, and the item is read again.
"""

from typing import Any

# The tags of AnyValue's string, bool, int, double and bytes value: one replaces another.
_SCALARS = frozenset({b"\x0a", b"\x10", b"\x18", b"\x21", b"\x3a"})


class Exact(bytes):
    """A value's bytes by the plain schema: nothing is merged into it any more."""

    __slots__ = ()


class Merged(Exception):
    """The bytes of a value may be only a part of it: read the item by the plain schema."""


def check_whole(raw: bytes | None) -> None:
    """Raise Merged where a value that a map gave may be only the last part of it."""
    if raw is not None and not isinstance(raw, Exact) and raw[:1] not in _SCALARS:
        raise Merged


def plain_attributes(item: Any) -> dict[str, bytes]:
    """Return the bytes of the values of an item of the plain schema; of equal keys the first."""
    first: dict[str, bytes] = {}
    for each in item.attributes:
        if each.key not in first:
            first[each.key] = Exact(each.value.SerializeToString())
    return first
