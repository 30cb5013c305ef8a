"""Fields of plain messages, as pdata gives them to the Collector."""

from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from reflexarc.engines.ottl.plain_values import any_value, attribute, mapping, trace_state
from tests.conformance.ottl_telemetry import any_value as written
from tests.support.ottl import judge

SPAN = [
    'trace_id.string == "00000000000000000000000000000000"',
    'span_id.string == "0102030405060708"',
    'parent_span_id.string == "0000000000000000" and not (span_id == nil) and trace_id != nil',
    'trace_state == "a=1,b=2" and trace_state["b"] == "2" and trace_state["c"] == ""',
    'kind.string == "Server" and kind.deprecated_string == "SPAN_KIND_SERVER"',
    "start_time_unix_nano == 5 and start_time == Unix(0, 5) and end_time_unix_nano == 0",
    "Len(events) == 2 and Len(links) == 0 and IsList(events) and dropped_events_count == 7",
    'status.code == STATUS_CODE_ERROR and status.message == "m" and status != nil and flags == 1',
    'resource.attributes["r"] == "x" and resource.schema_url == "u" and scope.name == "s"',
    'instrumentation_scope.version == "v" and scope.attributes["k"] == nil',
    'scope.schema_url == "w" and resource.dropped_attributes_count == 3',
    'attributes == {"a": "b"} and span.attributes["a"] == "b"',
]
SPAN_GIVEN: dict[str, Any] = {
    "resource": {"attributes": {"r": "x"}, "schema_url": "u", "dropped_attributes_count": 3},
    "scope": {"name": "s", "version": "v", "schema_url": "w"},
    "span": {
        "span_id": "0102030405060708",
        "trace_state": "a=1,b=2",
        "kind": 2,
        "start_time": 5,
        "events": [{"name": "e"}, {}],
        "dropped_events_count": 7,
        "status": {"code": 2, "message": "m"},
        "flags": 1,
        "attributes": {"a": "b"},
    },
}


@pytest.mark.parametrize("text", SPAN)
def test_fields_of_a_span(text: str) -> None:
    assert judge(text, "span", **SPAN_GIVEN)


def test_fields_of_a_span_event() -> None:
    event = {"name": "e", "time": 9, "attributes": {"x": 1}}

    assert judge(
        'name == "e" and time_unix_nano == 9 and time == Unix(0, 9) and attributes["x"] == 1'
        ' and event_index == 2 and span.kind == 2 and resource.attributes["r"] == "x"',
        "spanevent",
        spanevent=event,
        **SPAN_GIVEN,
    )


def test_an_unknown_kind_of_span_has_no_name() -> None:
    assert judge('kind.string == "" and kind.deprecated_string == ""', "span", span={"kind": 9})


LOG = [
    'body["a"][0] == 1 and body.string == "{\\"a\\":[1]}" and IsMap(body)',
    "time == Unix(0, 1) and observed_time_unix_nano == 2",
    "severity_number == SEVERITY_NUMBER_INFO2",
    'severity_text == "s" and event_name == "e" and flags == 1 and trace_id.string != ""',
]


@pytest.mark.parametrize("text", LOG)
def test_fields_of_a_log(text: str) -> None:
    log = {
        "body": {"a": [1]},
        "time": 1,
        "observed_time": 2,
        "severity_number": 10,
        "severity_text": "s",
        "event_name": "e",
        "flags": 1,
    }

    assert judge(text, "log", log=log)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, ""),
        ("a", "a"),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
        ([1, "<"], '[1,"<"]'),
    ],
)
def test_a_body_has_a_text_whatever_it_is(body: object, text: str) -> None:
    assert judge(f"body.string == {_quoted(text)}", "log", log={"body": body})


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


METRIC = [
    'name == "m" and type == METRIC_DATA_TYPE_SUM and is_monotonic == true and unit == "s"',
    "aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA and Len(data_points) == 2",
    'metadata["a"] == 1 and description == "" and HasAttrKeyOnDatapoint("k")',
    'HasAttrOnDatapoint("k", "v") and not HasAttrOnDatapoint("k", "w")',
    'HasAttrOnDatapoint("n", "") and not HasAttrOnDatapoint("x", "v")',
]
SUM: dict[str, Any] = {
    "name": "m",
    "unit": "s",
    "type": 2,
    "is_monotonic": True,
    "aggregation_temporality": 1,
    "metadata": {"a": 1},
    "dps": [{"attributes": {"n": 1}}, {"attributes": {"k": "v"}, "value_int": 3}],
}


@pytest.mark.parametrize("text", METRIC)
def test_fields_of_a_metric(text: str) -> None:
    assert judge(text, "metric", metric=SUM)


def test_a_metric_without_a_type_has_no_data() -> None:
    assert judge(
        "type == METRIC_DATA_TYPE_NONE and data_points == nil and is_monotonic == nil"
        " and aggregation_temporality == nil",
        "metric",
        metric={"name": "m"},
    )
    assert judge(
        "aggregation_temporality == nil and is_monotonic == nil", "metric", metric={"type": 1}
    )


def test_attributes_on_points_of_a_metric_without_a_type_are_an_error() -> None:
    with pytest.raises(Exception, match="no type"):
        judge('HasAttrKeyOnDatapoint("k")', "metric", metric={"name": "m"})


POINTS = [
    (2, {"value_int": 3}, "value_int == 3 and value_double == 0.0 and count == nil and sum == nil"),
    (1, {"value_double": 1.5}, "value_double == 1.5 and value_int == 0 and exemplars != nil"),
    (
        3,
        {"count": 2, "sum": 1.5, "bucket_counts": [1, 1], "explicit_bounds": [0.5]},
        (
            "count == 2 and sum == 1.5 and bucket_counts == [1, 1] and explicit_bounds == [0.5]"
            " and value_int == nil and scale == nil and positive == nil and positive.offset == nil"
        ),
    ),
    (3, {}, "sum == 0.0 and negative.bucket_counts == nil and quantile_values == nil"),
    (
        4,
        {
            "scale": 1,
            "zero_count": 2,
            "positive": {"offset": -1, "bucket_counts": [5]},
            "negative": {"offset": 3},
        },
        (
            "scale == 1 and zero_count == 2 and positive.offset == -1 and negative.offset == 3"
            " and positive.bucket_counts == [5] and positive != nil"
            " and negative.bucket_counts == []"
        ),
    ),
    (5, {"count": 3, "sum": 2.0}, "count == 3 and sum == 2.0 and Len(quantile_values) == 0"),
    (
        1,
        {"flags": 1, "time": 4, "start_time": 3},
        "flags == FLAG_NO_RECORDED_VALUE and time > start_time",
    ),
    (
        1,
        {"attributes": {"a": 1}},
        'attributes["a"] == 1 and metric.type == 1 and metric.name == "m"',
    ),
    (3, {"count": 2**64 - 1}, "count == -1"),
]


@pytest.mark.parametrize(("kind", "point", "text"), POINTS)
def test_fields_of_a_data_point(kind: int, point: dict[str, Any], text: str) -> None:
    assert judge(text, "datapoint", datapoint=point, metric={"type": kind, "name": "m"})


def test_of_equal_keys_the_first_counts() -> None:
    pairs = [KeyValue(key="a", value=written(1)), KeyValue(key="a", value=written(2))]

    assert mapping(pairs) == {"a": 1}
    assert attribute(pairs, "a") == 1
    assert attribute(pairs, "b") is None


def test_values_come_in_all_their_depth() -> None:
    value = {"a": [1, None, {"b": 1.5}], "c": True}

    assert any_value(written(value)) == value


@pytest.mark.parametrize(
    "text",
    ["a", "a=", "A=1", "a=1,a=2", "a=\u00e9", "a=b=c", ",".join(f"a{n}=1" for n in range(33))],
)
def test_a_malformed_trace_state_has_no_members(text: str) -> None:
    assert trace_state(text, "a") is None


def test_a_trace_state_is_read_by_member() -> None:
    assert trace_state(" a=1 ,,t0@v=x y", "a") == "1"
    assert trace_state("t0@v=x y", "t0@v") == "x y"
    assert trace_state("", "a") == ""
