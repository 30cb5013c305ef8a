"""Items lie where protobuf reads them, in any request that it reads; all else is Malformed."""

import random
from contextlib import suppress
from itertools import pairwise
from time import process_time
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from reflexarc.engines.otlp.framing import Framed, framed
from reflexarc.engines.otlp.wire import Malformed, field_of, tag
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.otlp_conditions import PLAIN
from tests.support.otlp_items import REQUESTS, SIGNALS, ItemWriter, scopes_of

GROUP, GROUP_END = 3, 4
ODD = (0, 0.1, 0.3, 1)


def field(number: int, *parts: bytes) -> bytes:
    return b"".join(field_of(number, b"".join(parts)))


def counted(parts: Framed) -> list[list[int]]:
    """Return how many items each scope of each resource has."""
    return [[each.last - each.first for each in one.scopes] for one in parts.resources]


def plainly_counted(request: Any, signal: OtlpSignal) -> list[list[int]]:
    return [[len(items) for items in scopes] for scopes in scopes_of(request, signal)]


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", ODD)
def test_items_are_those_that_protobuf_reads(signal: OtlpSignal, odd: float) -> None:
    writer = ItemWriter(1, odd=odd)
    for _ in range(25):
        data = writer.request(signal)
        scopes = scopes_of(REQUESTS[signal].FromString(data), signal)

        parts = framed(data)

        items = [item for resource in scopes for scope in resource for item in scope]
        assert counted(parts) == [[len(scope) for scope in resource] for resource in scopes]
        assert [
            PLAIN[signal](parts.item(number)).SerializeToString() for number in range(len(items))
        ] == [item.SerializeToString() for item in items]


@pytest.mark.parametrize("odd", ODD)
def test_what_stands_beside_items_is_kept_apart(odd: float) -> None:
    writer = ItemWriter(2, odd=odd)
    for _ in range(25):
        data = writer.request("traces")
        parts = framed(data)
        for resource, plain in zip(
            parts.resources, REQUESTS["traces"].FromString(data).resource_spans, strict=True
        ):
            for scope, within in zip(resource.scopes, plain.scope_spans, strict=True):
                del within.spans[:]
                alone = type(within).FromString(scope.rest)
                assert alone.SerializeToString() == within.SerializeToString()
            del plain.scope_spans[:]
            alone = type(plain).FromString(resource.rest)
            assert alone.SerializeToString() == plain.SerializeToString()


@pytest.mark.parametrize("odd", ODD)
def test_parts_lie_within_each_other_and_side_by_side(odd: float) -> None:
    writer = ItemWriter(3, odd=odd)
    for _ in range(25):
        data = writer.request("logs")

        parts = framed(data)

        edges = [
            edge for one in zip(parts.starts, parts.bodies, parts.ends, strict=True) for edge in one
        ]
        assert edges == sorted(edges)
        assert parts.data is data
        for number, (start, end) in enumerate(zip(parts.starts, parts.ends, strict=True)):
            assert parts.size(number) == end - start
            assert data[start:end].endswith(parts.item(number))
        for resource in parts.resources:
            assert resource.start < resource.body <= resource.end
            for one, other in pairwise(resource.scopes):
                assert one.end <= other.start
                assert one.last == other.first
            for scope in resource.scopes:
                assert resource.body <= scope.start < scope.body <= scope.end <= resource.end
                for number in range(scope.first, scope.last):
                    assert scope.body <= parts.starts[number] < parts.ends[number] <= scope.end


def test_a_resource_knows_the_numbers_of_its_items() -> None:
    scope, item = field(2, field(2), field(2)), field(2, field(2))
    parts = framed(field(1) + field(1, scope, item) + field(1, field(2)) + field(1, scope))

    assert [each.items for each in parts.resources] == [
        range(0),
        range(3),
        range(3, 3),
        range(3, 5),
    ]


def test_an_empty_request_has_no_parts() -> None:
    parts = framed(b"")

    assert (parts.resources, list(parts.starts)) == ([], [])


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 16_383, 16_384, 70_000, 2_100_000])
def test_an_item_of_any_length_is_found(size: int) -> None:
    item = b"-" * size
    # A tag and length as they are and with more bytes than they take.
    long = b"\x92\x00" + field(2, item)[1:]

    parts = framed(field(1, field(2, field(2, item), long, field(2, item))))

    assert [parts.item(number) for number in range(3)] == [item] * 3


def test_fields_that_are_no_parts_are_passed_over() -> None:
    odd = b"\x08\x01" + b"\x10\x02" + b"\x9b\x06\x0a\x02hi\x9c\x06" + b"\x15----" + b"\x11--------"
    parts = framed(odd + field(1, odd, field(2, odd, field(2, b"x"), odd), odd) + odd)

    assert parts.item(0) == b"x"
    assert parts.resources[0].rest == odd + odd
    assert parts.resources[0].scopes[0].rest == odd + odd


# Malformed


def shallow(signal: OtlpSignal, rng: random.Random) -> bytes:
    """Return a small request of everything."""
    writer = ItemWriter(rng.randrange(1 << 30), odd=rng.choice(ODD), texts=("a", "bcd"))
    while True:
        data = writer.request(signal, items=3)
        if 20 < len(data) < 700:
            return data


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_request_cut_at_any_byte_is_read_as_protobuf_reads_it_or_malformed(
    signal: OtlpSignal,
) -> None:
    rng = random.Random(4)
    whole = malformed = 0
    for data in [shallow(signal, rng) for _ in range(6)]:
        for cut in range(len(data)):
            parts = None
            with suppress(Malformed):
                parts = framed(data[:cut])
            whole += parts is not None
            malformed += parts is None
            with suppress(DecodeError):
                plain = REQUESTS[signal].FromString(data[:cut])
                assert parts is not None
                assert counted(parts) == plainly_counted(plain, signal)

    assert whole
    assert malformed > 500


def test_parts_cut_at_any_byte_are_malformed() -> None:
    """Where nothing but one resource stands in a request, no part of it is whole."""
    item = field(2, b"\x0a\x01x") + field(2, b"-" * 200) + b"\x92\x00\x01-"
    data = field(1, b"\x1a\x01u" + field(2, item, b"\x1a\x01u"), b"\x12\x00")
    for cut in range(1, len(data)):
        with pytest.raises(Malformed):
            framed(data[:cut])


@pytest.mark.parametrize("signal", SIGNALS)
def test_bytes_that_protobuf_reads_are_read_alike_and_others_raise_only_malformed(
    signal: OtlpSignal,
) -> None:
    rng = random.Random(5)
    sources = [shallow(signal, rng) for _ in range(20)]
    marks = b"\x0a\x12\x1a\x00\x01\x02\x05\x80\x92\x0b\x0c\x13\x14"
    read = refused = 0
    for _ in range(2_500):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 2)] = bytes(rng.choices(marks, k=rng.randint(0, 3)))
        if rng.random() < 0.3:
            data = bytearray(rng.choices(marks, k=rng.randint(1, 12)))
        parts = None
        with suppress(Malformed):
            parts = framed(bytes(data))
        refused += parts is None
        with suppress(DecodeError):
            plain = REQUESTS[signal].FromString(bytes(data))
            assert parts is not None, data
            assert counted(parts) == plainly_counted(plain, signal), data
            read += 1

    assert read > 100
    assert refused > 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x05",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\x02\x12\x01",
        b"\x0a\x02\x12\x05",
        b"\x0a\x04\x12\x02\x12\x01",
        b"\x0a\x04\x12\x02\x12\x01x",  # the item reaches out of its scope
        b"\x0a\x03\x12\x01\x12\x00",  # the length of an item is outside of its scope
        b"\x0a\x03\x12\x01\x1a\x00",
        b"\x0a\x01\x12\x00",  # the length of a scope is outside of its resource
        b"\x0a\x02\x1a\x01x",
        b"\x0a\x02\x08\x80\x01",
        b"\x0a\x04\x12\x02\x12\x80",
        b"\x0a\x05\x12\x03\x12\x80\x80",
        b"\x0a\x06\x12\x04\x12\x80\x80\x80",
        b"\x0a\x05\x12\x03\x92\x00\x01",
        b"\x0c",
        b"\x07",
        b"\x00\x00",
        b"\x12",
        b"\x80",
    ],
)
def test_what_is_no_request_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        framed(data)


def test_random_bytes_raise_nothing_but_malformed() -> None:
    rng = random.Random(6)
    for _ in range(3_000):
        with suppress(Malformed):
            framed(rng.randbytes(rng.randint(0, 40)))


# Time


@pytest.mark.parametrize(
    "piece",
    [
        field(1),
        field(1, field(2)),
        field(1, field(2, field(2) * 20)),
        field(1, field(2, b"\x92\x80\x80\x80\x00\x80\x80\x80\x80\x00" * 20)),
        field(1, field(2, b"\x1a\x00" * 20)),
        field(1, tag(19, GROUP) * 90 + tag(19, GROUP_END) * 90),
        b"\x98\x06\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    ],
    ids=["resources", "scopes", "items", "odd items", "no items", "groups", "numbers"],
)
def test_time_grows_with_the_size_and_no_faster(piece: bytes) -> None:
    small, large = 8_000 // len(piece), 64_000 // len(piece)

    # Eight times as much in a row, and as much within one resource and scope.
    for around in (bytes, lambda data: field(1, field(2, data))):
        once, more = took(around(piece * small)), took(around(piece * large))
        assert more < 8 * 4 * max(once, 1e-4)


def took(data: bytes) -> float:
    """Return the least time of a few runs: others use the processor too."""
    times = []
    for _ in range(3):
        begin = process_time()
        framed(data)
        times.append(process_time() - begin)
    return min(times)
