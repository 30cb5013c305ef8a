"""Unpacks an OTLP body within bounds, and packs what goes on. Pure.

`deflate` is not taken: half of the world means zlib by it and half the bare stream, OTLP asks for
gzip alone, and no forwarder has deflate as its default. https://opentelemetry.io/docs/specs/otlp/
"""

from functools import cache

import zstandard

from reflexarc.engines.otlp.zstd import TooLarge, unzstd
from reflexarc.ingest.body import PACKED_MAX, gunzipped
from reflexarc.ingest.model import Refused
from reflexarc.kernel.errors import Rejected

# "It is RECOMMENDED to use 20 MiB as the default limit", unpacked, for clients as for servers; the
# Collector's own default too. It is four times what 4.5 MB of a function URL's binary body are, and
# with what is made of it at worst it leaves a third of the function's 512 MB free.
UNPACKED_MAX = 20 * 1024 * 1024
ENCODINGS = ("gzip", "zstd")
_LEVEL = 3
# What AWS leaves of the first two bytes of gzip, and of the first four of zstd, in a body that it
# takes for text: whatever is not UTF-8 is gone for good.
_SPOILED = ("\x1f\ufffd".encode(), b"(\xef\xbf\xbd/\xef\xbf\xbd")


def unpacked(body: bytes, encoding: str, most: int = UNPACKED_MAX) -> bytes:
    """Return what a body holds; raises Refused where it is too large or not what it says."""
    if len(body) > PACKED_MAX:
        raise Refused(413, f"the body has more than {PACKED_MAX:,} bytes: send smaller batches")
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in ENCODINGS:
        raise Refused(415, f"content-encoding {encoding[:40]!r} is not known: gzip, zstd or none")
    if not body:
        return body  # some writers of zstd make nothing of nothing
    if body.startswith(_SPOILED):
        raise Refused(
            400,
            "AWS made text of this packed body: JSON must come unpacked, protobuf may be packed",
        )
    return gunzipped(body, most) if encoding == "gzip" else _unzstd(body, most)


def packed(payload: bytes) -> bytes:
    """Return a payload as zstd."""
    return _packer().compress(payload)


@cache
def _packer() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_LEVEL)


def _unzstd(body: bytes, most: int) -> bytes:
    try:
        return unzstd(body, most)
    except TooLarge as error:
        raise Refused(413, f"the body unpacks to more than {most:,} bytes") from error
    except Rejected as error:
        raise Refused(400, f"the body is {error}") from error
