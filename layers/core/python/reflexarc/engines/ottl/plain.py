"""Paths read from plain OTLP messages, the slow and sure way: what the fast ones are tested by.

A condition takes the messages that its item is part of: ResourceSpans, ScopeSpans, Span and so on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reflexarc.engines.ottl import plain_values, values
from reflexarc.engines.ottl.code import Fragment
from reflexarc.engines.ottl.contexts import FIELDS
from reflexarc.engines.ottl.functions.signature import Result
from reflexarc.engines.ottl.syntax import Comparator, Literal, Path

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "resource": ("resource",),
    "scope": ("resource", "scope"),
    "span": ("resource", "scope", "span"),
    "spanevent": ("resource", "scope", "span", "spanevent", "event_index"),
    "metric": ("resource", "scope", "metric"),
    "datapoint": ("resource", "scope", "metric", "datapoint"),
    "log": ("resource", "scope", "log"),
}
# Where a context's own message lies.
_MESSAGE = {"resource": "resource.resource", "scope": "scope.scope"}
_FUNCTIONS: Mapping[str, object] = {
    f"_p_{function.__name__}": function
    for function in (
        plain_values.any_value,
        plain_values.attribute,
        plain_values.body_text,
        plain_values.count,
        plain_values.data_points,
        plain_values.kind_constant,
        plain_values.kind_text,
        plain_values.mapping,
        plain_values.metric_field,
        plain_values.metric_type,
        plain_values.number,
        plain_values.numbers,
        plain_values.point_attributes,
        plain_values.records,
        plain_values.span_id,
        plain_values.span_id_text,
        plain_values.time,
        plain_values.trace_id,
        plain_values.trace_id_text,
        plain_values.trace_state,
        values.field_at,
        values.int64,
        values.Records,
    )
}
_ID = {"trace_id": "trace_id", "span_id": "span_id", "parent_span_id": "span_id"}
_SIGNED = "_unix_nano"
# Sources that are no plain attribute of the message; {m} is the message.
_SPECIAL: Mapping[tuple[str, ...], str] = {
    ("resource", "schema_url"): "resource.schema_url",
    ("scope", "schema_url"): "scope.schema_url",
    ("span", "kind", "string"): "_p_kind_text({m}.kind)",
    ("span", "kind", "deprecated_string"): "_p_kind_constant({m}.kind)",
    ("span", "events"): "_p_Records(len({m}.events))",
    ("span", "links"): "_p_Records(len({m}.links))",
    ("span", "status"): "_p_Records(1)",
    ("spanevent", "event_index"): "event_index",
    ("metric", "type"): "_p_metric_type({m})",
    ("metric", "aggregation_temporality"): "_p_metric_field({m}, 'aggregation_temporality')",
    ("metric", "is_monotonic"): "_p_metric_field({m}, 'is_monotonic')",
    ("metric", "data_points"): "_p_data_points({m})",
    ("metric", "data_points", "attributes"): "_p_point_attributes({m})",
    ("datapoint", "value_double"): "_p_number({m}, 'as_double')",
    ("datapoint", "value_int"): "_p_number({m}, 'as_int')",
    ("datapoint", "exemplars"): "_p_records({m}, 'exemplars')",
    ("datapoint", "quantile_values"): "_p_records({m}, 'quantile_values')",
    ("datapoint", "positive"): "_p_records({m}, 'positive')",
    ("datapoint", "negative"): "_p_records({m}, 'negative')",
    ("datapoint", "count"): "_p_count({m}, 'count')",
    ("datapoint", "zero_count"): "_p_count({m}, 'zero_count')",
    ("datapoint", "sum"): "getattr({m}, 'sum', None)",
    ("datapoint", "scale"): "getattr({m}, 'scale', None)",
    ("datapoint", "bucket_counts"): "_p_numbers({m}, 'bucket_counts')",
    ("datapoint", "explicit_bounds"): "_p_numbers({m}, 'explicit_bounds')",
    **{
        ("datapoint", side, "offset"): f"getattr(getattr({{m}}, '{side}', None), 'offset', None)"
        for side in ("positive", "negative")
    },
    **{
        ("datapoint", side, "bucket_counts"): (
            f"_p_numbers(getattr({{m}}, '{side}', None), 'bucket_counts')"
        )
        for side in ("positive", "negative")
    },
    ("log", "body", "string"): "_p_body_text({m}.body)",
}
_MAPS = frozenset({"attributes", "metadata"})


@dataclass(frozen=True, slots=True)
class PlainPaths:
    """Reads paths of one context."""

    context: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the messages that a condition of the context takes."""
        return _PARAMETERS[self.context]

    def read(self, path: Path) -> Fragment:
        """Return how to read a path."""
        keys = tuple(key.value for key in path.keys if isinstance(key, Literal))
        if path.names == ("cache",):
            return _indexed("{}", keys) if keys else Fragment("{}", "map", optional=False)
        message = _MESSAGE.get(path.context, path.context)
        name = path.names[0]
        if name in _MAPS and len(path.names) == 1:
            return _map(f"{message}.{name}", keys)
        if name == "body" and len(path.names) == 1:
            body = f"_p_any_value({message}.body)"
            return _indexed(body, keys) if keys else Fragment(body, names=_FUNCTIONS)
        if name == "trace_state" and keys:
            source = f"_p_trace_state({message}.trace_state, {keys[0]!r})"
            return Fragment(source, "string", names=_FUNCTIONS)
        field = FIELDS[path.context].get(path.names)
        kind: Result = field.type if field else "list"
        # A trace state is nil only where a key looks for a part of it.
        optional = field is None or (field.optional and name != "trace_state")
        return Fragment(_scalar(path, message), kind, optional=optional, names=_FUNCTIONS)

    def compare(self, path: Path, comparator: Comparator, constant: object) -> Fragment | None:
        """Return None: here nothing is faster than reading the value."""
        del path, comparator, constant
        return None


def _scalar(path: Path, message: str) -> str:
    special = _SPECIAL.get((path.context, *path.names))
    if special is not None:
        return special.replace("{m}", message)
    name = path.names[0]
    if name in _ID:
        text = "_text" if len(path.names) > 1 else ""
        return f"_p_{_ID[name]}{text}({message}.{name})"
    if name.endswith(_SIGNED):
        return f"_p_int64({message}.{name})"
    if name.endswith("time"):
        return f"_p_time({message}.{name}{_SIGNED})"
    return f"{message}.{'.'.join(path.names)}"


def _map(source: str, keys: tuple[object, ...]) -> Fragment:
    if not keys:
        return Fragment(f"_p_mapping({source})", "map", optional=False, names=_FUNCTIONS)
    if len(keys) == 1 and isinstance(keys[0], str):
        return Fragment(f"_p_attribute({source}, {keys[0]!r})", names=_FUNCTIONS)
    return _indexed(f"_p_mapping({source})", keys)


def _indexed(source: str, keys: tuple[object, ...]) -> Fragment:
    return Fragment(f"_p_field_at({source}, {keys!r})", can_error=True, names=_FUNCTIONS)
