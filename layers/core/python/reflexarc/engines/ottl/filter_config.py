"""A Collector's `filter:` block, as it is pasted, becomes a typed model. Pure.

Both forms are read: conditions in a list for each level, and conditions that say their context by
their paths. https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/filterprocessor
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.inference import infer
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.syntax import Condition, OttlError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected

ErrorMode = Literal["ignore", "silent", "propagate"]

CONTEXTS: Mapping[OtlpSignal, tuple[str, ...]] = {
    "traces": ("resource", "scope", "span", "spanevent"),
    "metrics": ("resource", "scope", "metric", "datapoint"),
    "logs": ("resource", "scope", "log"),
}
# What a list of the old form holds conditions of.
_LISTS: Mapping[OtlpSignal, Mapping[str, str]] = {
    "traces": {"resource": "resource", "span": "span", "spanevent": "spanevent"},
    "metrics": {"resource": "resource", "metric": "metric", "datapoint": "datapoint"},
    "logs": {"resource": "resource", "log_record": "log"},
}
_CONDITIONS: Mapping[str, OtlpSignal] = {
    "trace_conditions": "traces",
    "metric_conditions": "metrics",
    "log_conditions": "logs",
}
_MODES = ("ignore", "silent", "propagate")
_LEGACY = frozenset({"include", "exclude", "regexp"})
_EXAMPLES: Mapping[str, str] = {
    "spans": (
        "exclude services [a] is trace_conditions: "
        '[resource.attributes["service.name"] == "a"]; include is its opposite, with not'
    ),
    "metrics": (
        'exclude metric_names [a.*] is metric_conditions: [IsMatch(metric.name, "a.*")]; '
        "include is its opposite, with not"
    ),
    "logs": (
        'exclude bodies [a] is log_conditions: [log.body == "a"], severity_number min WARN is '
        "[log.severity_number < SEVERITY_NUMBER_WARN]; include is its opposite, with not"
    ),
}


@dataclass(frozen=True, slots=True)
class FilterCondition:
    """One condition with the context that it is judged in."""

    context: str
    text: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """Conditions of one signal; any of them drops what it holds for."""

    conditions: tuple[FilterCondition, ...]
    error_mode: ErrorMode


@dataclass(frozen=True, slots=True)
class FilterConfig:
    """Groups by signal; each goes over what the one before it left."""

    groups: Mapping[OtlpSignal, tuple[FilterGroup, ...]]
    error_mode: ErrorMode


def parse_filter(document: object) -> FilterConfig:
    """Return the model of a block: what stands under `filter:`, or that with its name above it."""
    block = _block(document)
    mode = _mode(block.get("error_mode", "ignore"), "error_mode")
    groups: dict[OtlpSignal, tuple[FilterGroup, ...]] = {}
    for key, value in block.items():
        if key in _CONDITIONS:
            signal = _CONDITIONS[key]
            found = _groups(signal, value, mode, key)
        elif key in _LISTS:
            signal = cast("OtlpSignal", key)
            found = _lists(signal, value, mode)
        elif key == "error_mode":
            continue
        else:
            raise Rejected(_unknown(str(key)))
        if signal in groups:
            raise Rejected(f"conditions of {signal} in both forms: write one of them")
        groups[signal] = found
    return FilterConfig(groups, mode)


def _block(document: object) -> Mapping[str, object]:
    block = _mapping(document, "a filter")
    while len(block) == 1:
        name, inner = next(iter(block.items()))
        if name != "processors" and name.partition("/")[0] != "filter":
            break
        block = _mapping(inner, name)
    return block


def _unknown(key: str) -> str:
    if key == "spans":
        return _legacy("spans")
    if key in {"profiles", "profile_conditions"}:
        return f"{key}: reflexarc takes traces, metrics and logs, no profiles"
    return f"{key} is no part of a filter"


def _legacy(key: str) -> str:
    return f"{key}: include and exclude are not read; write OTTL instead: {_EXAMPLES[key]}"


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Rejected(f"{name} is a mapping of names")
    return value


def _list(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise Rejected(f"{name} is a list")
    return value


def _mode(value: object, name: str) -> ErrorMode:
    if not isinstance(value, str) or value.lower() not in _MODES:
        raise Rejected(f"{name} is one of {', '.join(_MODES)}")
    return cast("ErrorMode", value.lower())


def _lists(signal: OtlpSignal, value: object, mode: ErrorMode) -> tuple[FilterGroup, ...]:
    lists = _mapping(value, signal)
    conditions: list[FilterCondition] = []
    for key, listed in lists.items():
        if key in _LEGACY:
            raise Rejected(_legacy("spans" if signal == "traces" else signal))
        if key not in _LISTS[signal]:
            raise Rejected(f"{signal}.{key} is no list of conditions")
        name = f"{signal}.{key}"
        conditions += [_condition(text, name, _LISTS[signal][key]) for text in _list(listed, name)]
    return (FilterGroup(tuple(conditions), mode),)


def _groups(
    signal: OtlpSignal, value: object, mode: ErrorMode, key: str
) -> tuple[FilterGroup, ...]:
    listed = _list(value, key)
    texts = [each for each in listed if isinstance(each, str)]
    if texts and len(texts) < len(listed):
        raise Rejected(f"{key} has conditions and groups side by side: write one of the two")
    groups = [{"conditions": texts}] if texts else listed
    return tuple(_group(signal, group, mode, key) for group in groups)


def _group(signal: OtlpSignal, value: object, mode: ErrorMode, key: str) -> FilterGroup:
    group = _mapping(value, f"a group of {key}")
    unknown = set(group) - {"context", "conditions", "error_mode"}
    if unknown:
        raise Rejected(f"{key}: {min(unknown)} is no part of a group")
    context = str(group.get("context") or "").lower()
    if context and context not in CONTEXTS[signal]:
        known = ", ".join(CONTEXTS[signal])
        raise Rejected(f"{key}: context {context} is none of {known}")
    own = group.get("error_mode")
    texts = _list(group.get("conditions", []), f"conditions of {key}")
    return FilterGroup(
        tuple(_condition(text, key, context, CONTEXTS[signal]) for text in texts),
        _mode(own, f"error_mode of {key}") if own else mode,
    )


def _condition(
    text: object, name: str, context: str, contexts: Sequence[str] = ()
) -> FilterCondition:
    if not isinstance(text, str):
        raise Rejected(f"a condition of {name} is a text, not {text!r:.80}")
    if "${" in text.replace("$$", ""):
        raise Rejected(f"{name}: {text:.80}: variables of the Collector's environment are unknown")
    plain = text.replace("$$", "$")
    try:
        where = context or infer(plain, contexts)
        tree = parse(plain, where)
        check(tree, where, plain)
    except OttlError as error:
        raise OttlError(f"{name}: {error.reason}", plain, error.column) from None
    return FilterCondition(where, plain, tree)
