"""Unpacks and packs export requests within bounds: no archive grows beyond what is allowed. Pure.

zstd is what batches travel and are archived in; gzip is for backends that take nothing else. At its
fastest level, for the others cost more than the bytes that they save (research: gzip -6 packs
41 MB/s).
"""

import zlib
from collections.abc import Callable, Mapping
from functools import cache

import zstandard

from reflexarc.engines.otlp.zstd import TooLarge, unzstd
from reflexarc.events.packed import Encoding
from reflexarc.kernel.errors import Rejected

# As much as ingest takes, which is what OTLP recommends; a test compares the two.
UNPACKED_MAX = 20 * 1024 * 1024
_GZIP = zlib.MAX_WBITS | 16
_GZIP_MARK, _ZSTD_MARK = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_LEVEL, _GZIP_LEVEL = 3, 1


def unpacked(body: bytes, encoding: Encoding) -> bytes:
    """Return what was packed; raises Rejected where it is too large or not what it says."""
    plain = _UNPACKERS[encoding](body)
    if len(plain) > UNPACKED_MAX:
        raise Rejected(f"the batch unpacks to more than {UNPACKED_MAX:,} bytes")
    return plain


def packed(plain: bytes, encoding: Encoding) -> bytes:
    """Return the request in an encoding."""
    if encoding == "zstd":
        return _compressor().compress(plain)
    return zlib.compress(plain, _GZIP_LEVEL, _GZIP) if encoding == "gzip" else plain


def encoding_of(body: bytes) -> Encoding:
    """Return how an object is packed, by how it begins: no export request begins like an archive.

    An export request begins with the tag of its only field, 0x0A, and its JSON with a brace.
    """
    if body.startswith(_ZSTD_MARK):
        return "zstd"
    return "gzip" if body.startswith(_GZIP_MARK) else "identity"


@cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL)


def _unzstd(body: bytes) -> bytes:
    try:
        return unzstd(body, UNPACKED_MAX)
    except TooLarge as error:
        raise Rejected(f"the batch unpacks to more than {UNPACKED_MAX:,} bytes") from error
    except Rejected as error:
        raise Rejected(f"the batch is not zstd: {error}") from error


def _gunzip(body: bytes) -> bytes:
    archive = zlib.decompressobj(_GZIP)
    try:
        plain = archive.decompress(body, UNPACKED_MAX + 1)
    except zlib.error as error:
        raise Rejected(f"the batch is not gzip: {error}") from error
    if len(plain) <= UNPACKED_MAX and not archive.eof:
        raise Rejected("the gzip batch is cut off")
    if archive.unused_data:
        raise Rejected("bytes follow the end of the gzip batch")
    return plain


_UNPACKERS: Mapping[Encoding, Callable[[bytes], bytes]] = {
    "zstd": _unzstd,
    "gzip": _gunzip,
    "identity": lambda body: body,
}
