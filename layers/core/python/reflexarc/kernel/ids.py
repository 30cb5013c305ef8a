"""Sortable identifiers. Pure: the time and the randomness are arguments.

The format is ULID (48 bits of milliseconds, 80 random bits, Crockford base 32),
https://github.com/ulid/spec. Twelve lines of our own, because every function pays for an import.
"""

import os
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ENTROPY_BYTES = 10
ULID_PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def ulid(now: datetime, entropy: bytes) -> str:
    """Return the 26-character ULID of this instant and these 10 random bytes."""
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << (8 * ENTROPY_BYTES) | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def new_ulid(now: datetime) -> str:
    """Return a fresh ULID; for the edges of the system, where randomness comes from."""
    return ulid(now, os.urandom(ENTROPY_BYTES))
