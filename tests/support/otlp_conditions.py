"""Random conditions on items, and what they mean: judged slowly, by the plain schema.

Of equal keys the first counts, as in the Collector. A condition on data points or span events holds
for an item where it holds for one of them; one that raises does not hold.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import re2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.ottl.coercion import string_like
from reflexarc.engines.ottl.syntax import (
    And,
    Argument,
    Call,
    Comparator,
    Compare,
    Condition,
    Constant,
    Literal,
    Not,
    Or,
    Path,
    Truth,
    Value,
)
from reflexarc.engines.ottl.values import COMPARATORS, EvaluationError, field_at, int64
from reflexarc.events.otlp_batch import OtlpSignal
from tests.support.otlp_wire import INTEGERS, KEYS, TEXTS

PLAIN: dict[OtlpSignal, Callable[[bytes], Any]] = {
    "traces": Span.FromString,
    "metrics": Metric.FromString,
    "logs": LogRecord.FromString,
}
CONTEXTS: dict[OtlpSignal, str] = {"traces": "span", "metrics": "metric", "logs": "log"}
PARTS: dict[OtlpSignal, str] = {"traces": "spanevent", "metrics": "datapoint"}
FIELDS: dict[OtlpSignal, Sequence[str]] = {
    "traces": ("name", "kind", "status.code", "start_time_unix_nano", "end_time_unix_nano"),
    "metrics": ("name", "description", "unit"),
    "logs": ("severity_text", "event_name", "severity_number", "time_unix_nano", "body"),
}
COMPARED: Sequence[Comparator] = ("==", "!=", "<", "<=", ">", ">=")
_SPECIAL = frozenset(r"\.+*?()|[]{}^$-")
_QUIET = re2.Options()
_QUIET.log_errors = False


@cache
def re2_pattern(pattern: str) -> Any:
    """Return a compiled pattern, None where RE2 does not take it."""
    try:
        return re2.compile(pattern, options=_QUIET)
    except re2.error:
        return None


# What a condition means


def plain_value(value: AnyValue) -> Any:
    """Return what an AnyValue holds."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return plain_map(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)


def plain_map(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    """Return attributes by their keys; of equal ones the first."""
    return {each.key: plain_value(each.value) for each in reversed(attributes)}


def holds(condition: Condition, signal: OtlpSignal, item: Any) -> bool:
    """Return whether a condition holds for an item of the plain schema."""
    return any(_holds(condition, signal, item, part) for part in _parts(condition, signal, item))


def parts_of(signal: OtlpSignal, item: Any) -> Sequence[Any]:
    """Return the events of a span, the points of a metric."""
    if signal == "traces":
        return list(item.events)
    kind = item.WhichOneof("data") if signal == "metrics" else None
    return list(getattr(item, kind).data_points) if kind else ()


def _parts(condition: Condition, signal: OtlpSignal, item: Any) -> Sequence[Any]:
    on_parts = signal in PARTS and PARTS[signal] in repr(condition)
    return parts_of(signal, item) if on_parts else (None,)


def _holds(condition: Condition, signal: OtlpSignal, item: Any, part: Any) -> bool:
    try:
        return _true(condition, lambda value: _evaluated(value, signal, item, part))
    except EvaluationError:
        return False


def _true(condition: Condition, value_of: Callable[[Any], Any]) -> bool:
    match condition:
        case And(conditions):
            return all(_true(each, value_of) for each in conditions)
        case Or(conditions):
            return any(_true(each, value_of) for each in conditions)
        case Not(inner):
            return not _true(inner, value_of)
        case Compare(comparator, left, right):
            return COMPARATORS[comparator](value_of(left), value_of(right))
        case Truth(Call(arguments=(target, pattern))):
            text = string_like(value_of(target.value))
            compiled = re2_pattern(value_of(pattern.value))
            return text is not None and compiled is not None and compiled.search(text) is not None
        case _:
            raise AssertionError(condition)


def _evaluated(value: Value, signal: OtlpSignal, item: Any, part: Any) -> Any:
    match value:
        case Literal(constant):
            return constant
        case Path(context, ("attributes",), keys):
            held = item if context == CONTEXTS[signal] else part
            return field_at(plain_map(held.attributes), [key.value for key in keys])  # type: ignore[union-attr]
        case Path(_, ("body",), ()):
            return plain_value(item.body)
        case Path(_, names, ()):
            held = item
            for name in names:
                held = getattr(held, name)
            return int64(held) if isinstance(held, int) else held
        case _:
            raise AssertionError(value)


# Conditions


def literal(value: Constant) -> Literal:
    return Literal(value, 1)


def path(context: str, name: str, *keys: str) -> Path:
    return Path(context, tuple(name.split(".")), tuple(literal(key) for key in keys), 1)


def is_match(target: Value, pattern: str) -> Truth:
    arguments = (Argument("", target), Argument("", literal(pattern)))
    return Truth(Call("IsMatch", arguments, (), 1), 1)


class ConditionWriter:
    """Writes random conditions, of which many hold for the item that they are written for."""

    def __init__(self, rng: random.Random, signal: OtlpSignal) -> None:
        self.rng = rng
        self.signal: OtlpSignal = signal

    def condition(self, item: Any, depth: int = 0) -> Condition:
        """Write a condition on one item, its points or its events."""
        kind = self.rng.random()
        if depth > 2 or kind < 0.55:
            return self.atom(item)
        inner = tuple(self.condition(item, depth + 1) for _ in range(self.rng.randint(2, 3)))
        if kind < 0.75:
            return And(inner, 1)
        return Or(inner, 1) if kind < 0.92 else Not(inner[0], 1)

    def atom(self, item: Any) -> Condition:
        """Write a comparison or a match."""
        rng, (read, value) = self.rng, self._read(item)
        if rng.random() < 0.4:
            return is_match(read, self._pattern(value))
        constant = literal(self._constant(value))
        left, right = (constant, read) if rng.random() < 0.2 else (read, constant)
        return Compare(rng.choice(("==", *COMPARED)), left, right, 1)

    def _read(self, item: Any) -> tuple[Path, Any]:
        """Return a path, and what it reads where that is known."""
        rng, signal = self.rng, self.signal
        parts = parts_of(signal, item)
        if signal in PARTS and rng.random() < (0.6 if signal == "metrics" else 0.2):
            of = plain_map(rng.choice(parts).attributes) if parts else {}
            return self._attribute(PARTS[signal], of)
        if signal == "metrics" or rng.random() < 0.35:
            read = path(CONTEXTS[signal], rng.choice(FIELDS[signal]))
            return read, _evaluated(read, signal, item, None)
        return self._attribute(CONTEXTS[signal], plain_map(item.attributes))

    def _attribute(self, context: str, found: dict[str, Any]) -> tuple[Path, Any]:
        known = bool(found) and self.rng.random() < 0.8
        key = self.rng.choice(list(found)) if known else self.rng.choice(KEYS)
        value = found.get(key)
        if isinstance(value, dict) and value and self.rng.random() < 0.3:
            inner = self.rng.choice(list(value))
            return path(context, "attributes", key, inner), value[inner]
        return path(context, "attributes", key), value

    def _constant(self, value: Any) -> Constant:
        if not isinstance(value, list | dict) and self.rng.random() < 0.7:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return value + self.rng.choice((0, 0, 1, -1, 0.5))
            return value  # type: ignore[no-any-return]
        return self.rng.choice((None, True, 500, 2.5, *TEXTS, *INTEGERS))

    def _pattern(self, value: Any) -> str:
        try:
            text = string_like(value)
        except EvaluationError:
            text = None
        if not text or self.rng.random() < 0.1:
            return self.rng.choice(("", "^$", ".", "healthz", "^chat$", "(?i)CHAT", "chat|x", "("))
        return pattern_for(self.rng, text)


def pattern_for(rng: random.Random, text: str) -> str:
    """Return a pattern that matches a text, mostly by a part of it."""
    if rng.random() < 0.2 and len(text) < 200:
        return f"^{_loosened(rng, text)}$"
    begin = rng.randrange(len(text))
    part = _loosened(rng, text[begin : begin + rng.randint(1, 16)])
    if rng.random() < 0.2:
        other = _escaped(rng.choice(TEXTS)[:20])
        part = rng.choice((f"(?:{part}|{other})", f"{other}|{part}", f"{part}{other[:1]}?"))
    return part


def _loosened(rng: random.Random, text: str) -> str:
    """Return a pattern that matches at least a text."""
    if len(text) > 3 and rng.random() < 0.3:
        at = rng.randrange(1, len(text) - 1)
        gap = rng.choice(
            ("[^/]", "(?s:.)", ".?" + _escaped(text[at]), "(" + _escaped(text[at]) + ")")
        )
        return _escaped(text[:at]) + gap + _escaped(text[at + 1 :])
    return _escaped(text)


def _escaped(text: str) -> str:
    return "".join(f"\\{mark}" if mark in _SPECIAL else mark for mark in text)


def holds_for_part(condition: Condition, signal: OtlpSignal, item: Any, part: Any) -> bool:
    """Return whether a condition holds for one event or data point of an item."""
    return _holds(condition, signal, item, part)
