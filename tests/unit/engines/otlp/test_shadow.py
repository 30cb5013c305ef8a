"""What the shadow schemas read is what the plain schema reads."""

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.shadow import (
    ATTRIBUTES,
    HEADERS,
    POINTS,
    all_attributes,
    attribute_lists,
    attribute_maps,
    count_of_items,
    headers,
)
from reflexarc.engines.otlp.wire import Malformed, field_of, occurrences
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.otlp_conditions import PLAIN
from tests.support.otlp_items import REQUESTS, SIGNALS, ItemWriter, scopes_of

ODD = (0, 0.1, 0.3, 1)
WITH_ATTRIBUTES: tuple[OtlpSignal, ...] = ("traces", "logs")


def field(number: int, *parts: bytes) -> bytes:
    return b"".join(field_of(number, b"".join(parts)))


def joined(items: list[bytes]) -> bytes:
    return b"".join(field(2, item) for item in items)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", ODD)
def test_plain_fields_are_those_of_the_plain_schema(signal: OtlpSignal, odd: float) -> None:
    writer = ItemWriter(1, odd=odd)
    names = frozenset(HEADERS[signal])
    for _ in range(25):
        data = writer.request(signal)

        found = headers(signal, names)(data)

        plain = scopes_of(REQUESTS[signal].FromString(data), signal)
        assert [[[_read(x, names) for x in y.x] for y in z.x] for z in found.x] == [
            [[_read(item, names) for item in scope] for scope in resource] for resource in plain
        ]


def _read(item: Any, names: frozenset[str]) -> dict[str, Any]:
    """Return an item's fields in one form, of either schema."""
    found = {name: _value(item, name) for name in names - POINTS - {"body"}}
    if names >= POINTS:
        kind = item.WhichOneof("data")
        found["data"] = kind, len(_points(item, kind)) if kind else 0
    return found


def _value(item: Any, name: str) -> Any:
    for step in name.split("."):
        item = getattr(item, step)
    return item.encode() if isinstance(item, str) else item


def _points(item: Any, kind: str) -> Any:
    data = getattr(item, kind)
    return data.points if hasattr(data, "points") else data.data_points


def test_points_are_the_bytes_of_each() -> None:
    points = [b"\x31--------", b"", b"\x40\x01"]
    metric = field(7, *(field(1, point) for point in points), b"\x10\x01")

    (found,) = headers("metrics", POINTS)(field(1, field(2, field(2, metric)))).x[0].x[0].x

    assert found.WhichOneof("data") == "sum"
    assert list(found.sum.points) == points


def test_every_body_is_its_bytes() -> None:
    record = field(5, b"\x0a\x02hi") + field(5) + b"\x10\x09"

    (found,) = (
        headers("logs", frozenset({"body"}))(field(1, field(2, field(2, record)))).x[0].x[0].x
    )

    assert list(found.body) == [b"\x0a\x02hi", b""]


def test_what_was_not_asked_for_is_not_read() -> None:
    (found,) = (
        headers("traces", frozenset({"kind"}))(field(1, field(2, field(2, b"\x30\x02"))))
        .x[0]
        .x[0]
        .x
    )

    assert found.kind == 2
    assert [each.name for each in found.DESCRIPTOR.fields] == ["kind"]


def test_one_reader_is_made_for_the_same_fields() -> None:
    assert headers("traces", frozenset({"kind"})) is headers("traces", frozenset({"kind"}))


# Attributes


@pytest.mark.parametrize("signal", WITH_ATTRIBUTES)
@pytest.mark.parametrize("odd", ODD)
def test_attributes_are_the_last_value_of_each_key_as_bytes_where_their_number_agrees(
    signal: OtlpSignal, odd: float
) -> None:
    writer = ItemWriter(2, odd=odd)
    items = [writer.item(signal) for _ in range(150)]

    maps, lists = attribute_maps(signal)(joined(items)).x, attribute_lists(signal)(joined(items)).x

    assert len(maps) == len(items)
    agreed = [
        (dict(one.a), item)
        for one, other, item in zip(maps, lists, items, strict=True)
        if len(one.a) == len(other.a)
    ]
    assert len(agreed) > 40
    for found, item in agreed:
        assert found == _last(item, signal)


def _last(item: bytes, signal: OtlpSignal) -> dict[str, bytes]:
    pairs = occurrences(item, ATTRIBUTES[signal])
    return {
        (occurrences(pair, 1) or [b""])[-1].decode(): (occurrences(pair, 2) or [b""])[-1]
        for pair in pairs
    }


@pytest.mark.parametrize("signal", WITH_ATTRIBUTES)
@pytest.mark.parametrize("odd", ODD)
def test_where_their_number_differs_a_key_stands_twice_or_an_attribute_has_an_unknown_field(
    signal: OtlpSignal, odd: float
) -> None:
    writer = ItemWriter(3, odd=odd)
    items = [writer.item(signal) for _ in range(150)]
    maps, lists = attribute_maps(signal)(joined(items)).x, attribute_lists(signal)(joined(items)).x

    differ = [len(one.a) != len(other.a) for one, other in zip(maps, lists, strict=True)]

    assert differ == [_is_odd(PLAIN[signal](item).attributes) for item in items]
    assert any(differ)


def _is_odd(attributes: Any) -> bool:
    unknown = any(len(UnknownFieldSet(each)) for each in attributes)
    return unknown or len({each.key for each in attributes}) != len(attributes)


@pytest.mark.parametrize("signal", WITH_ATTRIBUTES)
def test_attributes_are_listed_as_the_bytes_that_came(signal: OtlpSignal) -> None:
    writer = ItemWriter(4, odd=0.3)
    items = [writer.item(signal) for _ in range(50)]

    found = attribute_lists(signal)(joined(items)).x

    assert [list(one.a) for one in found] == [
        occurrences(item, ATTRIBUTES[signal]) for item in items
    ]


@pytest.mark.parametrize("signal", WITH_ATTRIBUTES)
def test_attributes_of_many_items_are_counted_at_once(signal: OtlpSignal) -> None:
    writer = ItemWriter(6, odd=0.3)
    items = [writer.item(signal) for _ in range(50)]

    found = all_attributes(signal)(joined(items)).x.a

    assert list(found) == [pair for item in items for pair in occurrences(item, ATTRIBUTES[signal])]
    assert len(all_attributes(signal)(b"").x.a) == 0


@pytest.mark.parametrize("signal", SIGNALS)
def test_items_are_counted_without_reading_them(signal: OtlpSignal) -> None:
    writer = ItemWriter(7, odd=0.3)
    for _ in range(20):
        data = writer.request(signal)

        assert count_of_items(signal, data) == len(framed(data).starts)
    assert count_of_items(signal, b"") == 0
    with pytest.raises(Malformed):
        count_of_items(signal, b"\x0a\x05")


def test_items_are_read_as_they_stand_in_a_request() -> None:
    data = ItemWriter(5, odd=0.3).request("traces")
    parts = framed(data)
    cut = b"".join(data[start:end] for start, end in zip(parts.starts, parts.ends, strict=True))

    assert len(attribute_maps("traces")(cut).x) == len(parts.starts) > 0


# What is no OTLP


def test_a_text_that_is_none_is_bytes_in_a_field_and_refused_in_a_key() -> None:
    span = b"\x2a\x01\xff"
    (found,) = (
        headers("traces", frozenset({"name"}))(field(1, field(2, field(2, span)))).x[0].x[0].x
    )

    assert found.name == b"\xff"
    with pytest.raises(DecodeError):
        attribute_maps("traces")(field(2, field(9, b"\x0a\x01\xff")))


@pytest.mark.parametrize(
    "data", [b"\x12\x05", b"\x12\x02\x4a\x01", b"\x12\x03\x4a\x01\x0a", b"\x07"]
)
def test_what_protobuf_cannot_read_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        attribute_maps("traces")(data)


def test_numbers_of_fields_and_types_are_those_of_the_plain_schema() -> None:
    for signal in SIGNALS:
        plain = PLAIN[signal](b"").DESCRIPTOR.fields_by_name
        for name, shadowed in HEADERS[signal].items():
            assert plain[name.partition(".")[0]].number == shadowed.number
        if signal in ATTRIBUTES:
            assert plain["attributes"].number == ATTRIBUTES[signal]
    assert {each for each in HEADERS["metrics"] if HEADERS["metrics"][each].choice} == POINTS
