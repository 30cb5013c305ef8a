"""Whatever an index looks for is in every item that meets the condition, however it is written."""

import random
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.ottl.coercion import string_like
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import Argument, Call, Compare, Condition, Literal, Truth
from reflexarc.engines.ottl.values import COMPARATORS, EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.needs import Need, exact, key_need, need_of, number_need_of
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


def patterns(condition: str, signal: OtlpSignal = "traces", context: str = "") -> set[bytes]:
    found = need(condition, signal, context)
    assert found is not None
    return set(found.patterns)


def met(found: Need | None, item: bytes) -> bool:
    return found is None or any(pattern in item for pattern in found.patterns)


# Soundness


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


# What is looked for


def test_a_text_is_looked_for_with_its_tag_and_length() -> None:
    assert exact("chat", 0x0A) == {b"\n\x04chat", b"\0\x04chat", b"\0chat"}


def test_a_long_text_is_looked_for_as_it_is() -> None:
    assert exact("x" * 128, 0x0A) == {b"x" * 128}
    assert b"\n\x7f" + b"x" * 127 in exact("x" * 127, 0x0A)


def test_bytes_are_looked_for_like_texts_and_an_empty_text_is_not() -> None:
    assert exact(b"\xff", 0x3A) == {b"\x3a\x01\xff", b"\0\x01\xff", b"\0\xff"}
    assert exact("", 0x0A) == frozenset()
    assert key_need("") is None


@pytest.mark.parametrize(
    ("condition", "signal", "pattern"),
    [
        ('attributes["tenant"] == "umbrella"', "traces", b"\n\x08umbrella"),
        ('"umbrella" == attributes["tenant"]', "traces", b"\n\x08umbrella"),
        ('name == "chat"', "traces", b"\x2a\x04chat"),
        ('name == "http.requests"', "metrics", b"\x0a\x0dhttp.requests"),
        ('description == "how many"', "metrics", b"\x12\x08how many"),
        ('unit == "By/s"', "metrics", b"\x1a\x04By/s"),
        ('severity_text == "DEBUG"', "logs", b"\x1a\x05DEBUG"),
        ('event_name == "exception"', "logs", b"\x62\x09exception"),
        ('body == "started"', "logs", b"\n\x07started"),
        ('IsMatch(name, "^chat$")', "traces", b"\x2a\x04chat"),
        ('IsMatch(name, "chat.*")', "traces", b"chat"),
        ('IsMatch(attributes["user_agent"], "^kube-probe/")', "traces", b"kube-probe/"),
        ('IsMatch(body, "^(ping|pong)$")', "logs", b"\n\x04pong"),
        ('IsMatch(body, "NVRM: Xid")', "logs", None),
        ('IsMatch(body, "NVRM_Xid")', "logs", b"NVRM_Xid"),
    ],
)
def test_a_value_is_looked_for(condition: str, signal: OtlpSignal, pattern: bytes | None) -> None:
    found = need(condition, signal)

    assert (found is not None and pattern in found.patterns) if pattern else found is None
    assert found is None or found.value


@pytest.mark.parametrize(
    ("condition", "context", "signal"),
    [
        ('attributes["tenant"] == "umbrella"', "spanevent", "traces"),
        ('attributes["tenant"] == "umbrella"', "datapoint", "metrics"),
    ],
)
def test_a_value_of_a_part_is_looked_for_in_its_item(
    condition: str, context: str, signal: OtlpSignal
) -> None:
    assert b"\n\x08umbrella" in patterns(condition, signal, context)


@pytest.mark.parametrize(
    "condition",
    [
        'attributes["tenant"] == "u"',
        'attributes["tenant"] == ""',
        'attributes["tenant"] == true',
        'attributes["tenant"] == 5',
        'attributes["tenant"] == 0x0a0b0c0d',
        'attributes["tenant"] < "x"',
        'attributes["tenant"] >= 5',
        'attributes["tenant"] != nil',
        'nil != attributes["tenant"]',
        'IsMatch(attributes["tenant"], ".*")',
        'IsMatch(attributes["tenant"], "500")',
        'IsMatch(attributes["tenant"], "true")',
        'IsMatch(attributes["tenant"], "deadbeef")',
        'IsMatch(attributes["tenant"], "health")',
        'IsMatch(attributes["tenant"], "^g$")',
        'IsMatch(attributes["tenant"], "a: b")',
    ],
)
def test_where_no_value_can_be_the_key_is_looked_for(condition: str) -> None:
    found = need(condition)

    assert found == key_need("tenant")
    assert not (found and found.value)


@pytest.mark.parametrize(
    "condition",
    [
        'attributes["tenant"] == nil',
        'attributes["tenant"] != "umbrella"',
        'attributes["tenant"] <= nil',
        'attributes["tenant"]["x"] == "umbrella"',
        'not (attributes["tenant"] == "umbrella")',
        'attributes["a"] == attributes["b"]',
        'resource.attributes["tenant"] == "umbrella"',
        'attributes["tenant"] == "umbrella" or true',
        'attributes["tenant"] == "umbrella" or kind == 2',
        'Concat(["a", "b"], "") == "ab"',
        'IsString(attributes["tenant"])',
        'IsMatch("umbrella", attributes["tenant"])',
        'IsMatch(Concat([name], ""), "umbrella")',
        'IsMatch(name, attributes["pattern"])',
        'IsMatch(name, "")',
        'name == ""',
        'name == "é" or name == ""',
        'name == "n" or name == "m"',
        "name != nil",
        "kind == 2",
        "true",
    ],
)
def test_a_condition_that_may_hold_without_any_bytes_needs_none(condition: str) -> None:
    assert need(condition) is None


def test_both_a_key_and_a_value_make_the_value_looked_for() -> None:
    both = 'attributes["a"] != nil and attributes["tenant"] == "umbrella" and kind == 2'

    assert patterns(both) == exact("umbrella", 0x0A)


def test_of_two_values_the_longer_is_looked_for() -> None:
    assert patterns('name == "chat" and attributes["tenant"] == "umbrella"') == exact(
        "umbrella", 0x0A
    )
    assert need("kind == 2 and true") is None


def test_of_alternatives_every_one_is_looked_for() -> None:
    found = need('name == "chat" or attributes["tenant"] != nil')

    assert found == Need(exact("chat", 0x2A) | exact("tenant", 0x0A), value=False)


def test_too_many_alternatives_are_not_looked_for() -> None:
    few, many = (" or ".join(f'name == "text{n}"' for n in range(count)) for count in (170, 171))

    assert need(few) is not None
    assert need(many) is None


def test_a_call_that_is_no_match_of_two_things_needs_nothing() -> None:
    target, pattern = Argument("", path("span", "name")), Argument("", Literal("chat", 1))
    one = Call("IsMatch", (target,), (), 1)
    indexed = Call("IsMatch", (target, pattern), (Literal(0, 1),), 1)

    assert need_of(Truth(one, 1), "traces") is None
    assert need_of(Truth(indexed, 1), "traces") is None


@pytest.mark.parametrize(
    ("condition", "key", "comparator", "number"),
    [
        ('attributes["n"] < 3', "n", "<", 3),
        ('3 < attributes["n"]', "n", ">", 3),
        ('3 >= attributes["n"]', "n", "<=", 3),
        ('3.5 > attributes["n"]', "n", "<", 3.5),
        ('3 <= attributes["n"]', "n", ">=", 3),
        ('attributes["n"] == 3', "n", "==", 3),
    ],
)
def test_a_number_is_looked_for_by_its_key(
    condition: str, key: str, comparator: str, number: float
) -> None:
    found = number_need_of(parse(condition, "span"), "traces")

    assert found is not None
    assert (found.key, found.comparator, found.number) == (key, comparator, number)


@pytest.mark.parametrize(
    "condition",
    [
        'attributes["n"] != 3',
        'attributes["n"] == "3"',
        'attributes["n"] == true',
        'attributes["n"] == nil',
        'attributes["n"] < attributes["m"]',
        'attributes["n"]["m"] < 3',
        'resource.attributes["n"] < 3',
        "kind < 3",
        "3 < 4",
        'not (attributes["n"] < 3)',
    ],
)
def test_what_compares_no_attribute_with_a_number_needs_none(condition: str) -> None:
    assert number_need_of(parse(condition, "span"), "traces") is None


def test_an_attribute_indexed_by_another_is_not_looked_for() -> None:
    key = path("span", "name")
    by_name = Compare("==", path("span", "attributes"), Literal("umbrella", 1), 1)
    indexed: Condition = Compare(
        "==", type(key)("spanevent", ("attributes",), (key,), 1), Literal("umbrella", 1), 1
    )

    assert need_of(by_name, "traces") is None
    assert need_of(indexed, "traces") is None
