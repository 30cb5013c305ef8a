"""Compiled conditions agree with a walk of their tree, and are judged from left to right."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.code import Fragment
from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.syntax import (
    And,
    Arithmetic,
    Comparator,
    Compare,
    Condition,
    Constant,
    Literal,
    Negative,
    Not,
    Or,
    Path,
    Truth,
    Value,
)
from reflexarc.engines.ottl.values import (
    COMPARATORS,
    EvaluationError,
    calculate,
    field_at,
    negative,
)
from tests.conformance.ottl_telemetry import messages
from tests.support.ottl import compiled, conditions, judge

SPAN: dict[str, Any] = {
    "name": "bear",
    "kind": 2,
    "trace_id": "0102030405060708090a0b0c0d0e0f10",
    "status": {"code": 2},
    "start_time": 10**18,
    "end_time": 10**18 + 10**9,
    "attributes": {
        "one": 1,
        "zero": 0,
        "half": 0.5,
        "large": 9007199254740993,
        "yes": True,
        "no": False,
        "text": "t",
        "key": "text",
        "list": ["a", 1],
        "map": {"a": 1},
    },
}


@pytest.mark.parametrize("text", conditions("spans"))
def test_conditions_hold_for_a_span_that_they_describe(text: str) -> None:
    assert judge(text, "span", span=SPAN)


@pytest.mark.parametrize(
    "text",
    [
        'ParseJSON("1")',
        "Len(name)",
        'attributes["one"]["x"] == 1',
        'attributes["list"][5] == 1',
        'attributes["list"]["a"] == 1',
        "attributes[kind] == 1",
        'Split(name, "e")[9] == "x"',
        'ParseJSON("{}")["a"] == 1',
        'attributes["text"] + 1 == 1',
        "kind / 0 == 1",
        "1 / 0 == 1",
        '-attributes["text"] == 1',
        'ParseJSON("1") < nil',
        'HasPrefix(attributes["one"], "a")',
        'Bool(attributes["nothing"])',
    ],
)
def test_what_cannot_be_judged_raises_and_was_foreseen(text: str) -> None:
    condition = compiled(text, "span")

    assert condition.can_error
    with pytest.raises(EvaluationError):
        condition.holds(*messages("span", {"span": SPAN}))


def test_conditions_without_converters_that_fail_never_raise() -> None:
    for text in ('name == "a"', 'attributes["a"] < 1 or kind == 1', "IsRootSpan()", "kind + 1 > 2"):
        assert not compiled(text, "span").can_error


def test_judging_stops_where_the_answer_is_known() -> None:
    assert not judge('name == "cat" and ParseJSON("1") == 1', "span", span=SPAN)
    assert judge('name == "bear" or ParseJSON("1") == 1', "span", span=SPAN)
    with pytest.raises(EvaluationError):
        judge('ParseJSON("1") == 1 and name == "cat"', "span", span=SPAN)


def test_a_literal_decides_before_all_else_as_in_the_collector() -> None:
    assert not judge('ParseJSON("1") == 1 and 1 == 2')
    assert judge('ParseJSON("1") == 1 or not (1 == 2)')
    assert not judge("1 == 2 or false")
    assert judge("true and 1 < 2")
    with pytest.raises(EvaluationError):
        judge('ParseJSON("1") == 1 and Int("1") == 2')


def test_the_source_holds_nothing_that_a_user_wrote_but_reprs() -> None:
    text = 'name == "x\') or __import__(\\"os\\").abort() #" and attributes["\\"]"] == 1'

    source = compiled(text, "span").source

    assert repr('x\') or __import__("os").abort() #') in source
    assert not judge(text, "span", span=SPAN)


class Shortcut:
    """A source of paths that compares one field in a way of its own."""

    parameters = ("names",)

    def read(self, path: Path) -> Fragment:
        return Fragment(f"names[{path.names[0]!r}]", "string", optional=False)

    def compare(self, path: Path, comparator: Comparator, constant: object) -> Fragment | None:
        assert path.names == ("name",)
        if comparator != "==":
            return None
        return Fragment("(_same(names))", "bool", names={"_same": lambda names: constant in names})


def test_a_source_of_paths_may_compare_in_its_own_way() -> None:
    equal = compile_condition(parse('name == "a"', "span"), Shortcut())
    other = compile_condition(parse('name != "a"', "span"), Shortcut())

    assert equal.holds({"a": 1})
    assert other.holds({"name": "b"})


# Random conditions


def walk(condition: Condition, span: Any) -> bool:
    """Judge a condition slowly, by the rules alone."""
    match condition:
        case And(conditions):
            return all(walk(each, span) for each in conditions)
        case Or(conditions):
            return any(walk(each, span) for each in conditions)
        case Not(inner):
            return not walk(inner, span)
        case Truth(Literal(value)):
            return value is True
        case Compare(comparator, left, right):
            return COMPARATORS[comparator](worth(left, span), worth(right, span))
    raise AssertionError(condition)


def worth(value: Value, span: Any) -> object:
    match value:
        case Literal(constant):
            return constant
        case Path(names=("attributes",), keys=keys):
            return field_at(span["attributes"], [worth(key, span) for key in keys])
        case Path(names=names):
            return span[names[0]]
        case Arithmetic(operator, left, right):
            return calculate(operator, worth(left, span), worth(right, span))
        case Negative(inner):
            return negative(worth(inner, span))
    raise AssertionError(value)


KEYS = st.sampled_from(["one", "zero", "half", "large", "yes", "no", "text", "list", "map", "x"])
NUMBERS = st.sampled_from([0, 1, 2, 2**53, 2**53 + 1, 2**63 - 1])
FLOATS = st.sampled_from([0.0, 1.0, 0.5, 2.0**53, 9.3e18])
TEXTS = st.sampled_from(["", "t", "bear"])
WRITTEN: st.SearchStrategy[Constant] = st.one_of(
    st.none(), st.booleans(), NUMBERS, FLOATS, TEXTS, st.just(b"t")
)
CONSTANTS = WRITTEN.map(lambda value: Literal(value, 1))
PATHS = st.one_of(
    KEYS.map(lambda key: Path("span", ("attributes",), (Literal(key, 1),), 1)),
    st.sampled_from(["name", "kind"]).map(lambda name: Path("span", (name,), (), 1)),
    st.builds(
        lambda key, inner: Path("span", ("attributes",), (Literal(key, 1), Literal(inner, 1)), 1),
        KEYS,
        st.sampled_from(["a", 0, 1]),
    ),
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.one_of(CONSTANTS, PATHS),
    lambda inner: st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner, st.just(1)),
        st.builds(Negative, inner, st.just(1)),
    ),
    max_leaves=3,
)
COMPARED = st.builds(Compare, st.sampled_from(list(COMPARATORS)), VALUES, VALUES, st.just(1))
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        st.builds(Not, inner, st.just(1)),
        st.builds(And, st.tuples(inner, inner), st.just(1)),
        st.builds(Or, st.tuples(inner, inner), st.just(1)),
    ),
    max_leaves=4,
)


def outcome(judged: Any, *arguments: Any) -> object:
    try:
        return judged(*arguments)
    except EvaluationError:
        return "error"


def decided(condition: Condition) -> bool:
    """Tell whether literals alone decide a part: the Collector then does not look at the rest."""
    match condition:
        case And(conditions) | Or(conditions):
            return any(decided(each) for each in conditions)
        case Not(inner):
            return decided(inner)
        case Compare(_, Literal(), Literal()):
            return True
    return False


@given(CONDITIONS)
def test_a_compiled_condition_agrees_with_a_walk_of_its_tree(condition: Condition) -> None:
    check(condition, "span", "")
    found = compile_condition(condition, PlainPaths("span"))
    given_messages = messages("span", {"span": SPAN})

    got, expected = outcome(found.holds, *given_messages), outcome(walk, condition, SPAN)

    assert got == expected or (decided(condition) and "error" in {got, expected})
    assert found.can_error or got != "error"


def test_conditions_of_the_resource_take_the_resource_alone() -> None:
    found = compiled('attributes["a"] == nil and schema_url == ""', "resource")

    assert found.holds(ResourceSpans())
    assert compiled('resource.schema_url == "" and name == ""', "scope").holds(
        ResourceSpans(), ScopeSpans()
    )
