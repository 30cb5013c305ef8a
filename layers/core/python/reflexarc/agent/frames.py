"""Records in a file that may end anywhere: length and CRC in front of each. Pure.

A process can die between any two bytes of a write, and a disk can fill up there. A frame whose
length or CRC does not fit is skipped, and reading goes on at the next intact one.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = b"\xabRX1"
_HEADER = struct.Struct(">4sII")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True)
class Frame:
    """One intact record and where its frame starts in the file."""

    offset: int
    payload: bytes

    @property
    def length(self) -> int:
        """Return the bytes that the frame takes up in the file."""
        return HEADER_BYTES + len(self.payload)


def frame(payload: bytes) -> bytes:
    """Return the payload with its header."""
    return _HEADER.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


def scan(data: bytes) -> Iterator[Frame]:
    """Return every intact frame, in order, whatever stands between them."""
    offset = data.find(_MAGIC)
    while offset >= 0:
        payload = _payload_at(data, offset)
        if payload is None:
            offset = data.find(_MAGIC, offset + 1)
            continue
        found = Frame(offset, payload)
        yield found
        offset = data.find(_MAGIC, offset + found.length)


def _payload_at(data: bytes, offset: int) -> bytes | None:
    if offset + HEADER_BYTES > len(data):
        return None
    _, length, checksum = _HEADER.unpack_from(data, offset)
    payload = data[offset + HEADER_BYTES : offset + HEADER_BYTES + length]
    intact = len(payload) == length and zlib.crc32(payload) == checksum
    return payload if intact else None
