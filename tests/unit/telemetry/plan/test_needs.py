"""What an index looks for, by condition."""

import pytest

from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import Argument, Call, Compare, Condition, Literal, Truth
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.needs import (
    Need,
    exact,
    key_need,
    need_of,
    number_need_of,
    opposite_of,
)
from tests.support.otlp_conditions import CONTEXTS, path


def need(condition: str, signal: OtlpSignal = "traces", context: str = "") -> Need | None:
    return need_of(parse(condition, context or CONTEXTS[signal]), signal)


def patterns(condition: str, signal: OtlpSignal = "traces", context: str = "") -> set[bytes]:
    found = need(condition, signal, context)
    assert found is not None
    return set(found.patterns)


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
    ("condition", "opposite"),
    [
        ('attributes["a"] != "x"', 'attributes["a"] == "x"'),
        ('"x" != attributes["a"]', '"x" == attributes["a"]'),
        ('not (attributes["a"] == "x")', 'attributes["a"] == "x"'),
        ('not (attributes["a"] < 5)', 'attributes["a"] < 5'),
        ('not (5 != attributes["a"])', '5 != attributes["a"]'),
        ('attributes["a"] == "x"', None),
        ('attributes["a"] != attributes["b"]', None),
        ('attributes["a"]["b"] != "x"', None),
        ('Concat([attributes["a"]], "") != "x"', None),
        ('not (not (attributes["a"] == "x"))', None),
        ('not IsMatch(attributes["a"], attributes["b"])', None),
        ('not IsMatch(name, "x")', None),
        ("not true", None),
        ('name != "x"', None),
    ],
)
def test_the_opposite_of_a_comparison_is_known(condition: str, opposite: str | None) -> None:
    found = opposite_of(parse(condition, "span"))

    assert (found and need_of(found, "traces")) == (opposite and need(opposite))
    assert (found is None) == (opposite is None)


def test_of_an_attribute_that_must_not_match_it_is_known_that_it_is_not_there() -> None:
    found = opposite_of(parse('not IsMatch(attributes["a"], "healthz_path")', "span"))

    assert found is not None
    assert need_of(found, "traces") == key_need("a")


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
