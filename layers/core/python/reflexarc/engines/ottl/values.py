"""The values of OTTL: what compares with what, how numbers and times are combined. Pure.

A value is None, bool, int, float, str, bytes, list, dict, Time, Duration, Id or Records. Values of
unlike types are unequal and never ordered; only int and float compare, as float64. Python's own
`True == 1` never shows. Rules:
https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/LANGUAGE.md#comparison-rules
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import total_ordering
from typing import NoReturn

from reflexarc.kernel.errors import Rejected

_INT64, _SIGN = 1 << 64, 1 << 63
_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What functions of ours may raise on values that they were not made for.
FAILURES = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)


class EvaluationError(Rejected):
    """A condition cannot be judged on this item: the item stays, and the error is counted."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Time:
    """A moment in nanoseconds since 1970; the zone only says how a calendar shows it."""

    nanoseconds: int
    zone: tzinfo = field(default=UTC, compare=False)

    def __lt__(self, other: "Time") -> bool:
        return self.nanoseconds < other.nanoseconds

    def calendar(self) -> datetime:
        """Return the date and clock of its zone, to the second."""
        try:
            utc = _EPOCH + timedelta(seconds=self.nanoseconds // _SECOND)
            return utc.astimezone(self.zone)
        except OverflowError:
            raise EvaluationError("no calendar shows a time so far away") from None


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Id:
    """A trace, span or profile id: equal to an id of its own size, and to nothing else."""

    octets: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Messages that a condition may count and no more: events, links, exemplars."""

    size: int


_ORDERED = frozenset({bool, int, float, str, bytes, Time, Duration})


def equal(left: object, right: object) -> bool:
    """Tell whether two values are equal."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is dict or kind is list:
            return same(left, right)
        return left == right
    pair = _as_floats(left, right)
    return pair is not None and pair[0] == pair[1]


def unequal(left: object, right: object) -> bool:
    """Tell whether two values differ."""
    return not equal(left, right)


def same(left: object, right: object) -> bool:
    """Tell whether two values are equal in all their depth; within them 1 is not 1.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def _as_floats(left: object, right: object) -> tuple[float, float] | None:
    """Return an int and a float as floats, None for anything else."""
    if {type(left), type(right)} == {int, float}:
        return float(left), float(right)  # type: ignore[arg-type]
    return None


def _ordering(
    judge: Callable[[object, object], bool], *, both_nil: bool
) -> Callable[[object, object], bool]:
    def ordered(left: object, right: object) -> bool:
        kind = type(left)
        if kind is type(right):
            return judge(left, right) if kind in _ORDERED else both_nil and left is None
        pair = _as_floats(left, right)
        return pair is not None and judge(*pair)

    return ordered


less = _ordering(lambda left, right: left < right, both_nil=False)  # type: ignore[operator]
less_equal = _ordering(lambda left, right: left <= right, both_nil=True)  # type: ignore[operator]
greater = _ordering(lambda left, right: left > right, both_nil=False)  # type: ignore[operator]
greater_equal = _ordering(lambda left, right: left >= right, both_nil=True)  # type: ignore[operator]

COMPARATORS: dict[str, Callable[[object, object], bool]] = {
    "==": equal,
    "!=": unequal,
    "<": less,
    "<=": less_equal,
    ">": greater,
    ">=": greater_equal,
}


def int64(number: int) -> int:
    """Return a number as 64 bits with a sign hold it: it wraps around, as Go's does."""
    return (number + _SIGN) % _INT64 - _SIGN


def type_name(value: object) -> str:
    """Return what people call a value's type."""
    names = {str: "string", list: "list", dict: "map", type(None): "nil"}
    return names.get(type(value), type(value).__name__.lower())


# Calculations


def calculate(operator: str, left: object, right: object) -> object:
    """Combine two numbers, times or durations."""
    if isinstance(left, Time | Duration) or isinstance(right, Time | Duration):
        return _calculate_time(operator, left, right)
    if type(left) not in {int, float} or type(right) not in {int, float}:
        _cannot(operator, left, right)
    x, y = (left, right) if type(left) is type(right) else (float(left), float(right))  # type: ignore[arg-type]
    if operator == "+":
        result = x + y  # type: ignore[operator]
    elif operator == "-":
        result = x - y  # type: ignore[operator]
    elif operator == "*":
        result = x * y  # type: ignore[operator]
    elif y == 0:
        raise EvaluationError("division by zero")
    else:
        result = _quotient(x, y)
    return int64(result) if isinstance(result, int) else result


def _quotient(x: object, y: object) -> object:
    """Divide two numbers of one type; whole numbers as Go does, towards zero."""
    if isinstance(x, int) and isinstance(y, int):
        result = abs(x) // abs(y)
        return result if (x < 0) == (y < 0) else -result
    return x / y  # type: ignore[operator]


def _calculate_time(operator: str, left: object, right: object) -> object:
    sign = {"+": 1, "-": -1}.get(operator)
    if sign is None:
        _cannot(operator, left, right)
    if isinstance(left, Time) and isinstance(right, Duration):
        return Time(left.nanoseconds + sign * right.nanoseconds, left.zone)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(int64(left.nanoseconds + sign * right.nanoseconds))
    if isinstance(left, Duration) and isinstance(right, Time) and sign == 1:
        return Time(left.nanoseconds + right.nanoseconds, right.zone)
    if isinstance(left, Time) and isinstance(right, Time) and sign == -1:
        # Go's time.Sub stops at the longest duration there is.
        difference = left.nanoseconds - right.nanoseconds
        return Duration(max(-_SIGN, min(_SIGN - 1, difference)))
    return _cannot(operator, left, right)


def _cannot(operator: str, left: object, right: object) -> NoReturn:
    raise EvaluationError(f"cannot calculate {type_name(left)} {operator} {type_name(right)}")


def negative(value: object) -> object:
    """Return a number with its sign turned."""
    if type(value) is int:
        return int64(-value)
    if type(value) is float:
        return -value
    raise EvaluationError(f"{type_name(value)} has no negative")


# Indexes


def field_at(value: object, keys: Sequence[object]) -> object:
    """Return what lies behind keys in a field; nil where a map lacks one."""
    for key in keys:
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise EvaluationError(f"a map has no {type_name(key)} keys")
            if key not in value:
                return None
            value = value[key]
        else:
            value = _item(value, key)
    return value


def result_at(value: object, keys: Sequence[object]) -> object:
    """Return what lies behind keys in a function's result; there a missing key is an error."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            if key not in value:
                raise EvaluationError(f"the map has no key {key!r}")
            value = value[key]
        else:
            value = _item(value, key)
    return value


def _item(value: object, key: object) -> object:
    if not isinstance(value, list | bytes) or type(key) is not int:
        raise EvaluationError(f"{type_name(value)} cannot be indexed by {type_name(key)}")
    if not 0 <= key < len(value):
        raise EvaluationError(f"index {key} is out of bounds")
    return value[key]
