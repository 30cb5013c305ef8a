"""What a converter takes and gives, so that a call is checked before it is ever judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from reflexarc.engines.ottl.contexts import Type as FieldType

Result = FieldType | Literal["bytes", "duration"]
# `NAME` is a getter (see coercion), `NAME[]` a list of them written out, `lazy[]` one whose items
# are looked at one after the other. Literals must stand in the condition itself.
LITERALS = {
    "text": str,
    "number": int,
    "flag": bool,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; an optional one may be left out."""

    name: str
    kind: str
    optional: bool

    @property
    def is_list(self) -> bool:
        """Tell whether a list has to be written out for it."""
        return self.kind.endswith("[]")

    @property
    def item_kind(self) -> str:
        """Return the kind of the list's items."""
        return self.kind.removesuffix("[]")


@dataclass(frozen=True, slots=True)
class Converter:
    """One converter. `total` ones never fail on arguments of the types that they take.

    Where it names `static` parameters, `function` takes those of them that stand in the condition
    as literals, by name, and returns the function of the others; it raises ValueError where they
    make no sense.
    """

    name: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., object]
    result: Result
    nullable: bool = False
    total: bool = False
    # The same arguments give the same result, so a call with literals alone is made only once.
    pure: bool = True
    static: tuple[str, ...] = ()
    # Where it exists; everywhere if none is named.
    contexts: frozenset[str] = frozenset()
    # A field that it reads without being told, as an argument before the others.
    reads: tuple[str, ...] = ()

    @property
    def required(self) -> int:
        """Return how many arguments it needs."""
        return sum(not parameter.optional for parameter in self.parameters)


def parameters(text: str) -> tuple[Parameter, ...]:
    """Return the parameters that `target: string, length: int?` describes."""
    found = []
    for part in filter(None, text.split(", ")):
        name, _, kind = part.partition(": ")
        found.append(Parameter(name, kind.removesuffix("?"), kind.endswith("?")))
    return tuple(found)


def table(*converters: Converter) -> Mapping[str, Converter]:
    """Return converters by their names."""
    return {converter.name: converter for converter in converters}
