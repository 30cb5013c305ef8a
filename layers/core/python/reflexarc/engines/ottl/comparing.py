"""Comparisons as Python source, as short as what is known of the two sides allows. Pure.

What is written here in place of a comparator has to agree with it for every value: Python's
`True == 1`, and its exact comparison of large whole numbers with floats, are the traps.
"""

from reflexarc.engines.ottl.binding import Constant
from reflexarc.engines.ottl.code import Fragment
from reflexarc.engines.ottl.syntax import Comparator
from reflexarc.engines.ottl.values import COMPARATORS, Duration, Id, Time

_MIRRORED: dict[Comparator, Comparator] = {
    "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
}  # fmt: skip
NAMES: dict[str, object] = {
    "_equal": COMPARATORS["=="],
    "_unequal": COMPARATORS["!="],
    "_less": COMPARATORS["<"],
    "_less_equal": COMPARATORS["<="],
    "_greater": COMPARATORS[">"],
    "_greater_equal": COMPARATORS[">="],
    "_numbers": frozenset({int, float}),
}
_FUNCTIONS: dict[Comparator, str] = dict(
    zip(("==", "!=", "<", "<=", ">", ">="), NAMES, strict=False)
)
# Whole numbers that a float holds exactly, on which exact and float64 comparison agree.
_EXACT = 2**53
_SAFE = (str, bytes, Time, Duration, Id)
# Values of one of these types compare as Python compares them.
_DIRECT = frozenset({"int", "float", "string", "bool", "bytes", "time", "duration"})


def compared(comparator: Comparator, left: Fragment, right: Fragment, variable: str) -> Fragment:
    """Return a comparison; `variable` is a name that nothing else uses."""
    if left.constant and right.constant:
        found = COMPARATORS[comparator](left.constant.value, right.constant.value)
        literal = left.literal and right.literal
        known = Constant(found) if literal else None
        return Fragment(repr(found), "bool", optional=False, constant=known, literal=literal)
    if left.constant:
        left, right, comparator = right, left, _MIRRORED[comparator]
    source = (
        _with_constant(comparator, left, right, variable)
        if right.constant
        else _with_each_other(comparator, left, right)
    )
    if source is None:
        source = f"{_FUNCTIONS[comparator]}({left.source}, {right.source})"
    return Fragment(
        source,
        "bool",
        optional=False,
        can_error=left.can_error or right.can_error,
        names={**left.names, **right.names},
    )


def _with_each_other(comparator: Comparator, left: Fragment, right: Fragment) -> str | None:
    known = left.type == right.type and not (left.optional or right.optional)
    if known and left.type in _DIRECT:
        return f"({left.source} {comparator} {right.source})"
    return None


def _with_constant(
    comparator: Comparator, left: Fragment, right: Fragment, variable: str
) -> str | None:
    constant = right.constant.value if right.constant else None
    equality = comparator in {"==", "!="}
    if constant is None:
        return _with_nil(comparator, left.source)
    if isinstance(constant, int | float) and not isinstance(constant, bool):
        return _with_number(comparator, left, constant, variable)
    if isinstance(constant, bool) and equality:
        return f"({left.source} {'is' if comparator == '==' else 'is not'} {constant})"
    if isinstance(constant, _SAFE):
        if equality:
            return f"({left.source} {comparator} {right.source})"
        return _with_text(comparator, left, right, variable)
    return None


def _with_nil(comparator: Comparator, left: str) -> str:
    if comparator in {"==", "<=", ">="}:
        return f"({left} is None)"
    return f"({left} is not None)" if comparator == "!=" else f"({left}, False)[1]"


def _with_text(comparator: Comparator, left: Fragment, right: Fragment, name: str) -> str | None:
    if left.type == right.type and not left.optional:
        return f"({left.source} {comparator} {right.source})"
    if right.type == "string":
        return f"(type({name} := {left.source}) is str and {name} {comparator} {right.source})"
    return None


def _with_number(
    comparator: Comparator, left: Fragment, number: float, variable: str
) -> str | None:
    if not -_EXACT < number < _EXACT:
        return None
    if left.type in {"int", "float"} and not left.optional:
        return f"({left.source} {comparator} {number!r})"
    if comparator not in {"==", "!="}:
        return (
            f"(type({variable} := {left.source}) in _numbers"
            f" and {variable} {comparator} {number!r})"
        )
    if number not in {0, 1}:
        return f"({left.source} {comparator} {number!r})"
    bound, other = f"({variable} := {left.source})", bool(number)
    if comparator == "==":
        return f"({bound} == {number!r} and {variable} is not {other})"
    return f"({bound} != {number!r} or {variable} is {other})"
