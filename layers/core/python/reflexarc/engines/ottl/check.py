"""A parsed condition is checked: its fields, converters, arguments, patterns. Pure."""

from collections.abc import Iterator

from reflexarc.engines.ottl.binding import Misuse, bound, specialised
from reflexarc.engines.ottl.contexts import CACHE, FIELDS, READABLE, Field
from reflexarc.engines.ottl.functions import REFUSED, find
from reflexarc.engines.ottl.syntax import (
    And,
    Arithmetic,
    Call,
    Condition,
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


def check(condition: Condition, context: str, text: str) -> None:
    """Refuse a condition that cannot be judged in a context; `text` is what it was parsed from."""
    if context not in FIELDS:
        known = ", ".join(FIELDS)
        raise OttlError(f"{context!r} is no context here; there are {known}", text, 1)
    try:
        for value in values_of(condition):
            if isinstance(value, Path):
                _check_path(value, context)
            elif isinstance(value, Call):
                _check_call(value, context)
    except Misuse as error:
        raise OttlError(str(error), text, error.column) from None


def check_patterns(condition: Condition, text: str) -> None:
    """Refuse patterns and other literals that converters cannot take, whatever else is unknown."""
    try:
        for value in values_of(condition):
            if isinstance(value, Call) and (converter := find(value.name)):
                try:
                    arguments = bound(value, converter)
                except Misuse:
                    continue
                specialised(value, converter, arguments)
    except Misuse as error:
        raise OttlError(str(error), text, error.column) from None


def field_of(path: Path, context: str) -> Field | None:
    """Return what field a path reads in a condition of a context, None where there is none."""
    if path.names == ("cache",) and path.context == context:
        return CACHE
    return FIELDS[path.context].get(path.names) if path.context in FIELDS else None


def _check_path(path: Path, context: str) -> None:
    name = ".".join(path.names)
    field = field_of(path, context)
    if field is None:
        first = path.names[0]
        if first in FIELDS and first not in READABLE[context]:
            raise Misuse(f"{first} cannot be read in context {context}", path.column)
        raise Misuse(f"{path.context} has no field {name}", path.column)
    if field.index == "none" and path.keys:
        raise Misuse(f"{path.context}.{name} cannot be indexed", path.column)
    if field.index == "one" and path.keys:
        key = path.keys[0]
        one = len(path.keys) == 1 and isinstance(key, Literal) and isinstance(key.value, str)
        if not one:
            raise Misuse(f"{path.context}.{name} takes one key in quotes", path.column)


def _check_call(call: Call, context: str) -> None:
    if call.name in REFUSED:
        raise Misuse(f"{call.name} {REFUSED[call.name]}", call.column)
    converter = find(call.name)
    if converter is None:
        raise Misuse(f"there is no converter {call.name}", call.column)
    if converter.contexts and context not in converter.contexts:
        where = ", ".join(sorted(converter.contexts))
        raise Misuse(f"{call.name} exists in context {where} only", call.column)
    specialised(call, converter, bound(call, converter))


def values_of(condition: Condition) -> Iterator[Value]:
    """Yield every value in a condition, outer ones first."""
    match condition:
        case And(conditions) | Or(conditions):
            for each in conditions:
                yield from values_of(each)
        case Not(inner):
            yield from values_of(inner)
        case Truth(value):
            yield from _within(value)
        case _:
            yield from _within(condition.left)
            yield from _within(condition.right)


def _within(value: Value) -> Iterator[Value]:
    yield value
    for part in _parts(value):
        yield from _within(part)


def _parts(value: Value) -> tuple[Value, ...]:
    match value:
        case Call(arguments=arguments, keys=keys):
            given = (argument.value for argument in arguments)
            return (*(each for each in given if not isinstance(each, Function)), *keys)
        case Arithmetic(left=left, right=right):
            return (left, right)
        case MapOf(items=pairs):
            return tuple(item for _, item in pairs)
        case Path(keys=inner) | ListOf(items=inner):
            return inner
        case Negative(value=negated):
            return (negated,)
        case _:
            return ()
