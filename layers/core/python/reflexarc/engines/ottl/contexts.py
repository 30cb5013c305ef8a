"""The contexts in which conditions are judged: which fields each has, and its enums. Data.

Fields: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/ottl/contexts
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Type = Literal[
    "bool", "float", "id", "int", "list", "map", "records", "string", "time", "any"
]  # fmt: skip
Index = Literal["none", "value", "one"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a field holds. `records` are messages that conditions may only count.

    `optional` marks what is nil where the telemetry has no such field (a gauge has no `count`).
    `index` says whether keys may stand behind it: any number into a value, or exactly one.
    """

    type: Type
    optional: bool = False
    index: Index = "none"


Fields = Mapping[tuple[str, ...], Field]

_TEXT, _INT, _TIME, _ID = Field("string"), Field("int"), Field("time"), Field("id")
_MAP, _RECORDS = Field("map", index="value"), Field("records")
_SOME_INT, _SOME_FLOAT = Field("int", optional=True), Field("float", optional=True)
_SOME_RECORDS, _SOME_LIST = Field("records", optional=True), Field("list", optional=True)

_RESOURCE: Fields = {
    ("attributes",): _MAP,
    ("dropped_attributes_count",): _INT,
    ("schema_url",): _TEXT,
}
_SCOPE: Fields = {**_RESOURCE, ("name",): _TEXT, ("version",): _TEXT}
_SPAN: Fields = {
    ("trace_id",): _ID,
    ("trace_id", "string"): _TEXT,
    ("span_id",): _ID,
    ("span_id", "string"): _TEXT,
    ("parent_span_id",): _ID,
    ("parent_span_id", "string"): _TEXT,
    ("trace_state",): Field("string", optional=True, index="one"),
    ("name",): _TEXT,
    ("kind",): _INT,
    ("kind", "string"): _TEXT,
    ("kind", "deprecated_string"): _TEXT,
    ("start_time",): _TIME,
    ("start_time_unix_nano",): _INT,
    ("end_time",): _TIME,
    ("end_time_unix_nano",): _INT,
    ("attributes",): _MAP,
    ("dropped_attributes_count",): _INT,
    ("events",): _RECORDS,
    ("dropped_events_count",): _INT,
    ("links",): _RECORDS,
    ("dropped_links_count",): _INT,
    ("status",): _RECORDS,
    ("status", "code"): _INT,
    ("status", "message"): _TEXT,
    ("flags",): _INT,
}
_SPAN_EVENT: Fields = {
    ("time",): _TIME,
    ("time_unix_nano",): _INT,
    ("name",): _TEXT,
    ("attributes",): _MAP,
    ("dropped_attributes_count",): _INT,
    ("event_index",): _INT,
}
_METRIC: Fields = {
    ("name",): _TEXT,
    ("description",): _TEXT,
    ("unit",): _TEXT,
    ("type",): _INT,
    ("aggregation_temporality",): _SOME_INT,
    ("is_monotonic",): Field("bool", optional=True),
    ("data_points",): _SOME_RECORDS,
    ("metadata",): _MAP,
}
_DATA_POINT: Fields = {
    ("attributes",): _MAP,
    ("start_time",): _TIME,
    ("start_time_unix_nano",): _INT,
    ("time",): _TIME,
    ("time_unix_nano",): _INT,
    ("value_double",): _SOME_FLOAT,
    ("value_int",): _SOME_INT,
    ("exemplars",): _SOME_RECORDS,
    ("flags",): _INT,
    ("count",): _SOME_INT,
    ("sum",): _SOME_FLOAT,
    ("bucket_counts",): _SOME_LIST,
    ("explicit_bounds",): _SOME_LIST,
    ("scale",): _SOME_INT,
    ("zero_count",): _SOME_INT,
    ("positive",): _SOME_RECORDS,
    ("positive", "offset"): _SOME_INT,
    ("positive", "bucket_counts"): _SOME_LIST,
    ("negative",): _SOME_RECORDS,
    ("negative", "offset"): _SOME_INT,
    ("negative", "bucket_counts"): _SOME_LIST,
    ("quantile_values",): _SOME_RECORDS,
}
_LOG: Fields = {
    ("time",): _TIME,
    ("time_unix_nano",): _INT,
    ("observed_time",): _TIME,
    ("observed_time_unix_nano",): _INT,
    ("severity_number",): _INT,
    ("severity_text",): _TEXT,
    ("body",): Field("any", optional=True, index="value"),
    ("body", "string"): _TEXT,
    ("attributes",): _MAP,
    ("dropped_attributes_count",): _INT,
    ("flags",): _INT,
    ("trace_id",): _ID,
    ("trace_id", "string"): _TEXT,
    ("span_id",): _ID,
    ("span_id", "string"): _TEXT,
    ("event_name",): _TEXT,
}

FIELDS: Mapping[str, Fields] = {
    "resource": _RESOURCE,
    "scope": _SCOPE,
    "span": _SPAN,
    "spanevent": _SPAN_EVENT,
    "metric": _METRIC,
    "datapoint": _DATA_POINT,
    "log": _LOG,
}
# Each condition has a scratch pad that only statements can fill, so it is empty.
CACHE = Field("map", index="value")

_ABOVE = {"resource": "resource", "scope": "scope", "instrumentation_scope": "scope"}
# The names that a path may start with in a context, and the context that each names.
READABLE: Mapping[str, Mapping[str, str]] = {
    "resource": {"resource": "resource"},
    "scope": _ABOVE,
    "span": {**_ABOVE, "span": "span"},
    "spanevent": {**_ABOVE, "span": "span", "spanevent": "spanevent"},
    "metric": {**_ABOVE, "metric": "metric"},
    "datapoint": {**_ABOVE, "metric": "metric", "datapoint": "datapoint"},
    "log": {**_ABOVE, "log": "log"},
}

_SPAN_ENUMS = {
    "SPAN_KIND_UNSPECIFIED": 0,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
    "STATUS_CODE_UNSET": 0,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
}
_METRIC_ENUMS = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
    "METRIC_DATA_TYPE_NONE": 0,
    "METRIC_DATA_TYPE_GAUGE": 1,
    "METRIC_DATA_TYPE_SUM": 2,
    "METRIC_DATA_TYPE_HISTOGRAM": 3,
    "METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM": 4,
    "METRIC_DATA_TYPE_SUMMARY": 5,
}
_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

ENUMS: Mapping[str, Mapping[str, int]] = {
    "span": _SPAN_ENUMS,
    "spanevent": _SPAN_ENUMS,
    "metric": _METRIC_ENUMS,
    "datapoint": {**_METRIC_ENUMS, "FLAG_NONE": 0, "FLAG_NO_RECORDED_VALUE": 1},
    "log": {
        "SEVERITY_NUMBER_UNSPECIFIED": 0,
        **{
            f"SEVERITY_NUMBER_{name}{step or ''}": 4 * place + (step or 1)
            for place, name in enumerate(_SEVERITIES)
            for step in (0, 2, 3, 4)
        },
    },
}
