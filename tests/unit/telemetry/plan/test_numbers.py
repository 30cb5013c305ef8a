"""An item whose number meets a comparison is always a candidate; most others are not."""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.otlp.wire import Malformed, field_of, read_tag, skip_field
from reflexarc.engines.ottl.values import COMPARATORS
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.numbers import NumberIndex, Places, _boundary, candidates
from tests.support.otlp_conditions import PLAIN, plain_map
from tests.support.otlp_items import ItemWriter
from tests.support.otlp_wire import DOUBLES, INTEGERS, KEYS

KEY = "gen_ai.usage.output_tokens"
NUMBERED: tuple[OtlpSignal, ...] = ("traces", "logs")
COMPARED = ("==", "<", "<=", ">", ">=")


def places_of(key: bytes, payload: bytes) -> Places:
    """Return every place of a key that lies in an item."""
    parts = framed(payload)
    rows = []
    for item, (body, end) in enumerate(zip(parts.bodies, parts.ends, strict=True)):
        at = payload.find(key, body, end)
        while at >= 0:
            rows.append((at, item, body, end))
            at = payload.find(key, at + 1, end)
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return Places(*columns)


def candidates_of(index: NumberIndex, payload: bytes, signal: OtlpSignal) -> dict[int, set[int]]:
    found = candidates(index, payload, signal, places_of(index.key, payload))
    return {item: set(clauses) for item, clauses in found.items()}


def request(*items: bytes) -> bytes:
    scope = b"".join(b"".join(field_of(2, item)) for item in items)
    return b"".join(field_of(1, b"".join(field_of(2, scope))))


def span(**attributes: float | bool | str) -> bytes:
    """Write a span as an SDK does."""
    return Span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        name="chat",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=1,
        end_time_unix_nano=2,
        attributes=[_attribute(key, value) for key, value in attributes.items()],
        status=Status(code=Status.STATUS_CODE_OK),
    ).SerializeToString()


def _attribute(key: str, value: Any) -> KeyValue:
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    return KeyValue(key=key, value=AnyValue(**{kinds[type(value)]: value}))


def below(*numbers: float, key: str = "n") -> NumberIndex:
    return NumberIndex(
        key.encode(), [("<", number, clause) for clause, number in enumerate(numbers)]
    )


def holds(value: Any, comparator: str, number: float) -> bool:
    return type(value) in {int, float} and COMPARATORS[comparator](value, number)


# Soundness


def random_index(rng: random.Random, key: str) -> NumberIndex:
    index = NumberIndex(key.encode())
    for clause in range(rng.randint(1, 4)):
        number = rng.choice((*INTEGERS, *DOUBLES, 2.5, -1, 2**53 - 1))
        index.comparisons.append((rng.choice(COMPARED), number, clause))
    return index


@pytest.mark.parametrize("signal", NUMBERED)
@pytest.mark.parametrize("odd", [0, 0.1, 0.3, 1])
def test_an_item_that_meets_a_comparison_is_a_candidate_however_it_is_written(
    signal: OtlpSignal, odd: float
) -> None:
    writer = ItemWriter(11, odd=odd)
    met = spared = 0
    for _ in range(150):
        payload = writer.request(signal, items=12)
        key = KEY if writer.rng.random() < 0.6 else writer.rng.choice([key for key in KEYS if key])
        if not NumberIndex.takes(key, 0):
            continue
        index = random_index(writer.rng, key)
        found = candidates_of(index, payload, signal)
        for item, attributes in enumerate(plain_attributes(payload, signal)):
            for comparator, number, clause in index.comparisons:
                if holds(attributes.get(key), comparator, number):
                    assert clause in found.get(item, ()), (item, attributes, index, payload)
                    met += 1
                elif key in attributes:
                    spared += clause not in found.get(item, ())

    assert met > 200
    assert spared > (200 if odd == 0 else 0)


def plain_attributes(payload: bytes, signal: OtlpSignal) -> Sequence[Mapping[str, Any]]:
    parts = framed(payload)
    items = [PLAIN[signal](parts.item(number)) for number in range(len(parts.starts))]
    return [plain_map(item.attributes) for item in items]


@pytest.mark.parametrize("signal", NUMBERED)
def test_a_payload_of_any_size_is_read_to_its_last_byte(signal: OtlpSignal) -> None:
    attribute = {"traces": 9, "logs": 6}[signal]
    for value in (b"", b"\x18\x02", b"\x18\xc8\x01", b"\x21" + b"\0" * 8):
        for key in ("n", "nn", "n" * 100):
            pair = b"".join(field_of(1, key.encode())) + b"".join(field_of(2, value))
            payload = request(b"".join(field_of(attribute, pair)))
            numbers = [plain_map(PLAIN[signal](framed(payload).item(0)).attributes)[key]]

            found = candidates_of(below(3, key=key), payload, signal)

            assert found.get(0, set()) >= {0 for number in numbers if holds(number, "<", 3)}


@pytest.mark.parametrize("tail", range(12))
def test_a_key_at_the_end_of_a_payload_is_read_or_in_doubt(tail: int) -> None:
    item = span(n=5)
    cut = item[: item.index(b"\x18\x05") + 2]
    payload = request(cut + b"\x48\x00" * (tail // 2) + b"\x5a\x00" * (tail % 2))

    found = candidates_of(below(3, 9), payload, "traces")

    assert found[0] >= {1}


def test_what_stands_in_a_key_is_not_read_for_its_value() -> None:
    key = "k\x12\x02\x18\x05abc"
    item = b"".join(field_of(9, _attribute(key, 1).SerializeToString()))

    assert candidates_of(below(3, key=key), request(item), "traces") == {0: {0}}


def test_a_tiny_payload_is_in_doubt() -> None:
    payload = b"\x4a\x03\x0a\x01n"
    at = Places(*(np.array([number], np.int64) for number in (4, 0, 0, 5)))

    assert candidates(below(3, 5), payload, "traces", at) == {0: [0, 1]}


@pytest.mark.parametrize("signal", NUMBERED)
@pytest.mark.parametrize("odd", [0.1, 1])
def test_a_walk_over_fields_arrives_only_where_one_begins(signal: OtlpSignal, odd: float) -> None:
    writer = ItemWriter(7, odd=odd)
    arrived = 0
    for _ in range(60):
        item = writer.item(signal)[:3_000]
        if not item:
            continue
        goals = np.arange(len(item) - 3)
        data = np.frombuffer(item + bytes(4), np.uint8)

        there = goals[_boundary(data, signal, np.zeros_like(goals), goals)]

        assert set(there.tolist()) <= boundaries(item)
        arrived += there.size

    assert arrived > 60


def boundaries(item: bytes) -> set[int]:
    """Return where the fields of an item begin, which may be cut off."""
    found, at = set(), 0
    with suppress(Malformed):
        while True:
            found.add(at)
            at = skip_field(item, *reversed(read_tag(item, at)))
    return found


@pytest.mark.parametrize("more", [0, 1, 300])
def test_a_walk_is_not_misled_by_a_length_of_three_bytes(more: int) -> None:
    """Two of them would lead to what looks like a whole attribute, in the middle of another."""
    size = (2 << 14) + more
    number, last = b"\x0a\x01n\x12\x02\x18\x05", b"\x12\x02\x18\x01"
    before = filler((1 << 14) - 1 + more + 2, b"J\x07")
    after = filler(size - len(before + number + last))
    item = b"".join(field_of(9, before + number + after + last))

    found = candidates_of(below(3), request(item, span()), "traces")

    assert plain_attributes(request(item), "traces") == [{"n": 1}]
    assert found == {0: {0}}


def filler(size: int, end: bytes = b"") -> bytes:
    """Return a field of so many bytes that no schema has."""
    inner = size - 5
    length = bytes([inner & 0x7F | 0x80, inner >> 7 & 0x7F | 0x80, inner >> 14])
    return b"\x9a\x01" + length + end.rjust(inner, b"-")


# What is spared


@pytest.mark.parametrize(
    ("number", "comparator", "constant"),
    [
        (5, "<", 5),
        (5, "<=", 4),
        (5, ">", 5),
        (5, ">=", 5.5),
        (5, "==", 4),
        (300, "<", 300),
        (70_000, "==", 70_001),
        (2**28 - 1, ">", 2**28 - 1),
        (0.5, "<", 0.5),
        (float("nan"), "==", 1),
        (float("nan"), "<", 1),
        (float("inf"), "<", 1),
    ],
)
def test_an_item_whose_number_meets_nothing_is_no_candidate(
    number: float, comparator: str, constant: float
) -> None:
    payload = request(span(a=1, n=number, z="z"), span(m=number))
    index = NumberIndex(b"n", [(comparator, constant, 7)])

    assert candidates_of(index, payload, "traces") == {}


def test_each_comparison_is_judged_for_itself_and_each_item_for_itself() -> None:
    payload = request(span(n=1), span(n=3), span(n=5), span(x=1), span(n=2.5))

    found = candidates_of(below(2, 4), payload, "traces")

    assert found == {0: {0, 1}, 1: {1}, 4: {1}}


def test_a_log_records_number_is_read_too() -> None:
    records = [LogRecord(attributes=[_attribute("n", number)]) for number in (1, 5)]
    payload = request(*(record.SerializeToString() for record in records), b"\x18\x00" * 9)

    assert candidates_of(below(3), payload, "logs") == {0: {0}}


@pytest.mark.parametrize(
    ("signal", "attribute", "before"),
    [
        ("traces", 9, b"\x85\x01\x01\x01\x00\x00\x39--------\x30\x02\x7a\x00"),
        ("logs", 6, b"\x45----\x59--------\x10\x09\x62\x02ab"),
    ],
)
def test_known_fields_before_a_number_are_stepped_over(
    signal: OtlpSignal, attribute: int, before: bytes
) -> None:
    pair = b"".join(field_of(attribute, _attribute("n", 5).SerializeToString()))
    payload = request(before + pair + before)

    assert candidates_of(below(3), payload, signal) == {}


@pytest.mark.parametrize("steps", [10, 60])
def test_an_item_with_more_fields_than_are_walked_is_a_candidate(steps: int) -> None:
    payload = request(span(**{f"a{number}": 1 for number in range(steps)}, n=5), span())

    assert candidates_of(below(3), payload, "traces") == ({} if steps == 10 else {0: {0}})


@pytest.mark.parametrize("size", [127, 128, 300, 16_383, 16_384, 70_000])
def test_a_field_before_the_number_may_be_long(size: int) -> None:
    payload = request(b"".join(field_of(5, b"x" * size)) + span(n=5), span())

    assert candidates_of(below(3), payload, "traces") == ({} if size < 16_384 else {0: {0}})


# What is in doubt


@pytest.mark.parametrize(
    "value",
    [
        AnyValue(string_value="5"),
        AnyValue(bool_value=True),
        AnyValue(int_value=-5),
        AnyValue(int_value=2**28),
        AnyValue(),
    ],
)
def test_a_value_that_is_no_small_number_is_in_doubt(value: AnyValue) -> None:
    item = Span(attributes=[KeyValue(key="n", value=value)]).SerializeToString()

    assert candidates_of(below(3), request(item), "traces") == {0: {0}}


@pytest.mark.parametrize(
    "pair",
    [
        b"\x12\x02\x18\x05\x0a\x01n",  # the value first
        b"\x0a\x01n\x12\x02\x18\x05\x12\x02\x18\x01",  # two values
        b"\x0a\x01n\x12\x02\x18\x05\x0a\x01n",  # two keys
        b"\x0a\x01n\x0a\x01m\x12\x02\x18\x05",  # the last key counts
        b"\x0a\x81\x00n\x12\x02\x18\x05",  # a long way to write one
        b"\x8a\x00\x01n\x12\x02\x18\x05",
        b"\x0a\x01n\x12\x82\x00\x18\x05",
        b"\x0a\x01n\x12\x03\x98\x00\x05",
        b"\x0a\x01n\x12\x04\x18\x05\x18\x01",  # two numbers
        b"\x0a\x01n\x12\x02\x18\x05\x98\x06\x01",  # an unknown field
        b"\x0a\x01n",  # no value
    ],
)
def test_an_attribute_written_in_another_way_is_in_doubt(pair: bytes) -> None:
    item = b"".join(field_of(9, pair))

    assert candidates_of(below(3), request(item), "traces") == {0: {0}}


@pytest.mark.parametrize(
    "before",
    [
        b"\x9a\x06\x00",  # a field that no schema has
        b"\x9b\x06\x9c\x06",  # a group
        b"\x30\xff\x01",  # a number of more than one byte
        b"\xb0\x00\x01",  # a tag of more bytes than it takes
        b"\x0a\x80\x80\x00",  # a length of more bytes than are read
    ],
)
def test_an_attribute_behind_what_the_walk_does_not_know_is_in_doubt(before: bytes) -> None:
    assert candidates_of(below(3), request(before + span(n=5)), "traces") == {0: {0}}


@pytest.mark.parametrize("hidden", [b"\x4dabJ\x07", b"\xed\x06abJ\x07", b"\xa2\x06\x02J\x07"])
def test_an_attribute_that_stands_within_another_field_is_in_doubt(hidden: bytes) -> None:
    pair = hidden + b"\x0a\x01n\x12\x02\x18\x05"
    item = b"".join(field_of(9, pair + b"\x12\x02\x18\x01"))
    (plain,) = plain_attributes(request(item), "traces")

    found = candidates_of(below(3), request(item), "traces")

    assert found[0] >= {0 for number in plain.values() if holds(number, "<", 3)}
    assert found == {0: {0}}


def test_a_key_that_stands_twice_in_an_item_is_in_doubt() -> None:
    twice = span(n=5) + b"".join(field_of(9, _attribute("n", 1).SerializeToString()))
    event = span(n=5) + b"".join(field_of(11, b"\x1a\x09\x0a\x01n\x12\x02\x18\x01"))

    assert candidates_of(below(3), request(span(n=5), twice, event), "traces") == {1: {0}, 2: {0}}


def test_a_key_within_a_longer_word_is_none() -> None:
    assert candidates_of(below(3), request(span(xn=1, nx="nn")), "traces") == {}


# What can be indexed


@pytest.mark.parametrize(
    ("key", "number", "takes"),
    [
        ("n", 5, True),
        ("n", -0.5, True),
        ("n" * 100, 5, True),
        ("ключ" * 12, 5, True),
        ("ключ" * 13, 5, False),
        ("n" * 101, 5, False),
        ("", 5, False),
        ("n", 2**53 - 1, True),
        ("n", 2**53, False),
        ("n", -(2**53), False),
        ("n", float("inf"), False),
    ],
)
def test_what_can_be_read_exactly_is_taken(key: str, number: float, *, takes: bool) -> None:
    assert NumberIndex.takes(key, number) is takes


def test_no_place_of_the_key_is_no_candidate() -> None:
    assert candidates_of(below(3), request(span(m=1)), "traces") == {}
    assert candidates_of(below(3), b"", "traces") == {}
