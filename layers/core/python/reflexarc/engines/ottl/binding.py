"""A call's arguments brought to the parameters of its converter. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from reflexarc.engines.ottl.coercion import COERCIONS
from reflexarc.engines.ottl.functions.signature import LITERALS, Converter, Parameter
from reflexarc.engines.ottl.syntax import Call, Function, ListOf, Literal, MapOf, Value
from reflexarc.engines.ottl.values import EvaluationError

Arguments = Mapping[str, Value]


class Misuse(ValueError):
    """A call does not fit its converter; knows where."""

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that a condition writes out."""

    value: object


def constant_of(value: Value) -> Constant | None:
    """Return what a literal, or a list or map of literals, is; None for all else."""
    if isinstance(value, Literal):
        return Constant(value.value)
    if isinstance(value, ListOf):
        items = [constant_of(item) for item in value.items]
        found = [item.value for item in items if item is not None]
        return Constant(found) if len(found) == len(items) else None
    if isinstance(value, MapOf):
        fields = {key: constant_of(item) for key, item in value.items}
        known = {key: item.value for key, item in fields.items() if item is not None}
        return Constant(known) if len(known) == len(fields) else None
    return None


def bound(call: Call, converter: Converter) -> Arguments:
    """Return the arguments by parameter, in the parameters' order; raises Misuse."""
    most, given = len(converter.parameters), len(call.arguments)
    if not converter.required <= given <= most:
        wanted = str(most) if converter.required == most else f"{converter.required} to {most}"
        raise Misuse(f"{call.name} takes {wanted} arguments, not {given}", call.column)
    found: dict[str, Value] = {}
    named = False
    for number, argument in enumerate(call.arguments):
        parameter = converter.parameters[number]
        if argument.name:
            named = True
            parameter = _parameter(call, converter, argument.name)
        elif named:
            raise Misuse(f"{call.name}: an argument without a name behind a named", call.column)
        if isinstance(argument.value, Function):
            raise Misuse(f"{call.name} takes no function", argument.value.column)
        found[parameter.name] = argument.value
    for parameter in converter.parameters:
        if parameter.name in found:
            _check(call, parameter, found[parameter.name])
        elif not parameter.optional:
            raise Misuse(f"{call.name} needs {parameter.name}", call.column)
    return {each.name: found[each.name] for each in converter.parameters if each.name in found}


def _parameter(call: Call, converter: Converter, name: str) -> Parameter:
    for parameter in converter.parameters:
        if _plain(parameter.name) == _plain(name):
            return parameter
    raise Misuse(f"{call.name} has no parameter {name}", call.column)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _check(call: Call, parameter: Parameter, value: Value) -> None:
    if not parameter.is_list:
        _check_one(call, parameter, parameter.kind, value)
    elif not isinstance(value, ListOf):
        raise Misuse(f"{call.name}: {parameter.name} must be a list written out", value.column)
    else:
        for item in value.items:
            _check_one(call, parameter, parameter.item_kind, item)


def _check_one(call: Call, parameter: Parameter, kind: str, value: Value) -> None:
    constant = constant_of(value)
    if kind in LITERALS:
        if constant is None or type(constant.value) is not LITERALS[kind]:
            reason = f"{call.name}: {parameter.name} must be a {kind} written out"
            raise Misuse(reason, value.column)
    elif constant is not None and kind != "lazy":
        try:
            COERCIONS[kind](constant.value)
        except EvaluationError as error:
            reason = f"{call.name}: {parameter.name}: {error}"
            raise Misuse(reason, value.column) from None


def coerced(kind: str, value: object) -> object:
    """Return a constant as a parameter of this kind takes it."""
    return COERCIONS[kind](value) if kind in COERCIONS else value


def specialised(
    call: Call, converter: Converter, arguments: Arguments
) -> tuple[Callable[..., object], Arguments]:
    """Return the function of a call and the arguments that it takes; raises Misuse."""
    if not converter.static:
        return converter.function, arguments
    given = {}
    for parameter in converter.parameters:
        if parameter.name in converter.static and parameter.name in arguments:
            constant = constant_of(arguments[parameter.name])
            if constant is not None:
                kind = "list" if parameter.is_list else parameter.kind
                given[parameter.name] = coerced(kind, constant.value)
    try:
        function = cast("Callable[..., object]", converter.function(given))
    except ValueError as error:
        column = next((arguments[name].column for name in given), call.column)
        raise Misuse(f"{call.name}: {error}", column) from None
    rest = {name: value for name, value in arguments.items() if name not in given}
    return function, rest
