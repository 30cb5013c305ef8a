"""The converter ExtractGrokPatterns: patterns with names, matched by RE2."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.resources import files

from reflexarc.engines.ottl.coercion import bool_like, parsed_float, parsed_int
from reflexarc.engines.ottl.functions.patterns import BadPattern, Pattern, compiled
from reflexarc.engines.ottl.functions.signature import Converter, parameters, table
from reflexarc.engines.ottl.values import EvaluationError

_REUSED = re.compile(r"%\{(\w+)(?::([\w+.]+)(?::(\w+))?)?\}", re.ASCII)
_DOT = "___"  # RE2 takes no dots in names
_DEEPEST = 32
_LONGEST = 65_536
_SHOWN = 20
Grok = tuple[Pattern, Mapping[str, str]]


@cache
def standard() -> Mapping[str, str]:
    """Return the patterns that everybody has."""
    text = files(__package__).joinpath("grok_patterns.json").read_text("utf-8")
    patterns: dict[str, str] = json.loads(text)["patterns"]
    return patterns


def expanded(
    pattern: str, own: Mapping[str, str], *, named_only: bool
) -> tuple[str, Mapping[str, str]]:
    """Return a pattern without references to others, and the types of its names."""
    known, hints = {**standard(), **own}, dict[str, str]()

    def replaced(match: re.Match[str]) -> str:
        name, target, hint = match.groups()
        if name not in known:
            raise BadPattern(f"there is no pattern {name}")
        group = (target or name).replace(".", _DOT)
        if hint:
            hints[group] = hint
        if named_only and not target:
            return f"({known[name]})"
        return f"(?P<{group}>{known[name]})"

    for _ in range(_DEEPEST):
        result = _REUSED.sub(replaced, pattern)
        if result == pattern:
            return pattern, hints
        pattern = result
        if len(pattern) > _LONGEST:
            break
    raise BadPattern("the pattern refers to itself, or is too long")


def _compiled(pattern: str, own: Mapping[str, str], *, named_only: bool) -> Grok:
    text, hints = expanded(pattern, own, named_only=named_only)
    # Two groups of one name are one error to RE2 and none to Go, where the last one counts.
    made = compiled(_unique(text))
    if named_only and not made.groupindex:
        raise BadPattern("the pattern names no group")
    return made, hints


_NAMED = re.compile(r"\(\?P<(\w+)>", re.ASCII)
_REPEATED = re.compile(r"__again[0-9]+\Z")


def _unique(pattern: str) -> str:
    seen: dict[str, int] = {}

    def renamed(match: re.Match[str]) -> str:
        name = match[1]
        seen[name] = seen.get(name, 0) + 1
        again = f"__again{seen[name]}" if seen[name] > 1 else ""
        return f"(?P<{name}{again}>"

    return _NAMED.sub(renamed, pattern)


def _captured(grok: Grok, text: str) -> dict[str, object]:
    pattern, hints = grok
    match = pattern.search(text)
    if match is None:
        return {}
    found: dict[str, object] = {}
    for group, number in sorted(pattern.groupindex.items(), key=lambda item: item[1]):
        name = _REPEATED.sub("", group)
        if value := match[number]:
            found[name.replace(_DOT, ".")] = _typed(value, hints.get(name, "string"))
    return found


def _typed(text: str, hint: str) -> object:
    if hint in {"int", "long"}:
        value: object = parsed_int(text)
        if value is None:
            raise EvaluationError(f"{text[:80]!r} is no int")
        return value
    if hint in {"double", "float"}:
        return parsed_float(text)
    if hint in {"bool", "boolean"}:
        return bool_like(text)
    if hint != "string":
        raise EvaluationError(f"{hint} is no type of a pattern")
    return text


def _definitions(given: Mapping[str, object]) -> dict[str, str]:
    own = {}
    listed = given.get("pattern_definitions", [])
    for definition in listed if isinstance(listed, list) else ():
        name, found, pattern = str(definition).partition("=")
        if not found or ":" in name:
            raise ValueError(f"{name[:_SHOWN]!r} does not have the form NAME=pattern")
        own[name] = pattern
    return own


def _extract(given: Mapping[str, object]) -> Callable[..., object]:
    own, named_only = _definitions(given), bool(given.get("named_captures_only"))
    if "pattern" in given:
        grok = _compiled(str(given["pattern"]), own, named_only=named_only)
        return lambda text: _captured(grok, text)

    @lru_cache(maxsize=64)
    def remembered(pattern: str) -> Grok:
        try:
            return _compiled(pattern, own, named_only=named_only)
        except BadPattern as error:
            raise EvaluationError(str(error)) from None

    return lambda text, pattern: _captured(remembered(pattern), text)


CONVERTERS = table(
    Converter(
        "ExtractGrokPatterns",
        parameters(
            "target: string, pattern: string, named_captures_only: flag?, "
            "pattern_definitions: text[]?"
        ),
        _extract,
        "map",
        static=("pattern", "named_captures_only", "pattern_definitions"),
    ),
)
