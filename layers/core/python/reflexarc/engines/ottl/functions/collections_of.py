"""Converters of lists and maps: Keys, Values, Sort, SliceToMap, ToKeyValueString, IsEmpty. Pure."""

from collections.abc import Callable, Mapping

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.rendering import field_text
from reflexarc.engines.ottl.values import EvaluationError, Id, type_name

_TEXTS = frozenset({str, bool, type(None)})
_NUMBERS = frozenset({int, float})


def keys(target: dict[str, object]) -> list[str]:
    """Return the keys of a map."""
    return list(target)


def values(target: dict[str, object]) -> list[object]:
    """Return the values of a map."""
    return list(target.values())


def is_empty(target: object) -> bool:
    """Tell whether a value is nil, has nothing in it, or is its type's zero."""
    return not any(target.octets) if isinstance(target, Id) else not target


def _sort(given: Mapping[str, object]) -> Callable[..., object]:
    order = str(given.get("order", "asc"))
    if order not in {"asc", "desc"}:
        raise ValueError(f"{order[:80]!r} is no order; there are asc and desc")
    return lambda target: ordered(target, descending=order == "desc")


def ordered(target: object, *, descending: bool) -> object:
    """Return a list in order: numbers by size, everything else that has a text by its text."""
    if not isinstance(target, list):
        raise EvaluationError(f"expected list but got {type_name(target)}")
    kinds = {type(item) for item in target}
    if not kinds <= _TEXTS | _NUMBERS:
        return target
    key = field_text if kinds & _TEXTS else float
    return sorted(target, key=key, reverse=descending)


def slice_to_map(
    target: list[object], key_path: list[str] | None = None, value_path: list[str] | None = None
) -> dict[str, object]:
    """Return a list as a map, by a text within each item or else by its place."""
    result = {}
    for place, item in enumerate(target):
        key = str(place) if key_path is None else _within(item, key_path)
        if not isinstance(key, str):
            raise EvaluationError(f"the key of item {place} is {type_name(key)}, no string")
        result[key] = item if value_path is None else _within(item, value_path)
    return result


def _within(item: object, path: list[str]) -> object:
    if not path or not isinstance(item, dict):
        raise EvaluationError("an item is no map, or the path to look in is empty")
    for step in path:
        if not isinstance(item, dict) or step not in item:
            raise EvaluationError(f"an item has no {'.'.join(path)[:80]}")
        item = item[step]
    return item


def delimiters(given: Mapping[str, object]) -> tuple[str, str]:
    """Return what stands between key and value, and between pairs."""
    delimiter = str(given.get("delimiter", "="))
    pair = str(given.get("pair_delimiter", " "))
    if not delimiter or not pair:
        raise ValueError("a delimiter cannot be empty")
    if delimiter == pair:
        raise ValueError("the two delimiters cannot be the same")
    return delimiter, pair


def _to_key_value_string(given: Mapping[str, object]) -> Callable[..., object]:
    delimiter, pair = delimiters(given)

    def quoted(text: str) -> str:
        escaped = text.replace('"', '\\"')
        return f'"{escaped}"' if delimiter in escaped or pair in escaped else escaped

    def joined(target: dict[str, object]) -> str:
        names = sorted(target) if given.get("sort_output") else list(target)
        return pair.join(
            quoted(name) + delimiter + quoted(field_text(target[name])) for name in names
        )

    return joined


_MAP = parameters("target: map")

CONVERTERS = table(
    Converter("Keys", _MAP, keys, "list", total=True),
    Converter("Values", _MAP, values, "list", total=True),
    Converter("IsEmpty", parameters("target: any"), is_empty, "bool", total=True),
    Converter(
        "Sort",
        parameters("target: any, order: text?"),
        _sort,
        "list",
        static=("order",),
    ),
    Converter(
        "SliceToMap",
        parameters("target: list, key_path: text[]?, value_path: text[]?"),
        slice_to_map,
        "map",
    ),
    Converter(
        "ToKeyValueString",
        parameters("target: map, delimiter: text?, pair_delimiter: text?, sort_output: flag?"),
        _to_key_value_string,
        "string",
        static=("delimiter", "pair_delimiter", "sort_output"),
    ),
)
