"""Converters that read structure out of a text: ParseJSON, ParseKeyValue, ParseSeverity. Pure."""

import json
from collections.abc import Callable, Mapping
from math import isfinite
from typing import NoReturn

from reflexarc.engines.ottl.functions.collections_of import delimiters
from reflexarc.engines.ottl.functions.csv_rows import parse_csv
from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError, type_name

_PLACEHOLDERS = {"2xx": 200, "3xx": 300, "4xx": 400, "5xx": 500}


def _no_constant(name: str) -> NoReturn:
    raise EvaluationError(f"JSON has no {name}")


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise EvaluationError(f"{text[:80]} is too large a number")
    return number


def parse_json(text: str) -> object:
    """Return the map or list that a text writes in JSON; every number in it is a float."""
    try:
        value = json.loads(
            text, parse_int=_number, parse_float=_number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise EvaluationError(f"this is no JSON: {error}") from None
    if not isinstance(value, dict | list):
        raise EvaluationError(f"JSON of a {type_name(value)} is neither a map nor a list")
    return value


def _parse_key_value(given: Mapping[str, object]) -> Callable[..., object]:
    delimiter, pair = delimiters(given)

    def parsed(text: str) -> dict[str, str]:
        if not text:
            raise EvaluationError("there are no pairs in an empty text")
        result = {}
        for part in split_outside_quotes(text, pair):
            key, found, value = part.partition(delimiter)
            if not found:
                raise EvaluationError(f"{part[:80]!r} has no {delimiter!r}")
            result[key.strip()] = value.strip()
        return result

    return parsed


def split_outside_quotes(text: str, delimiter: str) -> list[str]:
    """Return the parts of a text, without quotes; what is quoted is not split."""
    parts: list[str] = []
    current: list[str] = []
    quote, escaped, at = "", False, 0
    while at < len(text):
        if not quote and text.startswith(delimiter, at):
            if current:
                parts.append("".join(current))
                current.clear()
            at += len(delimiter)
            continue
        character = text[at]
        at += 1
        if not escaped and character == quote:
            quote = ""
        elif not escaped and not quote and character in "\"'":
            quote = character
        else:
            escaped = not escaped and character == "\\"
            current.append(character)
    if quote:
        raise EvaluationError("a quote is not closed")
    return [*parts, "".join(current)] if current else parts


Criterion = tuple[frozenset[str], range]


def _parse_severity(given: Mapping[str, object]) -> Callable[..., object]:
    # What makes no sense here the Collector finds out when it judges the first item.
    if "mapping" not in given:
        return _failing("the mapping of severities must be written out")
    try:
        levels = {
            level: [_criterion(each) for each in _list(criteria)]
            for level, criteria in _map(given["mapping"]).items()
        }
    except EvaluationError as error:
        return _failing(str(error))

    def severity(value: object) -> str:
        if not isinstance(value, str) and type(value) is not int:
            raise EvaluationError(f"{type_name(value)} is no severity")
        for level, criteria in levels.items():
            if any(value in texts or value in numbers for texts, numbers in criteria):
                return level
        raise EvaluationError("no severity is mapped to the value")

    return severity


def _failing(reason: str) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise EvaluationError(reason)

    return fail


def _criterion(value: object) -> Criterion:
    fields = _map(value)
    texts = _list(fields.get("equals", []))
    if not all(isinstance(text, str) for text in texts):
        raise EvaluationError("equals takes texts")
    return frozenset(map(str, texts)), _range(fields.get("range"))


def _range(value: object) -> range:
    if value is None:
        return range(0)
    if isinstance(value, str) and value in _PLACEHOLDERS:
        first = _PLACEHOLDERS[value]
        return range(first, first + 100)
    bounds = _map(value)
    low, high = bounds.get("min"), bounds.get("max")
    if type(low) is not int or type(high) is not int:
        raise EvaluationError("a range takes min and max, both ints")
    return range(low, high + 1)


def _map(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise EvaluationError(f"expected map but got {type_name(value)}")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise EvaluationError(f"expected list but got {type_name(value)}")
    return value


CONVERTERS = table(
    Converter("ParseJSON", parameters("target: string"), parse_json, "any"),
    Converter(
        "ParseKeyValue",
        parameters("target: string, delimiter: text?, pair_delimiter: text?"),
        _parse_key_value,
        "map",
        static=("delimiter", "pair_delimiter"),
    ),
    Converter(
        "ParseSeverity",
        parameters("target: any, mapping: map"),
        _parse_severity,
        "string",
        static=("mapping",),
    ),
    Converter(
        "ParseCSV",
        parameters(
            "target: string, header: string, delimiter: text?, header_delimiter: text?, mode: text?"
        ),
        parse_csv,
        "map",
        static=("delimiter", "header_delimiter", "mode"),
    ),
)
