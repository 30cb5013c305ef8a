"""The syntax tree of an OTTL condition: values, and conditions over them.

The grammar is the Collector's (pkg/ottl/LANGUAGE.md). Every node knows the column where it starts
(1 is the first character), so that whoever refuses it can point at it.
"""

from dataclasses import dataclass
from typing import Literal as OneOf

from reflexarc.kernel.errors import Rejected

Comparator = OneOf["==", "!=", "<", "<=", ">", ">="]
Operator = OneOf["+", "-", "*", "/"]
Constant = bool | int | float | str | bytes | None


class OttlError(Rejected):
    """A condition cannot be used; says what is wrong and points at the column."""

    def __init__(self, reason: str, condition: str, column: int) -> None:
        pointer = f"{condition}\n{' ' * (column - 1)}^"
        super().__init__(f"column {column}: {reason}\n{pointer}")
        self.reason = reason
        self.condition = condition
        self.column = column


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: nil (None), a truth value, a number, a text, or bytes (0x0a1b)."""

    value: Constant
    column: int


@dataclass(frozen=True, slots=True)
class Path:
    """A field of the telemetry: `span.attributes["http.route"]["x"]`.

    `context` is resolved by the parser: the context that the path names, else the condition's own.
    `names` are the field's names after the context, `keys` the indexes behind the last of them.
    """

    context: str
    names: tuple[str, ...]
    keys: tuple["Value", ...]
    column: int


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call, by position (name is empty) or by name."""

    name: str
    value: "Value | Function"


@dataclass(frozen=True, slots=True)
class Function:
    """A function passed by its name, as `replace_pattern(..., SHA256)` does."""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Call:
    """A converter applied to arguments, with indexes into its result: `Split(name, "/")[1]`."""

    name: str
    arguments: tuple[Argument, ...]
    keys: tuple["Value", ...]
    column: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers, times or durations combined."""

    operator: Operator
    left: "Value"
    right: "Value"
    column: int


@dataclass(frozen=True, slots=True)
class Negative:
    """A value with a minus before it."""

    value: "Value"
    column: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list written out."""

    items: tuple["Value", ...]
    column: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map written out."""

    items: tuple[tuple[str, "Value"], ...]
    column: int


Value = Literal | Path | Call | Arithmetic | Negative | ListOf | MapOf


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values compared; types that do not compare are unequal, and never ordered."""

    comparator: Comparator
    left: Value
    right: Value
    column: int


@dataclass(frozen=True, slots=True)
class Truth:
    """`true`, `false`, or a call whose result must be a truth value."""

    value: Literal | Call
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: "Condition"
    column: int


@dataclass(frozen=True, slots=True)
class And:
    """All hold; judged from left to right until one does not."""

    conditions: tuple["Condition", ...]
    column: int


@dataclass(frozen=True, slots=True)
class Or:
    """One holds; judged from left to right until one does."""

    conditions: tuple["Condition", ...]
    column: int


Condition = Compare | Truth | Not | And | Or
