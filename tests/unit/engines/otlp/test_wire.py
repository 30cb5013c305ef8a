"""Protobuf's wire form: what is read is what protobuf reads, and all else is Malformed."""

import random
from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.wire import (
    LENGTH,
    VARINT,
    Malformed,
    field_of,
    occurrences,
    read_tag,
    read_varint,
    skip_field,
    tag,
    varint,
    without,
)
from tests.support.otlp_conditions import PLAIN
from tests.support.otlp_items import SIGNALS, ItemWriter

NUMBERS = st.integers(0, 2**64 - 1)
GROUP, GROUP_END = 3, 4


def joined(field: int, *parts: bytes) -> bytes:
    return b"".join(field_of(field, *parts))


@given(NUMBERS, st.binary(max_size=3), st.binary(max_size=3))
def test_a_number_is_read_as_it_was_written(number: int, before: bytes, behind: bytes) -> None:
    data = before + varint(number) + behind

    assert read_varint(data, len(before)) == (number, len(data) - len(behind))


@given(NUMBERS, st.integers(0, 9))
def test_a_number_with_more_bytes_than_it_takes_is_read(number: int, more: int) -> None:
    written = bytearray(varint(number))
    more = min(more, 10 - len(written))
    if more:
        written[-1] |= 0x80
        written += b"\x80" * (more - 1) + b"\0"

    assert read_varint(bytes(written), 0) == (number, len(written))


def test_bits_beyond_sixty_four_are_left_out() -> None:
    assert read_varint(b"\xff" * 9 + b"\x7f", 0) == (2**64 - 1, 10)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10, b"\x80" * 11])
def test_a_number_that_does_not_end_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_varint(data, 0)


@pytest.mark.parametrize("number", [1, 15, 16, 2**29 - 1])
def test_a_tag_says_its_field_and_wire_type(number: int) -> None:
    written = tag(number, LENGTH)

    assert read_tag(written, 0) == (number << 3 | LENGTH, len(written))


@pytest.mark.parametrize("number", [0, 1, 7, 2**32, 2**64 - 1])
def test_a_tag_without_a_field_or_of_one_too_high_is_malformed(number: int) -> None:
    with pytest.raises(Malformed):
        read_tag(varint(number), 0)


def test_a_field_of_parts_is_the_field_of_all_of_them() -> None:
    parts = field_of(9, b"ab", memoryview(b"cd"))

    assert b"".join(parts) == b"\x4a\x04abcd"
    assert joined(2_000, b"x" * 300) == tag(2_000, LENGTH) + varint(300) + b"x" * 300


# Skipping


@pytest.mark.parametrize(
    "field",
    [
        b"\x08\x96\x01",
        b"\x09--------",
        b"\x0a\x03abc",
        b"\x0d----",
        b"\x0b\x0c",
        b"\x0b\x08\x01\x13\x0a\x02hi\x14\x0d----\x0c",
        b"\x0b\x02\x01a\x0c",  # within a group the number 0 is one
    ],
)
def test_a_field_ends_where_the_next_begins(field: bytes) -> None:
    found, at = read_tag(field + b"next", 0)

    assert skip_field(field + b"next", at, found) == len(field)
    for cut in range(1, len(field)):
        with pytest.raises(Malformed):
            skip_field(field[:cut], *reversed(read_tag(field[:cut], 0)))


@pytest.mark.parametrize(
    "field",
    [b"\x0c", b"\x0e", b"\x0f", b"\x0b\x14", b"\x0b\x08\x01", b"\x0b\x07\x0c", b"\x0b\x04\x0c"],
    ids=["end of a group", "type 6", "type 7", "another end", "no end", "type 7 in it", "end of 0"],
)
def test_what_no_field_is_is_malformed(field: bytes) -> None:
    with pytest.raises(Malformed):
        skip_field(field, *reversed(read_tag(field, 0)))


@pytest.mark.parametrize(("depth", "deep"), [(100, False), (101, True), (100_000, True)])
def test_groups_as_deep_as_protobuf_takes_are_skipped(depth: int, *, deep: bool) -> None:
    field = tag(1, GROUP) * depth + tag(1, GROUP_END) * depth
    if deep:
        with pytest.raises(Malformed):
            skip_field(field, 1, tag(1, GROUP)[0])
    else:
        assert skip_field(field, 1, tag(1, GROUP)[0]) == len(field)


@pytest.mark.parametrize("seed", range(3))
def test_what_protobuf_reads_is_skipped_to_its_end_and_nothing_else_is_raised(seed: int) -> None:
    rng = random.Random(seed)
    read = 0
    for _ in range(4_000):
        data = rng.randbytes(rng.randint(0, 14))
        if rng.random() < 0.5:
            marks = (0x08, 0x0A, 0x0B, 0x0C, 0x0D, 0x09, 0x80, 0x01, 0x02, 0x00)
            data = bytes(rng.choices(marks, k=rng.randint(1, 14)))
        skipped = at = 0
        with suppress(Malformed):
            while at < len(data):
                at = skip_field(data, *reversed(read_tag(data, at)))
            skipped = 1
        with suppress(DecodeError):
            Resource.FromString(data)
            assert skipped, data
            read += 1

    assert read > 100


# Taking fields out and putting others in


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", [0, 0.3, 1])
def test_fields_are_taken_out_and_put_in_as_protobuf_would(signal: str, odd: float) -> None:
    writer = ItemWriter(5, odd=odd)
    field = {"traces": 9, "metrics": 12, "logs": 6}[signal]
    name = "metadata" if signal == "metrics" else "attributes"
    for _ in range(60):
        item = writer.item(signal)  # type: ignore[arg-type]
        parse = PLAIN[signal]  # type: ignore[index]
        expected = parse(item)
        attributes = getattr(expected, name)
        gone = {number for number in range(len(attributes)) if writer.rng.random() < 0.4}
        added = [writer.key_value() for _ in range(writer.rng.randint(0, 2))]
        kept = [each.SerializeToString() for each in attributes]
        assert [
            type(each).FromString(found).SerializeToString()
            for each, found in zip(attributes, occurrences(item, field), strict=True)
        ] == kept
        for number in sorted(gone, reverse=True):
            del attributes[number]
        for each in added:
            attributes.add().ParseFromString(each)

        changed = without(item, field, gone, added)

        assert parse(changed).SerializeToString() == expected.SerializeToString()


def test_what_is_not_taken_out_stays_byte_for_byte() -> None:
    message = (
        joined(1, b"a") + b"\x92\x00\x81\x00b" + joined(1, b"c") + b"\x18\x01" + joined(1, b"")
    )

    assert without(message, 1, {1}) == message.replace(b"\x0a\x01c", b"")
    assert without(message, 1, ()) == message
    assert without(message, 9, None) == message
    assert without(message, 1, None) == b"\x92\x00\x81\x00b\x18\x01"
    assert without(message, 2, None, [b"new"]).endswith(b"\x12\x03new")
    assert without(b"", 2, None) == b""


def test_a_field_of_another_wire_type_is_another_field() -> None:
    message = b"\x08\x05" + joined(1, b"a") + tag(1, VARINT) + b"\x07"

    assert occurrences(message, 1) == [b"a"]
    assert without(message, 1, None) == b"\x08\x05\x08\x07"


def test_occurrences_come_in_their_order_with_odd_tags_too() -> None:
    assert occurrences(joined(9, b"a") + b"\xca\x00\x81\x00b" + joined(9, b""), 9) == [
        b"a",
        b"b",
        b"",
    ]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_message_that_is_cut_off_is_malformed(cut: int) -> None:
    message = Span(name="x" * 12).SerializeToString()[:cut]

    with pytest.raises(Malformed):
        without(message, 5, None)
    with pytest.raises(Malformed):
        occurrences(message, 5)
