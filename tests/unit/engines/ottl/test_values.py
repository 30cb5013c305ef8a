"""What compares with what, and what calculations give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reflexarc.engines.ottl.values import (
    COMPARATORS,
    Duration,
    EvaluationError,
    Id,
    Records,
    Time,
    calculate,
    equal,
    field_at,
    int64,
    less,
    less_equal,
    negative,
    result_at,
    same,
    type_name,
)

UNLIKE: list[object] = [
    None,
    True,
    1,
    "1",
    b"1",
    [1],
    {"a": 1},
    Time(1),
    Duration(1),
    Id(bytes(8)),
    Records(1),
]


@pytest.mark.parametrize("left", UNLIKE)
@pytest.mark.parametrize("right", UNLIKE)
def test_values_of_unlike_types_are_unequal_and_never_ordered(left: object, right: object) -> None:
    if type(left) is type(right):
        return

    answers = {sign: compare(left, right) for sign, compare in COMPARATORS.items()}

    assert answers == {"==": False, "!=": True, "<": False, "<=": False, ">": False, ">=": False}


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (False, True),
        (1, 2),
        (1.0, 2.0),
        (1, 1.5),
        (0.5, 1),
        ("a", "b"),
        (b"a", b"b"),
        (Time(1), Time(2)),
        (Duration(1), Duration(2)),
    ],
)
def test_values_of_one_type_are_ordered(small: object, large: object) -> None:
    answers = {sign: compare(small, large) for sign, compare in COMPARATORS.items()}

    assert answers == {"==": False, "!=": True, "<": True, "<=": True, ">": False, ">=": False}


def test_nil_equals_nil_and_is_not_less() -> None:
    assert equal(None, None)
    assert less_equal(None, None)
    assert not less(None, None)


def test_maps_lists_and_ids_are_equal_but_not_ordered() -> None:
    alike: list[object] = [[1], {"a": 1}, Id(bytes(8))]
    for value in alike:
        answers = {sign: compare(value, value) for sign, compare in COMPARATORS.items()}

        assert answers == {
            "==": True,
            "!=": False,
            "<": False,
            "<=": False,
            ">": False,
            ">=": False,
        }


def test_numbers_compare_as_floats_only_outside_of_lists_and_maps() -> None:
    assert equal(1, 1.0)
    assert equal(2**53 + 1, float(2**53))
    assert not same([1], [1.0])
    assert not same([True], [1])
    assert not same({"a": [1]}, {"a": [2]})
    assert not same({"a": 1}, {"b": 1})
    assert not same([1], [1, 2])


@given(st.integers(-(2**70), 2**70))
def test_whole_numbers_wrap_around_at_64_bits(number: int) -> None:
    assert -(2**63) <= int64(number) < 2**63
    assert (int64(number) - number) % 2**64 == 0


@pytest.mark.parametrize(
    ("left", "operator", "right", "result"),
    [
        (1, "+", 2, 3),
        (2**63 - 1, "+", 1, -(2**63)),
        (5, "-", 7, -2),
        (3, "*", 4, 12),
        (7, "/", 2, 3),
        (-7, "/", 2, -3),
        (7, "/", -2, -3),
        (-(2**63), "/", -1, -(2**63)),
        (1, "+", 0.5, 1.5),
        (1.0, "/", 4, 0.25),
        (Time(5), "-", Time(3), Duration(2)),
        (Time(5), "-", Duration(3), Time(2)),
        (Time(5), "+", Duration(3), Time(8)),
        (Duration(5), "+", Time(3), Time(8)),
        (Duration(5), "+", Duration(3), Duration(8)),
        (Duration(5), "-", Duration(3), Duration(2)),
        (Time(2**64), "-", Time(0), Duration(2**63 - 1)),
    ],
)
def test_calculations(left: object, operator: str, right: object, result: object) -> None:
    found = calculate(operator, left, right)

    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        (1, "/", 0),
        (1.0, "/", 0.0),
        (1, "+", True),
        ("a", "+", "b"),
        (None, "+", 1),
        (Time(1), "+", Time(1)),
        (Duration(1), "-", Time(1)),
        (Time(1), "*", 2),
        (Duration(1), "+", 1),
        (1, "-", Duration(1)),
    ],
)
def test_what_cannot_be_calculated_is_an_error(left: object, operator: str, right: object) -> None:
    with pytest.raises(EvaluationError):
        calculate(operator, left, right)


def test_only_numbers_have_a_negative() -> None:
    assert negative(5) == -5
    assert negative(1.5) == -1.5
    assert negative(-(2**63)) == -(2**63)
    with pytest.raises(EvaluationError, match="bool has no negative"):
        negative(bool(1))


def test_a_missing_key_is_nil_in_a_field_and_an_error_in_a_result() -> None:
    value: dict[str, object] = {"a": [{"b": 1}]}

    assert field_at(value, ("a", 0, "b")) == 1
    assert result_at(value, ("a", 0, "b")) == 1
    assert field_at(value, ("x", "y")) is None
    with pytest.raises(EvaluationError, match="no key 'x'"):
        result_at(value, ("x",))


@pytest.mark.parametrize("keys", [(1,), ("a", "b"), ("a", 1), ("a", -1), ("a", True), ("a", 0, 0)])
def test_an_index_that_does_not_fit_is_an_error(keys: tuple[object, ...]) -> None:
    value: dict[str, object] = {"a": ["x"]}

    with pytest.raises(EvaluationError):
        field_at(value, keys)
    with pytest.raises(EvaluationError):
        result_at(value, keys)


def test_bytes_give_numbers_by_index() -> None:
    assert result_at(b"\x05", (0,)) == 5


def test_types_have_the_names_that_people_use() -> None:
    values: list[object] = [None, "", [], {}, 1, Time(0)]

    assert [type_name(value) for value in values] == [
        "nil",
        "string",
        "list",
        "map",
        "int",
        "time",
    ]


def test_a_time_too_far_away_has_no_calendar() -> None:
    with pytest.raises(EvaluationError, match="so far away"):
        Time(10**30).calendar()
