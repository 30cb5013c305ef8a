"""What parses, into which tree, and what is refused at which column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.engines.ottl.lexer import LONGEST
from reflexarc.engines.ottl.parser import DEEPEST, parse
from reflexarc.engines.ottl.syntax import (
    And,
    Argument,
    Arithmetic,
    Call,
    Compare,
    Function,
    ListOf,
    Literal,
    MapOf,
    Negative,
    Not,
    Or,
    OttlError,
    Path,
    Truth,
    Value,
)


def right_side(text: str, context: str = "span") -> Value:
    tree = parse(f"name == {text}", context)
    assert isinstance(tree, Compare)
    return tree.right


def test_and_binds_closer_than_or_and_not_closest() -> None:
    tree = parse("true or not false and true", "span")

    assert tree == Or(
        (
            Truth(Literal(value=True, column=1), 1),
            And(
                (
                    Not(Truth(Literal(value=False, column=13), 13), 9),
                    Truth(Literal(value=True, column=23), 23),
                ),
                9,
            ),
        ),
        1,
    )


def test_parentheses_hold_conditions_or_numbers_by_what_follows_them() -> None:
    conditions = parse("(kind == 1 or kind == 2) and true", "span")
    numbers = parse("(kind + 1) * 2 == 4", "span")

    assert isinstance(conditions, And)
    assert isinstance(conditions.conditions[0], Or)
    assert isinstance(numbers, Compare)
    assert isinstance(numbers.left, Arithmetic)
    assert numbers.left.operator == "*"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e2", -150.0),
        ("0x0aFF", b"\x0a\xff"),
        ('""', ""),
        (r'"a\"b\\c\n\x41\u00e9\U0001F600\101"', 'a"b\\c\nA\u00e9\U0001f600A'),
        ("SPAN_KIND_SERVER", 2),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_literals_are_what_they_write(text: str, value: object) -> None:
    found = right_side(text)

    assert isinstance(found, Literal)
    assert found.value == value
    assert type(found.value) is type(value)


def test_a_path_starts_with_a_context_or_means_its_own() -> None:
    own = right_side('attributes["a"][0]')
    other = right_side('resource.attributes["a"]')
    alias = right_side("instrumentation_scope.name")
    nested = right_side("status.code")

    assert own == Path("span", ("attributes",), (Literal("a", 20), Literal(0, 25)), 9)
    assert other == Path("resource", ("attributes",), (Literal("a", 29),), 9)
    assert alias == Path("scope", ("name",), (), 9)
    assert nested == Path("span", ("status", "code"), (), 9)


def test_a_key_may_be_any_calculation() -> None:
    found = right_side('attributes[name][kind + 1][Int("1")]')

    assert isinstance(found, Path)
    assert [type(key) for key in found.keys] == [Path, Arithmetic, Call]


def test_keys_in_the_midst_of_a_path_parse_but_name_no_field() -> None:
    found = right_side('attributes["a"].b')

    assert found == Path("span", ("attributes[...]", "b"), (), 9)


def test_calls_take_arguments_by_place_and_by_name_and_functions() -> None:
    found = right_side("Foo(1, SHA256, Sha, by=[nil, 2], map={})[1]")

    assert found == Call(
        "Foo",
        (
            Argument("", Literal(1, 13)),
            Argument("", Function("SHA256", 16)),
            Argument("", Function("Sha", 24)),
            Argument("by", ListOf((Literal(None, 33), Literal(2, 38)), 32)),
            Argument("map", MapOf((), 46)),
        ),
        (Literal(1, 50),),
        9,
    )


def test_an_enum_as_an_argument_is_its_number() -> None:
    found = right_side("Foo(SPAN_KIND_CLIENT)")

    assert found == Call("Foo", (Argument("", Literal(3, 13)),), (), 9)


def test_maps_and_lists_take_commas_as_loosely_as_the_collector() -> None:
    assert right_side('{"a": 1 "b": 2,}') == MapOf(
        (("a", Literal(1, 15)), ("b", Literal(2, 22))), 9
    )
    assert right_side("[]") == ListOf((), 9)
    assert right_side("[1 2, 3]") == ListOf((Literal(1, 10), Literal(2, 12), Literal(3, 15)), 9)


def test_calculations_go_from_left_to_right() -> None:
    found = right_side("1 - 2 - 3")

    assert isinstance(found, Arithmetic)
    assert isinstance(found.left, Arithmetic)
    assert found.right == Literal(3, 17)


def test_a_sign_before_something_that_is_no_number_is_kept() -> None:
    assert right_side("-kind") == Negative(Path("span", ("kind",), (), 10), 9)
    assert right_side("-(1 + 2)") == Negative(
        Arithmetic("+", Literal(1, 11), Literal(2, 15), 11), 9
    )


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "expected a value, the condition ends"),
        ("name", 5, "expected a comparison"),
        ("name and true", 6, "expected a comparison"),
        ('name == "x', 9, "no closing quote"),
        ("name == \u0663", 9, "has no meaning here"),
        ("name =< 1", 6, "expected a comparison, found '='"),
        ("name <> 1", 7, "expected a value"),
        ("name == 1 == 2", 11, "expected the end"),
        ('(name == "x"))', 14, "expected the end"),
        ("(name == 1", 11, "expected ')'"),
        ("(name == 1]", 11, "expected ')'"),
        ("name == (1 + 2", 15, "expected ')'"),
        ("name == )", 9, "expected a value"),
        (r'name == "a\d"', 11, "is no escape"),
        (r'name == "a\400"', 11, "is no escape"),
        (r'name == "a\ud800"', 11, "is no escape"),
        (r'name == "a\U00110000"', 11, "is no escape"),
        ("name == 0xabc", 9, "an even number of digits"),
        ("name == 9223372036854775808", 9, "64 bits"),
        ("name == 99999999999999999999999", 9, "64 bits"),
        ("name == 1.0e999", 9, "64 bits"),
        ("name == UNKNOWN", 9, "UNKNOWN is unknown in context span"),
        ("name == Foo(", 13, "expected a value, the condition ends"),
        ("name == Foo(a=", 15, "expected a value, the condition ends"),
        ("name == Foo(1", 14, "expected ','"),
        ("name == Foo(1,)", 15, "expected an argument"),
        ("name == Foo(A=1)", 13, "small letter"),
        ("set(name)", 1, "changes telemetry"),
        ("name == attributes[", 20, "expected a value"),
        ('name == attributes["a"', 23, "expected ']'"),
        ("name == attributes.", 20, "a field's name"),
        ("name == attributes.Foo", 20, "a field's name"),
        ("name == fooBar", 9, "a field's name"),
        ("name == [1", 11, "expected a value"),
        ("name == {1: 2}", 10, "a key in quotes"),
        ('name == {"a" 2}', 14, "expected ':'"),
        ("name == and", 9, "expected a value"),
        ("not not true", 5, "expected a value"),
        ("1 == --1", 7, "expected a value"),
    ],
)
def test_what_does_not_parse_is_refused_at_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(OttlError) as refused:
        parse(text, "span")

    assert refused.value.column == column
    assert reason in refused.value.reason
    assert str(refused.value).endswith(f"\n{' ' * (column - 1)}^")


def test_without_a_context_no_context_is_named() -> None:
    with pytest.raises(OttlError, match="FOO is unknown here"):
        parse("FOO == 1", "")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "true" + ")" * 500,
        "a == " + "[" * 500 + "]" * 500,
        "a == " + '{"a":' * 500 + "1" + "}" * 500,
        "a == " + "F(" * 500 + ")" * 500,
        "a == " + "(" * 500 + "1" + ")" * 500,
        "a == a" + "[a" * 500 + "]" * 500,
        "a == 1" + " + 1" * 500,
        "a == 1" + " * 1" * 500,
    ],
)
def test_nesting_has_a_limit(text: str) -> None:
    with pytest.raises(OttlError, match=f"nested deeper than {DEEPEST}"):
        parse(text, "span")


def test_many_conditions_side_by_side_are_no_nesting() -> None:
    tree = parse(" or ".join(["(kind == 1)"] * 500), "span")

    assert isinstance(tree, Or)
    assert len(tree.conditions) == 500


def test_a_condition_has_a_longest_length() -> None:
    with pytest.raises(OttlError, match="longer than"):
        parse("a" * (LONGEST + 1), "span")


WORDS = st.sampled_from(
    [
        *("and", "or", "not", "nil", "true", "false", "(", ")", "[", "]", "{", "}", ",", ".", ":"),
        *("=", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "0x1", "0x12", "1", "1.5"),
        *('"a"', '"\\', '"\\\\d"', "SPAN_KIND_SERVER", "Foo", "foo", "attributes", "\u00e9"),
    ]
)


WHOLE = (
    'Foo(1, SHA256, by=[nil, 2], map={"a": 1})[1] == attributes["a"][name + 1].b and not'
    ' (resource.attributes["x"] != 0x12 or (kind * (2 + -3) >= .5e1)) or IsMatch(name, "\\\\d")'
)
PLACES = st.integers(0, len(WHOLE))
BROKEN = st.builds(
    lambda start, end, word: WHOLE[:start] + word + WHOLE[end:], PLACES, PLACES, WORDS
)


def column_of_error(text: str) -> int | None:
    try:
        parse(text, "span")
    except OttlError as error:
        return error.column
    return None


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_a_condition_that_breaks_off_is_refused_within_it(size: int) -> None:
    assert (column_of_error(WHOLE[:size]) or 0) <= size + 1
    assert column_of_error(WHOLE) is None


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=40).map(" ".join), BROKEN))
def test_parsing_raises_nothing_but_ottl_errors(text: str) -> None:
    assert 1 <= (column_of_error(text) or 1) <= len(text) + 1
