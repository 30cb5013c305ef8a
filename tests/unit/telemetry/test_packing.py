import random
import zlib

import pytest
import zstandard

from reflexarc.events.packed import Encoding
from reflexarc.ingest import otlp_body
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.packing import UNPACKED_MAX, encoding_of, packed, unpacked

PLAIN = b"\x0a\x03abc" + random.Random(1).randbytes(200_000)
STREAM = zstandard.ZstdCompressor(write_content_size=False)
ENCODINGS: tuple[Encoding, ...] = ("identity", "gzip", "zstd")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_packed_is_unpacked_and_known_by_how_it_begins(encoding: Encoding) -> None:
    body = packed(PLAIN, encoding)

    assert unpacked(body, encoding) == PLAIN
    assert encoding_of(body) == encoding


def test_a_frame_that_does_not_say_its_size_is_unpacked() -> None:
    assert unpacked(STREAM.compress(PLAIN), "zstd") == PLAIN


BOMB = b"\0" * (UNPACKED_MAX + 1)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (packed(BOMB, "zstd"), "zstd"),
        (STREAM.compress(BOMB), "zstd"),
        (zlib.compress(BOMB, 9, zlib.MAX_WBITS | 16), "gzip"),
        (BOMB, "identity"),
    ],
    ids=["sized", "stream", "gzip", "identity"],
)
def test_a_bomb_is_refused(body: bytes, encoding: Encoding) -> None:
    with pytest.raises(Rejected, match="unpacks to more than 20,971,520 bytes"):
        unpacked(body, encoding)


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (b"no archive", "zstd", "not zstd"),
        (b"", "zstd", "not zstd"),
        (packed(PLAIN, "zstd")[:-9], "zstd", "not zstd"),
        (packed(PLAIN, "zstd") + b"more", "zstd", "not zstd"),
        (STREAM.compress(PLAIN)[:-9], "zstd", "cut off"),
        (STREAM.compress(PLAIN) + b"more", "zstd", "bytes follow"),
        (STREAM.compress(PLAIN) + b"m" * 600, "zstd", "bytes follow"),
        (STREAM.compress(PLAIN)[:700] + b"\xff" * 2_000, "zstd", "not zstd|cut off"),
        (b"no archive", "gzip", "not gzip"),
        (packed(PLAIN, "gzip")[:-9], "gzip", "cut off"),
        (packed(PLAIN, "gzip") + b"more", "gzip", "bytes follow"),
    ],
)
def test_what_is_not_what_it_says_is_refused(body: bytes, encoding: Encoding, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        unpacked(body, encoding)


def test_a_window_that_would_be_memory_for_the_asking_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    writer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    body = writer.compress(PLAIN) + writer.flush()

    with pytest.raises(Rejected, match="unpacks to more than 20,971,520 bytes"):
        unpacked(body, "zstd")


def test_whatever_ingest_takes_is_taken_here() -> None:
    assert UNPACKED_MAX >= otlp_body.UNPACKED_MAX
