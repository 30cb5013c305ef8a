import gzip
import zlib

import pytest

from reflexarc.ingest.body import PACKED_MAX, UNPACKED_MAX, unpacked
from reflexarc.ingest.model import Refused


@pytest.mark.parametrize("encoding", ["", "identity", " IDENTITY "])
def test_a_plain_body_is_its_text(encoding: str) -> None:
    assert unpacked("gr\u00fcn".encode(), encoding) == "gr\u00fcn"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP"])
def test_a_packed_body_is_unpacked(encoding: str) -> None:
    assert unpacked(gzip.compress(b"text"), encoding) == "text"


def refusal(body: bytes, encoding: str = "gzip") -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        unpacked(body, encoding)
    return refused.value.status, str(refused.value)


def test_a_bomb_is_refused_before_it_has_grown() -> None:
    bomb = gzip.compress(bytes(400 * 1024 * 1024), 1)
    assert len(bomb) < PACKED_MAX

    assert refusal(bomb) == (413, f"the body unpacks to more than {UNPACKED_MAX:,} bytes")


def test_a_body_of_exactly_the_limit_passes_and_one_more_does_not() -> None:
    assert len(unpacked(gzip.compress(b"x" * UNPACKED_MAX), "gzip")) == UNPACKED_MAX
    assert refusal(gzip.compress(b"x" * (UNPACKED_MAX + 1)))[0] == 413


def test_a_body_that_is_too_large_as_it_comes_is_refused() -> None:
    assert len(unpacked(b"x" * PACKED_MAX, "")) == PACKED_MAX
    assert refusal(b"x" * (PACKED_MAX + 1), "")[0] == 413


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"plain text", "not gzip"),
        (zlib.compress(b"text"), "not gzip"),
        (gzip.compress(b"text")[:-1], "cut off"),
        (b"", "cut off"),
        (gzip.compress(b"text") + b"more", "bytes follow"),
        (gzip.compress(b"text") + gzip.compress(b"more"), "bytes follow"),
        (gzip.compress(b"\xff"), "not UTF-8"),
        (gzip.compress(b"text")[:-5] + b"\0\0\0\0\0", "not gzip"),
    ],
)
def test_what_is_not_what_it_says_is_refused_with_words(body: bytes, says: str) -> None:
    status, words = refusal(body)

    assert status == 400
    assert says in words


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "gzip,identity", "x" * 9_000])
def test_other_encodings_are_named_in_the_refusal(encoding: str) -> None:
    status, words = refusal(b"", encoding)

    assert status == 415
    assert len(words) < 120
