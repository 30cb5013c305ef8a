"""In which context a condition is judged that does not say so: by the paths in it. Pure.

https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/context_inferrer.go
"""

from collections.abc import Iterable

from reflexarc.engines.ottl.check import values_of
from reflexarc.engines.ottl.contexts import ENUMS, READABLE
from reflexarc.engines.ottl.functions import find
from reflexarc.engines.ottl.lexer import tokens
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import Call, OttlError, Path

# The lowest first: a condition over a span and its resource is one over the span.
_PRIORITY = ("log", "datapoint", "metric", "spanevent", "span", "scope", "resource")
_ALIASES = {"instrumentation_scope": "scope"}


class _Any(dict[str, int]):
    """Enums of every name."""

    def __missing__(self, _: str) -> int:
        return 0


def infer(text: str, contexts: Iterable[str]) -> str:
    """Return the context of a condition among those of its signal; raises OttlError."""
    tree = parse(text, "", _Any())
    candidates = [context for context in _PRIORITY if context in set(contexts)]
    paths = [value for value in values_of(tree) if isinstance(value, Path)]
    named = set()
    for path in paths:
        first = _ALIASES.get(path.names[0], path.names[0])
        if len(path.names) == 1 or first not in candidates:
            known = ", ".join(candidates)
            raise OttlError(f"the path has to begin with one of {known}", text, path.column)
        named.add(first)
    if not named:
        raise OttlError("no path says in which context to judge it: give a context", text, 1)
    lowest = next(context for context in candidates if context in named)
    calls = [value for value in values_of(tree) if isinstance(value, Call)]
    enums = _enums(text)
    below = [each for each in candidates if lowest in READABLE[each].values() and each != lowest]
    for context in (lowest, *below):
        if _supports(context, calls, enums):
            return context
    # What does not fit anywhere is told for the context that the paths speak of.
    return lowest


def _enums(text: str) -> set[str]:
    names = {enum for table in ENUMS.values() for enum in table}
    return {token.text for token in tokens(text) if token.kind == "name"} & names


def _supports(context: str, calls: list[Call], enums: set[str]) -> bool:
    if not enums <= set(ENUMS.get(context, {})):
        return False
    for call in calls:
        converter = find(call.name)
        if converter is None or (converter.contexts and context not in converter.contexts):
            return False
    return True
