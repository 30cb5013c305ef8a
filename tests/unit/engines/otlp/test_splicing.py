"""A request without some items is what protobuf would make of it, and what stays is untouched."""

from collections.abc import Mapping
from typing import Any

import pytest

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.splicing import spliced
from reflexarc.engines.otlp.wire import field_of
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.otlp_items import REQUESTS, SIGNALS, ItemWriter

ODD = (0, 0.1, 0.3, 1)


def field(number: int, *parts: bytes) -> bytes:
    return b"".join(field_of(number, b"".join(parts)))


def plainly(data: bytes, signal: OtlpSignal, replaced: Mapping[int, bytes | None]) -> bytes:
    """Return the same with protobuf: items change, what thereby became empty goes."""
    request = REQUESTS[signal].FromString(data)
    resources = _repeated(request, 0)
    number = 0
    for resource in list(resources):
        scopes = _repeated(resource, 1)
        had = len(scopes)
        for scope in list(scopes):
            items = _repeated(scope, 1)
            size = len(items)
            left = [
                new
                for at, item in enumerate(items, number)
                if (new := _replacement(item, replaced.get(at, item)))
            ]
            number += size
            del items[:]
            items.extend(left)
            if size and not left:
                scopes.remove(scope)
        if had and not scopes:
            resources.remove(resource)
    return bytes(request.SerializeToString())


def _repeated(message: Any, place: int) -> Any:
    """Return a message's list of parts: its first field in a request, else its second."""
    return getattr(message, message.DESCRIPTOR.fields[place].name)


def _replacement(item: Any, new: Any) -> Any:
    if isinstance(new, bytes):
        return type(item).FromString(framed(field(1, field(2, new))).item(0))
    return new


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", ODD)
def test_items_go_and_others_take_their_place_as_with_protobuf(
    signal: OtlpSignal, odd: float
) -> None:
    writer = ItemWriter(1, odd=odd)
    rng = writer.rng
    for _ in range(60):
        data = writer.request(signal, items=5)
        parts = framed(data)
        share = rng.choice((0.1, 0.5, 0.9, 1))
        replaced = {
            number: None if rng.random() < 0.7 else field(2, writer.item(signal))
            for number in range(len(parts.starts))
            if rng.random() < share
        }

        changed = spliced(parts, replaced)

        expected = plainly(data, signal, replaced)
        assert REQUESTS[signal].FromString(changed).SerializeToString() == expected
        assert kept(changed) == [
            replaced.get(number, data[start:end])
            for number, (start, end) in enumerate(zip(parts.starts, parts.ends, strict=True))
            if replaced.get(number, data[start:end])
        ]


def kept(data: bytes) -> list[bytes]:
    """Return the items of a request with their tags, byte for byte."""
    parts = framed(data)
    return [data[start:end] for start, end in zip(parts.starts, parts.ends, strict=True)]


def test_what_does_not_change_is_the_object_that_came() -> None:
    data = ItemWriter(2).request("traces")
    parts = framed(data)

    assert spliced(parts, {}) is data


ITEM, OTHER, LONG = field(2, b"\x0a\x01a"), field(2, b"\x0a\x01b"), field(2, b"-" * 200)
SCOPE, ABOUT, URL = field(1, b"\x0a\x01s"), field(1, b"\x0a\x00"), b"\x1a\x03url"


def test_only_lengths_above_a_change_are_written_anew() -> None:
    untouched = field(1, ABOUT, field(2, SCOPE, ITEM, LONG), URL)
    data = untouched + field(1, ABOUT, field(2, SCOPE, LONG, OTHER, URL), URL) + untouched
    changed = spliced(framed(data), {2: None})

    assert changed == untouched + field(1, ABOUT, field(2, SCOPE, OTHER, URL), URL) + untouched


def test_a_replacement_stands_where_the_item_stood() -> None:
    data = field(1, field(2, ITEM, SCOPE, ITEM, OTHER))

    assert spliced(framed(data), {1: LONG}) == field(1, field(2, ITEM, SCOPE, LONG, OTHER))
    assert spliced(framed(data), {0: LONG, 1: None, 2: LONG}) == field(
        1, field(2, LONG, SCOPE, LONG)
    )


def test_a_scope_that_loses_its_last_item_goes_and_its_neighbours_stay() -> None:
    first, second, third = (field(2, SCOPE, ITEM) for _ in range(3))
    data = field(1, ABOUT, first, second, third, URL)

    assert spliced(framed(data), {1: None}) == field(1, ABOUT, first, third, URL)


def test_a_resource_that_loses_its_last_scope_goes_with_all_that_it_says() -> None:
    stays = field(1, ABOUT, field(2, OTHER))
    data = field(1, ABOUT, field(2, ITEM), field(2, ITEM), URL) + stays

    assert spliced(framed(data), {0: None, 1: None}) == stays
    assert spliced(framed(data), {0: None, 1: None, 2: None}) == b""


def test_what_came_in_empty_stays() -> None:
    empty = field(1, ABOUT)
    data = empty + field(1, field(2, SCOPE), field(2, ITEM)) + field(1, field(2))

    assert spliced(framed(data), {0: None}) == empty + field(1, field(2, SCOPE)) + field(
        1, field(2)
    )


def test_fields_that_no_schema_has_stay_where_they_are() -> None:
    odd = b"\x9b\x06\x08\x01\x9c\x06"
    data = odd + field(1, odd, field(2, odd, ITEM, odd, OTHER, odd), odd) + odd

    assert spliced(framed(data), {0: None}) == (
        odd + field(1, odd, field(2, odd, odd, OTHER, odd), odd) + odd
    )


def test_a_length_that_shrinks_or_grows_by_a_byte_is_written_so() -> None:
    many = field(1, field(2, ITEM * 60))

    assert spliced(framed(many), dict.fromkeys(range(40))) == field(1, field(2, ITEM * 20))
    assert spliced(framed(field(1, field(2, ITEM))), {0: LONG}) == field(1, field(2, LONG))
