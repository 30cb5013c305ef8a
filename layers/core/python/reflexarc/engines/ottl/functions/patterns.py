"""Converters that match patterns, always by RE2: no pattern takes more than linear time.

RE2 is what Go's regexp speaks, so patterns mean what they mean to the Collector.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import re2

from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError

if TYPE_CHECKING:
    Pattern = re2._Regexp[str]  # noqa: SLF001 - RE2's binding has no other name for it
else:
    Pattern = object
_REMEMBERED = 256  # patterns that telemetry itself brings

_QUIET = re2.Options()
_QUIET.log_errors = False
# Whether it matches is all that IsMatch asks; bytes spare RE2's binding the count of characters.
_ONLY_WHETHER = re2.Options()
_ONLY_WHETHER.log_errors = False
_ONLY_WHETHER.never_capture = True


class BadPattern(ValueError):
    """RE2 does not take this pattern; says why."""


def compiled(pattern: str) -> Pattern:
    """Return a compiled pattern; raises BadPattern."""
    try:
        return re2.compile(pattern, options=_QUIET)
    except re2.error as error:
        raise _bad(pattern, error) from None


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a pattern matches a part of a text; raises BadPattern."""
    try:
        search = re2.compile(pattern.encode(), options=_ONLY_WHETHER).search
    except re2.error as error:
        raise _bad(pattern, error) from None
    return lambda text: search(text.encode()) is not None


def _bad(pattern: str, error: re2.error) -> BadPattern:
    reason = error.args[0]
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return BadPattern(f"pattern {pattern[:80]!r}: {text}")


@lru_cache(maxsize=_REMEMBERED)
def _remembered(pattern: str) -> Pattern:
    try:
        return compiled(pattern)
    except BadPattern as error:
        raise EvaluationError(str(error)) from None


@lru_cache(maxsize=_REMEMBERED)
def _remembered_matcher(pattern: str) -> Callable[[str], bool]:
    try:
        return matcher(pattern)
    except BadPattern as error:
        raise EvaluationError(str(error)) from None


def is_match(text: str | None, pattern: str) -> bool:
    """Tell whether a pattern matches a part of a text; nothing matches nil."""
    matches = _remembered_matcher(pattern)
    return text is not None and matches(text)


def _is_match(given: Mapping[str, object]) -> Callable[..., object]:
    if "pattern" not in given:
        return is_match
    matches = matcher(str(given["pattern"]))
    return lambda text: text is not None and matches(text)


def _extracted(pattern: Pattern, text: str) -> dict[str, str]:
    match = pattern.search(text)
    if match is None:
        return {}
    return {name: match[number] or "" for name, number in pattern.groupindex.items()}


_NO_NAMES = "the pattern names no group"


def extract_patterns(text: str, pattern: str) -> dict[str, str]:
    """Return what a pattern's named groups match."""
    found = _remembered(pattern)
    if not found.groupindex:
        raise EvaluationError(_NO_NAMES)
    return _extracted(found, text)


def _extract_patterns(given: Mapping[str, object]) -> Callable[..., object]:
    if "pattern" not in given:
        return extract_patterns
    pattern = compiled(str(given["pattern"]))
    if not pattern.groupindex:
        # The Collector finds this out when it judges the first item.
        return lambda text: extract_patterns(text, "")
    return lambda text: _extracted(pattern, text)


CONVERTERS = table(
    Converter(
        "IsMatch",
        parameters("target: string_like, pattern: string"),
        _is_match,
        "bool",
        static=("pattern",),
    ),
    Converter(
        "ExtractPatterns",
        parameters("target: string, pattern: string"),
        _extract_patterns,
        "map",
        static=("pattern",),
    ),
)
