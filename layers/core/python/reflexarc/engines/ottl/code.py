"""Python source of parts of a condition, and what is known of the values that it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reflexarc.engines.ottl.binding import Constant
from reflexarc.engines.ottl.functions.signature import Result
from reflexarc.engines.ottl.syntax import Comparator, Path


@dataclass(frozen=True, slots=True)
class Fragment:
    """An expression of Python. `names` are the objects that it refers to by name.

    It has to stand wherever an operand may: in parentheses, unless it is a name, call or literal.
    `optional` says that it may be nil, `can_error` that it may raise EvaluationError.
    """

    source: str
    type: Result = "any"
    optional: bool = True
    can_error: bool = False
    names: Mapping[str, object] = field(default_factory=dict)
    # What it always gives. A `literal` stands in the condition itself: OTTL's only constants.
    constant: Constant | None = None
    literal: bool = False


class PathSource(Protocol):
    """Where the fields of a path are found; each decoder of telemetry has one."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the arguments that a compiled condition takes."""
        ...

    def read(self, path: Path) -> Fragment:
        """Return how to read a path; all its keys are literals."""
        ...

    def compare(self, path: Path, comparator: Comparator, constant: object) -> Fragment | None:
        """Return how to compare a path with a constant, None where there is no shorter way."""
        ...
