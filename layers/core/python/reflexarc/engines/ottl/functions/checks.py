"""Converters that ask what a value is: IsString, IsMap... Pure."""

from collections.abc import Iterator

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError, Id, Records

_NO_ID = frozenset({b"", bytes(8)})


def _is(kind: type) -> Converter:
    def judge(value: object) -> bool:
        return type(value) is kind

    names = {str: "String", int: "Int", float: "Double", bool: "Bool", dict: "Map"}
    name = f"Is{names[kind]}"
    return Converter(name, parameters("target: any"), judge, "bool", total=True)


def is_list(value: object) -> bool:
    """Tell whether a value is a list, or messages that come as one."""
    return isinstance(value, list | Records)


def is_root_span(parent: Id) -> bool:
    """Tell whether a span has no parent."""
    return parent.octets in _NO_ID


def is_valid_luhn(text: str | None) -> bool:
    """Tell whether the digits of a text end with the check digit that Luhn's rule gives."""
    if text is None:
        raise EvaluationError("nil has no digits")
    digits = text.replace(" ", "")
    if not digits:
        return False
    if not (digits.isascii() and digits.isdigit()):
        raise EvaluationError("there is something else than digits")
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled // 10 + doubled % 10
    return total % 10 == 0


Points = list[dict[str, object]] | None


def _values(points: Points, key: str) -> Iterator[object]:
    if points is None:
        raise EvaluationError("the metric has no type")
    return (attributes[key] for attributes in points if key in attributes)


def has_key_on_datapoint(points: Points, key: str) -> bool:
    """Tell whether a data point of the metric has an attribute."""
    return any(True for _ in _values(points, key))


def has_on_datapoint(points: Points, key: str, expected: str) -> bool:
    """Tell whether the first data point that has an attribute has it with this text."""
    for value in _values(points, key):
        # Of anything else than a text pdata says that its text is empty.
        return (value if isinstance(value, str) else "") == expected
    return False


_METRIC = frozenset({"metric"})
_POINT_ATTRIBUTES = ("metric", "data_points", "attributes")

CONVERTERS = table(
    *map(_is, (str, int, float, bool, dict)),
    Converter("IsList", parameters("target: any"), is_list, "bool", total=True),
    Converter(
        "IsRootSpan",
        (),
        is_root_span,
        "bool",
        total=True,
        contexts=frozenset({"span"}),
        reads=("span", "parent_span_id"),
    ),
    Converter("IsValidLuhn", parameters("target: string_like"), is_valid_luhn, "bool"),
    Converter(
        "HasAttrKeyOnDatapoint",
        parameters("key: text"),
        has_key_on_datapoint,
        "bool",
        contexts=_METRIC,
        reads=_POINT_ATTRIBUTES,
    ),
    Converter(
        "HasAttrOnDatapoint",
        parameters("key: text, expected_val: text"),
        has_on_datapoint,
        "bool",
        contexts=_METRIC,
        reads=_POINT_ATTRIBUTES,
    ),
)
