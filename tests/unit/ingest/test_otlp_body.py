import gzip
import os
import time

import pytest
import zstandard

from reflexarc.ingest.body import PACKED_MAX
from reflexarc.ingest.model import Refused
from reflexarc.ingest.otlp_body import UNPACKED_MAX, packed, unpacked

DATA = b"telemetry" * 50 + os.urandom(200)


def streamed(data: bytes, **more: int) -> bytes:
    """Return a frame as a stream's writer makes it, who does not know the size beforehand."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, **more)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(data) + stream.flush()


def refusal(body: bytes, encoding: str = "zstd") -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        unpacked(body, encoding)
    return refused.value.status, str(refused.value)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (DATA, ""),
        (DATA, " Identity "),
        (gzip.compress(DATA), "gzip"),
        (gzip.compress(DATA), "GZIP"),
        (packed(DATA), "zstd"),
        (packed(DATA), "Zstd "),
        (streamed(DATA), "zstd"),
        (streamed(DATA, write_checksum=True), "zstd"),
        (streamed(DATA, window_log=23), "zstd"),
    ],
)
def test_a_body_is_unpacked_by_what_its_encoding_says(body: bytes, encoding: str) -> None:
    assert unpacked(body, encoding) == DATA


def test_a_plain_body_is_not_copied() -> None:
    assert unpacked(DATA, "") is DATA


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_nothing_is_nothing_however_it_is_packed(encoding: str) -> None:
    assert unpacked(b"", encoding) == b""


@pytest.mark.parametrize("encoding", ["br", "deflate", "zlib", "snappy", "gzip, zstd", "x" * 9_000])
def test_other_encodings_are_refused_and_the_known_ones_named(encoding: str) -> None:
    status, says = refusal(DATA, encoding)

    assert status == 415
    assert "gzip, zstd or none" in says
    assert len(says) < 120


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(bytes(600_000_000), 1), "gzip"),
        (packed(bytes(60_000_000)), "zstd"),
        (streamed(bytes(60_000_000)), "zstd"),
        (streamed(bytes(UNPACKED_MAX + 1)), "zstd"),
        (packed(bytes(UNPACKED_MAX + 1)), "zstd"),
        # A size of 1 TB, and nothing that would fill it.
        (b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0", "zstd"),
        # A window of 128 MB.
        (streamed(DATA, window_log=27), "zstd"),
    ],
)
def test_a_bomb_is_refused_before_it_has_grown(body: bytes, encoding: str) -> None:
    assert len(body) < PACKED_MAX
    began = time.process_time()

    status, says = refusal(body, encoding)

    assert (status, says) == (413, f"the body unpacks to more than {UNPACKED_MAX:,} bytes")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("pack", [packed, streamed, gzip.compress])
def test_a_body_of_exactly_the_limit_passes(pack: object) -> None:
    assert callable(pack)
    body, encoding = pack(bytes(UNPACKED_MAX)), "gzip" if pack is gzip.compress else "zstd"

    assert len(unpacked(body, encoding)) == UNPACKED_MAX


def test_a_body_too_large_as_it_comes_is_refused() -> None:
    assert refusal(b"x" * (PACKED_MAX + 1), "")[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        packed(DATA)[:-1],
        streamed(DATA)[:-3],
        packed(DATA)[:3],
        packed(DATA) * 2,
        packed(DATA) + b"x",
        b"garbage, and a lot of it",
        gzip.compress(DATA),
        # A frame to skip over, before one that says what it is not.
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + packed(DATA),
        # A size that is a lie.
        b"\x28\xb5\x2f\xfd\xe0" + (1_000_000).to_bytes(8, "little") + b"\x01\0\0",
        bytes((*streamed(DATA, write_checksum=True)[:-1], 0)),
    ],
)
def test_what_is_not_one_whole_frame_of_zstd_is_refused(body: bytes) -> None:
    status, says = refusal(body)

    assert status == 400
    assert says.startswith("the body is not one frame of zstd: ")


def test_what_is_not_gzip_is_refused() -> None:
    assert refusal(gzip.compress(DATA)[:-1], "gzip") == (400, "the gzip body is cut off")


@pytest.mark.parametrize(("pack", "encoding"), [(gzip.compress, "gzip"), (packed, "zstd")])
def test_a_body_that_aws_made_text_of_is_told_from_garbage(pack: object, encoding: str) -> None:
    assert callable(pack)
    spoiled = pack(DATA).decode("utf-8", "replace").encode()

    status, says = refusal(spoiled, encoding)

    assert status == 400
    assert "JSON must come unpacked" in says
