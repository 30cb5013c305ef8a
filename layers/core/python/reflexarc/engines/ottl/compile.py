"""A checked condition becomes a Python function: source built of the tree alone, then `exec`.

Nothing that a user wrote gets into the source but `repr` of numbers and texts and names that this
module makes. A function is judged from left to right, as OTTL has it, and raises EvaluationError.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reflexarc.engines.ottl.binding import Constant, bound, constant_of, specialised
from reflexarc.engines.ottl.code import Fragment, PathSource
from reflexarc.engines.ottl.coercion import COERCIONS
from reflexarc.engines.ottl.comparing import NAMES, compared
from reflexarc.engines.ottl.functions import known
from reflexarc.engines.ottl.functions.signature import LITERALS, Converter, Parameter
from reflexarc.engines.ottl.reads import Read, reads
from reflexarc.engines.ottl.syntax import (
    And,
    Arithmetic,
    Call,
    Compare,
    Condition,
    ListOf,
    Literal,
    MapOf,
    Negative,
    Not,
    Or,
    Path,
    Truth,
    Value,
)
from reflexarc.engines.ottl.values import (
    FAILURES,
    Duration,
    EvaluationError,
    Id,
    Time,
    calculate,
    field_at,
    negative,
    result_at,
    type_name,
)

Holds = Callable[..., bool]

_TYPES: dict[type, str] = {
    bool: "bool", int: "int", float: "float", str: "string", bytes: "bytes", list: "list",
    dict: "map", Time: "time", Duration: "duration", Id: "id",
}  # fmt: skip
_PLAIN = (bool, int, float, str, bytes)
_NO_LITERAL = (float("inf"), float("-inf"))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition that can be judged. `holds` takes what its PathSource says.

    `can_error` tells whether it may raise EvaluationError, which leaves the item as it is.
    """

    holds: Holds
    reads: frozenset[Read]
    can_error: bool
    source: str


def compile_condition(condition: Condition, paths: PathSource) -> Compiled:
    """Return a condition, which has to be checked before, as a function."""
    compiler = _Compiler(paths)
    body = compiler.condition(condition)
    source = (
        f"def holds({', '.join(paths.parameters)}):\n"
        f"    try:\n"
        f"        return {body.source}\n"
        f"    except _FAILURES as error:\n"
        f"        raise _EvaluationError(str(error)) from error\n"
    )
    names = {**NAMES, **_OWN, **compiler.names, **body.names}
    exec(compile(source, "<ottl>", "exec"), names)  # noqa: S102 - source of a validated tree
    holds: Holds = names["holds"]  # type: ignore[assignment]
    return Compiled(holds, reads(condition), body.can_error, source)


def truth(value: object) -> bool:
    """Return what a converter says that stands as a condition."""
    if isinstance(value, bool):
        return value
    raise EvaluationError(f"a condition must be true or false, not {type_name(value)}")


_OWN: dict[str, object] = {
    "_FAILURES": FAILURES,
    "_EvaluationError": EvaluationError,
    "_truth": truth,
    "_calculate": calculate,
    "_negative": negative,
    "_field_at": field_at,
    "_result_at": result_at,
    **{f"_as_{kind}": coercion for kind, coercion in COERCIONS.items()},
}


@dataclass(slots=True)
class _Compiler:
    paths: PathSource
    names: dict[str, object] = field(default_factory=dict)
    variables: int = 0

    def named(self, thing: object) -> str:
        """Return a name for an object that source cannot write."""
        name = f"_c{len(self.names)}"
        self.names[name] = thing
        return name

    def variable(self) -> str:
        """Return a name for an intermediate value."""
        self.variables += 1
        return f"_v{self.variables}"

    def constant(self, value: object) -> Fragment:
        """Return a value that is known."""
        # Infinity and what is no number have no literal.
        written = value is None or (isinstance(value, _PLAIN) and value not in _NO_LITERAL)
        source = repr(value) if written and value == value else self.named(value)  # noqa: PLR0124
        kind = _TYPES.get(type(value), "any")
        constant = Constant(value)
        return Fragment(source, kind, optional=value is None, constant=constant, literal=True)  # type: ignore[arg-type]

    # Conditions

    def condition(self, condition: Condition) -> Fragment:
        """Return a condition as an expression that is True or False."""
        match condition:
            case Or(conditions):
                return self.joined(conditions, "or", absorbing=True)
            case And(conditions):
                return self.joined(conditions, "and", absorbing=False)
            case Not(inner):
                return self.opposite(self.condition(inner))
            case Truth(value):
                return self.truth(self.value(value))
            case _:
                return self.comparison(condition)

    def joined(self, conditions: tuple[Condition, ...], word: str, *, absorbing: bool) -> Fragment:
        """Return conditions joined; as in the Collector, one that is known decides before all."""
        parts = [self.condition(each) for each in conditions]
        if any(part.constant and part.constant.value is absorbing for part in parts):
            return self.constant(absorbing)
        open_parts = [part for part in parts if part.constant is None]
        if not open_parts:
            return self.constant(not absorbing)
        if len(open_parts) == 1:
            return open_parts[0]
        source = f" {word} ".join(part.source for part in open_parts)
        return _of_parts(f"({source})", "bool", open_parts)

    def opposite(self, inner: Fragment) -> Fragment:
        """Return the opposite of a condition."""
        if inner.constant:
            return self.constant(not inner.constant.value)
        return _of_parts(f"(not {inner.source})", "bool", [inner])

    def comparison(self, condition: Compare) -> Fragment:
        """Return a comparison; where the paths' source knows a shorter way, that."""
        left, right = condition.left, condition.right
        if isinstance(left, Path) and isinstance(right, Literal) and _literal_keys(left):
            shorter = self.paths.compare(left, condition.comparator, right.value)
            if shorter is not None:
                return shorter
        sides = self.value(left), self.value(right)
        return compared(condition.comparator, *sides, self.variable())

    def truth(self, value: Fragment) -> Fragment:
        """Return a value that must be true or false."""
        if value.type == "bool" and not value.optional:
            return value if value.literal else replace(value, constant=None)
        source = f"_truth({value.source})"
        return Fragment(source, "bool", optional=False, can_error=True, names=value.names)

    # Values

    def value(self, value: Value) -> Fragment:
        """Return a value as an expression."""
        written = None if isinstance(value, Literal) else constant_of(value)
        if written is not None:
            return self.constant(written.value)
        match value:
            case Path():
                return self.path(value)
            case Call():
                return self.call(value)
            case Arithmetic():
                return self.arithmetic(value)
            case Literal():
                return self.constant(value.value)
            case _:
                return self.composed(value)

    def composed(self, value: ListOf | MapOf | Negative) -> Fragment:
        """Return a list or map with parts that are not known, or a value with its sign turned."""
        match value:
            case ListOf(items):
                parts = [self.value(item) for item in items]
                source = f"[{', '.join(part.source for part in parts)}]"
                return _of_parts(source, "list", parts)
            case MapOf(items):
                fields = {key: self.value(item) for key, item in items}
                source = ", ".join(f"{key!r}: {part.source}" for key, part in fields.items())
                return _of_parts(f"{{{source}}}", "map", list(fields.values()))
            case _:
                part = self.value(value.value)
                return _failing(f"_negative({part.source})", [part])

    def path(self, path: Path) -> Fragment:
        """Return a field, or what lies behind keys in it."""
        if _literal_keys(path):
            return self.paths.read(path)
        field_itself = self.paths.read(Path(path.context, path.names, (), path.column))
        return self.indexed("_field_at", field_itself, path.keys)

    def indexed(self, function: str, value: Fragment, keys: tuple[Value, ...]) -> Fragment:
        """Return what lies behind keys in a value."""
        parts = [self.value(key) for key in keys]
        source = f"{function}({value.source}, ({', '.join(part.source for part in parts)},))"
        return _failing(source, [value, *parts])

    def arithmetic(self, value: Arithmetic) -> Fragment:
        """Return a calculation; whole numbers wrap around at 64 bits."""
        left, right = self.value(value.left), self.value(value.right)
        if left.constant and right.constant:
            try:
                return self.constant_result(
                    calculate(value.operator, left.constant.value, right.constant.value)
                )
            except EvaluationError:
                pass
        ints = all(part.type == "int" and not part.optional for part in (left, right))
        if ints and value.operator != "/":
            total = f"{left.source} {value.operator} {right.source}"
            source = f"(({total} + {2**63}) % {2**64} - {2**63})"
            return _of_parts(source, "int", [left, right])
        source = f"_calculate({value.operator!r}, {left.source}, {right.source})"
        return _failing(source, [left, right])

    # Calls

    def call(self, call: Call) -> Fragment:
        """Return a converter's result."""
        converter = known(call.name)
        function, arguments = specialised(call, converter, bound(call, converter))
        parts = {
            each.name: self.argument(each, arguments[each.name])
            for each in converter.parameters
            if each.name in arguments
        }
        hidden = [self.hidden(converter)] if converter.reads else []
        result = self.applied(converter, function, hidden, parts)
        return self.indexed("_result_at", result, call.keys) if call.keys else result

    def applied(
        self,
        converter: Converter,
        function: Callable[..., object],
        hidden: list[Fragment],
        parts: dict[str, Fragment],
    ) -> Fragment:
        """Return a function applied to its arguments; to those that are known it is right now."""
        constants = [part.constant for part in parts.values()]
        optional = {each.name for each in converter.parameters if each.optional}
        if converter.pure and not hidden and all(constants):
            given = {name: part.constant.value for name, part in parts.items() if part.constant}
            by_name = {name: given.pop(name) for name in list(given) if name in optional}
            try:
                return self.constant_result(function(*given.values(), **by_name))
            except (EvaluationError, *FAILURES):
                pass
        listed = [
            f"{name}={part.source}" if name in optional else part.source
            for name, part in parts.items()
        ]
        source = f"{self.named(function)}({', '.join([each.source for each in hidden] + listed)})"
        all_parts = [*hidden, *parts.values()]
        return Fragment(
            source,
            converter.result,
            optional=converter.nullable,
            can_error=not converter.total or any(part.can_error for part in all_parts),
            names=_names(all_parts),
        )

    def constant_result(self, value: object) -> Fragment:
        """Return the result of a call that is known; to OTTL a call is no literal all the same."""
        return replace(self.constant(value), literal=False)

    def hidden(self, converter: Converter) -> Fragment:
        """Return what a converter reads without being told."""
        context, *names = converter.reads
        return self.paths.read(Path(context, tuple(names), (), 1))

    def argument(self, parameter: Parameter, value: Value) -> Fragment:
        """Return an argument as its parameter takes it."""
        if not parameter.is_list:
            return self.coerced(parameter.kind, self.value(value))
        assert isinstance(value, ListOf)  # noqa: S101 - checked when it was bound
        if parameter.kind == "lazy[]":
            parts = [self.value(item) for item in value.items]
            source = ", ".join(f"lambda: {part.source}" for part in parts)
            return _of_parts(f"[{source}]", "list", parts)
        parts = [self.coerced(parameter.item_kind, self.value(item)) for item in value.items]
        if all(part.constant for part in parts):
            return self.constant([part.constant.value for part in parts if part.constant])
        return _of_parts(f"[{', '.join(part.source for part in parts)}]", "list", parts)

    def coerced(self, kind: str, part: Fragment) -> Fragment:
        """Return a value as a getter of this kind gives it."""
        if kind in LITERALS or kind == "any":
            return part
        if part.constant:
            return self.constant(COERCIONS[kind](part.constant.value))
        if part.type == kind.removesuffix("_like") and not part.optional:
            return part
        return _failing(f"_as_{kind}({part.source})", [part])


def _literal_keys(path: Path) -> bool:
    return all(isinstance(key, Literal) for key in path.keys)


def _names(parts: list[Fragment]) -> dict[str, object]:
    return {name: thing for part in parts for name, thing in part.names.items()}


def _of_parts(source: str, kind: str, parts: list[Fragment]) -> Fragment:
    can_error = any(part.can_error for part in parts)
    return Fragment(source, kind, optional=False, can_error=can_error, names=_names(parts))  # type: ignore[arg-type]


def _failing(source: str, parts: list[Fragment]) -> Fragment:
    return Fragment(source, can_error=True, names=_names(parts))
