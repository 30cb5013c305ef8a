"""Whatever an index looks for is in every item that meets the condition, however it is written."""

import random
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.ottl.coercion import string_like
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import Not
from reflexarc.engines.ottl.values import COMPARATORS, EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.needs import Need, need_of, number_need_of, opposite_of
from tests.support.otlp_conditions import (
    CONTEXTS,
    PLAIN,
    ConditionWriter,
    holds,
    is_match,
    path,
    pattern_for,
    plain_map,
    plain_value,
)
from tests.support.otlp_items import SIGNALS, ItemWriter

ODD = (0, 0.1, 0.3, 1)


def need(condition: str, signal: OtlpSignal = "traces", context: str = "") -> Need | None:
    return need_of(parse(condition, context or CONTEXTS[signal]), signal)


def met(found: Need | None, item: bytes) -> bool:
    return found is None or any(pattern in item for pattern in found.patterns)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", ODD)
def test_an_item_that_meets_a_condition_holds_what_it_needs(signal: OtlpSignal, odd: float) -> None:
    writer = ItemWriter(int(odd * 10), odd=odd)
    conditions = ConditionWriter(writer.rng, signal)
    useful = 0
    for _ in range(300):
        item = writer.item(signal)
        plain = PLAIN[signal](item)
        for condition in [conditions.condition(plain) for _ in range(3)]:
            found = need_of(condition, signal)
            if found and holds(condition, signal, plain):
                assert met(found, item), (condition, item)
                useful += 1

    assert useful > 60


@pytest.mark.parametrize("seed", range(3))
def test_any_value_whose_text_matches_holds_what_the_match_needs(seed: int) -> None:
    texts = (
        "\nhello_there/",
        "<goodbye>",
        "a&b_hello",
        "\u2028see_you",
        "\x01bye_bye",
        "\x1fyes_sir",
    )
    writer = ItemWriter(seed, odd=0.1, texts=(*texts, "execute_tool", "plain/text", "q" * 40))
    useful = 0
    for _ in range(1_500):
        value = writer.any_value()
        condition = is_match(path("log", "body"), _pattern(writer.rng, value))
        found = need_of(condition, "logs")
        item = writer.held(5, value)
        if found and holds(condition, "logs", LogRecord.FromString(item)):
            assert met(found, item), (condition, item)
            useful += 1

    assert useful > 30


def _pattern(rng: random.Random, value: bytes) -> str:
    try:
        text = string_like(plain_value(AnyValue.FromString(value)))
    except EvaluationError:
        text = None
    return pattern_for(rng, text) if text else "execute_tool"


@pytest.mark.parametrize("seed", range(2))
def test_bytes_within_lists_hold_what_a_match_of_their_base64_needs(seed: int) -> None:
    rng = random.Random(seed)
    useful = 0
    for _ in range(400):
        value = AnyValue(bytes_value=rng.randbytes(rng.randint(6, 40)))
        body = AnyValue(array_value=ArrayValue(values=[value]))
        text = str(string_like(plain_value(body)))
        begin = rng.randint(2, 10)
        condition = is_match(path("log", "body"), text[begin : begin + rng.randint(7, 30)])
        found = need_of(condition, "logs")
        record = LogRecord(body=body)
        if found and holds(condition, "logs", record):
            assert met(found, record.SerializeToString()), condition
            useful += 1

    assert useful > 100


@pytest.mark.parametrize("odd", ODD)
def test_an_item_that_meets_a_comparison_has_a_number_that_meets_it(odd: float) -> None:
    writer = ItemWriter(3, odd=odd)
    conditions = ConditionWriter(writer.rng, "traces")
    useful = 0
    for _ in range(600):
        item = writer.item("traces")
        plain = PLAIN["traces"](item)
        condition = conditions.atom(plain)
        found = number_need_of(condition, "traces")
        if found and holds(condition, "traces", plain):
            values = [
                plain_map(plain.attributes),
                *(plain_map(each.attributes) for each in plain.events),
            ]
            numbers = [held.get(found.key) for held in values]
            assert any(_compared(each, found.comparator, found.number) for each in numbers)
            useful += 1

    assert useful > 15


def _compared(value: Any, comparator: str, number: float) -> bool:
    return type(value) in {int, float} and COMPARATORS[comparator](value, number)


@pytest.mark.parametrize("odd", ODD)
def test_what_asks_only_for_an_absence_holds_where_the_bytes_of_its_opposite_are_missing(
    odd: float,
) -> None:
    writer = ItemWriter(4, odd=odd)
    conditions = ConditionWriter(writer.rng, "traces")
    useful = 0
    for _ in range(300):
        item = writer.item("traces")
        plain = PLAIN["traces"](item)
        for atom in [conditions.atom(plain) for _ in range(3)]:
            condition = Not(atom, 1)
            opposite = opposite_of(condition)
            found = opposite and need_of(opposite, "traces")
            if found and "spanevent" not in repr(condition) and not met(found, item):
                assert holds(condition, "traces", plain), (condition, item)
                useful += 1

    assert useful > 30


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_match_that_raises_is_not_taken_for_one_that_fails(value: float) -> None:
    condition = parse('not IsMatch(attributes["a"], "healthz_path")', "span")
    span = Span(attributes=[KeyValue(key="a", value=AnyValue(double_value=value))])
    opposite = opposite_of(condition)
    assert opposite is not None

    found = need_of(opposite, "traces")

    assert not holds(condition, "traces", span)
    assert found is not None
    assert met(found, span.SerializeToString())


@pytest.mark.parametrize("escaped", ["\n", "\t", "\r", "\b", "\f", "\x00", "\x1f", "<", ">", "&"])
def test_a_match_that_begins_within_an_escape_needs_what_is_behind_it(escaped: str) -> None:
    value = AnyValue(string_value=f"{escaped}hello_there")
    body = AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=value)]))
    rendered = str(string_like(plain_value(body)))
    begin = rendered.index("\\") + 1
    item = LogRecord(body=body).SerializeToString()
    for at in range(begin, rendered.index("hello") + 1):
        condition = is_match(path("log", "body"), rendered[at : rendered.index("there")])
        found = need_of(condition, "logs")

        assert holds(condition, "logs", LogRecord(body=body))
        assert found is not None
        assert met(found, item)


def test_a_match_of_a_numbers_digits_needs_nothing_of_the_bytes() -> None:
    span = Span(start_time_unix_nano=1_760_000_000_000_000_000, kind=Span.SPAN_KIND_CLIENT)

    assert holds(parse('IsMatch(start_time_unix_nano, "1760000")', "span"), "traces", span)
    assert need('IsMatch(start_time_unix_nano, "1760000")') is None
    assert need('IsMatch(kind, "CLIENT")') is None
