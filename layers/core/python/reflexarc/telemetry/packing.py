"""Unpacks and packs export requests within bounds: no archive grows beyond what is allowed. Pure.

zstd is what batches travel and are archived in; gzip is for backends that take nothing else. At its
fastest level, for the others cost more than the bytes that they save (research: gzip -6 packs
41 MB/s).
"""

import zlib
from collections.abc import Callable, Mapping
from functools import cache

import zstandard

from reflexarc.events.otlp_batch import Encoding
from reflexarc.kernel.errors import Rejected

# As much as ingest takes, which is what OTLP recommends; a test compares the two.
UNPACKED_MAX = 20 * 1024 * 1024
# A window of a writer that knows no size may be as large as the batch.
WINDOW_MAX = UNPACKED_MAX
# So much at a time: four bytes may unpack to 128 KiB, so this is 16 MiB at the worst.
# https://github.com/facebook/zstd/blob/dev/doc/zstd_compression_format.md#blocks
_FED = 512
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
    """Return the content of the one frame that a batch is."""
    try:
        size = zstandard.frame_content_size(body)
        if size > UNPACKED_MAX:
            raise Rejected(f"the batch unpacks to more than {UNPACKED_MAX:,} bytes")
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX)
        if size < 0:
            return _streamed(body, unpacker)
        return unpacker.decompress(body, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Rejected(f"the batch is not zstd: {error}") from error


def _streamed(body: bytes, unpacker: zstandard.ZstdDecompressor) -> bytes:
    """Return the content of a frame that does not say how large it is, as streams write it."""
    stream = unpacker.decompressobj()
    chunks: list[bytes] = []
    size = 0
    for start in range(0, len(body), _FED):
        chunks.append(stream.decompress(body[start : start + _FED]))
        size += len(chunks[-1])
        if size > UNPACKED_MAX:
            raise Rejected(f"the batch unpacks to more than {UNPACKED_MAX:,} bytes")
        if stream.eof:
            if stream.unused_data or start + _FED < len(body):
                raise Rejected("bytes follow the end of the zstd batch")
            return b"".join(chunks)
    raise Rejected("the zstd batch is cut off")


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
