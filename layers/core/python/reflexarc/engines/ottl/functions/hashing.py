"""Converters that hash a text: FNV, MD5, SHA1, SHA256, SHA512, Murmur3, XXH3. Pure."""

import hashlib
from collections.abc import Callable

from reflexarc.engines.ottl.functions.murmur3 import murmur3_32, murmur3_128
from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.functions.xxh3 import xxh3_64, xxh3_128
from reflexarc.engines.ottl.rendering import octets
from reflexarc.engines.ottl.values import int64

_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 2**64 - 1


def fnv(text: str) -> int:
    """Return FNV-1a of 64 bits."""
    state = _FNV_OFFSET
    for byte in octets(text):
        state = (state ^ byte) * _FNV_PRIME & _MASK
    return int64(state)


def _digest(algorithm: str) -> Callable[[str], str]:
    def digest(text: str) -> str:
        # People fingerprint telemetry with these; nothing is kept secret by them.
        return hashlib.new(algorithm, octets(text), usedforsecurity=False).hexdigest()

    return digest


def _murmur3(text: str) -> str:
    return murmur3_32(octets(text)).to_bytes(4, "little").hex()


def _murmur3_long(text: str) -> str:
    low, high = murmur3_128(octets(text))
    return (low.to_bytes(8, "little") + high.to_bytes(8, "little")).hex()


def _xxh3(text: str) -> str:
    return f"{xxh3_64(octets(text)):016x}"


def _xxh3_long(text: str) -> str:
    return f"{xxh3_128(octets(text)):032x}"


def _hash(name: str, function: Callable[[str], object]) -> Converter:
    result = "int" if name == "FNV" else "string"
    return Converter(name, parameters("target: string"), function, result, total=True)  # type: ignore[arg-type]


CONVERTERS = table(
    _hash("FNV", fnv),
    _hash("MD5", _digest("md5")),
    _hash("SHA1", _digest("sha1")),
    _hash("SHA256", _digest("sha256")),
    _hash("SHA512", _digest("sha512")),
    _hash("Murmur3Hash", _murmur3),
    _hash("Murmur3Hash128", _murmur3_long),
    _hash("XXH3", _xxh3),
    _hash("XXH128", _xxh3_long),
)
