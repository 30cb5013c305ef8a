"""OTLP's JSON form becomes the protobuf form that json_format would make of it."""

import gc
import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.engines.otlp.otlp_json_values import WrongJson
from reflexarc.engines.otlp.verdicts import TooManyParts
from reflexarc.events.otlp_batch import OtlpSignal

LONGEST_ERROR = 1_000


def spans_of(*spans: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def span_of(**fields: Any) -> Span:
    request = ExportTraceServiceRequest.FromString(protobuf_of(spans_of(fields), "traces"))
    return request.resource_spans[0].scope_spans[0].spans[0]


def value_of(held: Any) -> Any:
    """Return an attribute's AnyValue, as it comes out."""
    return span_of(attributes=[{"key": "k", "value": held}]).attributes[0].value


def refused(document: bytes, signal: OtlpSignal = "traces") -> str:
    with pytest.raises(WrongJson) as wrong:
        protobuf_of(document, signal)
    assert len(str(wrong.value)) < LONGEST_ERROR
    return str(wrong.value)


def refused_span(**fields: Any) -> str:
    said = refused(spans_of({}, fields))
    return said.removeprefix("resourceSpans[0].scopeSpans[0].spans[1].")


def test_ids_are_hex_in_any_case() -> None:
    span = span_of(traceId="5B8EFFF798038103d269b633813fc60c", spanId="eee19b7ec3c1b174")

    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert span.span_id.hex() == "eee19b7ec3c1b174"


def test_an_id_of_another_length_is_passed_on_for_others_to_judge() -> None:
    assert span_of(traceId="00ff", parentSpanId="").trace_id == b"\x00\xff"


@pytest.mark.parametrize("number", [1544712660000000000, "1544712660000000000"])
def test_64_bit_numbers_come_as_numbers_or_as_strings(number: Any) -> None:
    assert span_of(startTimeUnixNano=number).start_time_unix_nano == 1544712660000000000


@pytest.mark.parametrize("kind", [3, "3", "SPAN_KIND_CLIENT", 3.0])
def test_enums_come_as_numbers_or_as_names(kind: Any) -> None:
    assert span_of(kind=kind).kind == Span.SPAN_KIND_CLIENT


def test_an_enum_of_a_later_version_is_kept() -> None:
    assert span_of(kind=77).kind == 77


def test_unknown_fields_are_passed_over_wherever_they_are() -> None:
    document = {
        "later": {"deep": [1]},
        "resourceSpans": [
            {
                "resource_later": 1,
                "scopeSpans": [
                    {"spans": [{"name": "a", "x": [], "attributes": [{"key": "k", "y": 1}]}]}
                ],
            }
        ],
    }

    request = ExportTraceServiceRequest.FromString(
        protobuf_of(json.dumps(document).encode(), "traces")
    )

    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert (span.name, span.attributes[0].key) == ("a", "k")


def test_original_field_names_are_no_names_of_fields() -> None:
    assert span_of(trace_id="00" * 16, start_time_unix_nano=1) == Span()


def test_null_is_as_good_as_absent() -> None:
    assert span_of(name=None, attributes=None, status=None) == Span()
    assert value_of(None).WhichOneof("value") is None


@pytest.mark.parametrize(
    ("held", "kind", "value"),
    [
        ({"stringValue": ""}, "string_value", ""),
        ({"stringValue": "ü" * 3_000}, "string_value", "ü" * 3_000),
        ({"stringValue": "a" * 100_000}, "string_value", "a" * 100_000),
        ({"intValue": 0}, "int_value", 0),
        ({"intValue": "-9223372036854775808"}, "int_value", -(1 << 63)),
        ({"intValue": 9223372036854775807}, "int_value", (1 << 63) - 1),
        ({"intValue": 1e3}, "int_value", 1_000),
        ({"boolValue": False}, "bool_value", False),
        ({"doubleValue": -0.5}, "double_value", -0.5),
        ({"doubleValue": 3}, "double_value", 3.0),
        ({"doubleValue": "1.5e3"}, "double_value", 1_500.0),
        ({"doubleValue": "Infinity"}, "double_value", math.inf),
        ({"doubleValue": "-Infinity"}, "double_value", -math.inf),
        ({"bytesValue": "-_8"}, "bytes_value", b"\xfb\xff"),
        ({"bytesValue": "+/8="}, "bytes_value", b"\xfb\xff"),
    ],
)
def test_an_attribute_keeps_its_value_even_where_it_is_zero(
    held: Any, kind: str, value: Any
) -> None:
    found = value_of(held)

    assert found.WhichOneof("value") == kind
    assert getattr(found, kind) == value


def test_not_a_number_has_a_name() -> None:
    assert math.isnan(value_of({"doubleValue": "NaN"}).double_value)


def test_half_of_a_surrogate_pair_becomes_what_the_collector_makes_of_it() -> None:
    document = spans_of({"name": "cut \ud83d"}, {"attributes": [{"key": "\udc00", "value": {}}]})

    request = ExportTraceServiceRequest.FromString(protobuf_of(document, "traces"))

    first, second = request.resource_spans[0].scope_spans[0].spans
    assert (first.name, second.attributes[0].key) == ("cut \ufffd", "\ufffd")
    assert value_of({"stringValue": "\ud83dx"}).string_value == "\ufffdx"


def test_texts_of_zeros_are_texts() -> None:
    assert span_of(name="\0\0").name == "\0\0"


def test_a_point_keeps_an_optional_zero() -> None:
    document = {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "m",
                                "exponentialHistogram": {
                                    "dataPoints": [
                                        {
                                            "scale": -3,
                                            "sum": 0,
                                            "zeroCount": "0",
                                            "positive": {"offset": 1, "bucketCounts": ["2", 300]},
                                        }
                                    ]
                                },
                            }
                        ]
                    }
                ]
            }
        ]
    }

    request = ExportMetricsServiceRequest.FromString(
        protobuf_of(json.dumps(document).encode(), "metrics")
    )

    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    (point,) = metric.exponential_histogram.data_points
    assert point.HasField("sum")
    assert not point.HasField("min")
    assert (point.scale, point.positive.offset) == (-3, 1)
    assert list(point.positive.bucket_counts) == [2, 300]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"traceId": 5}, "traceId: a string of hex digits is expected, not this number"),
        ({"traceId": "xy"}, "traceId: a string of hex digits is expected, not this string"),
        ({"traceId": "5B 8E"}, "traceId: a string of hex digits"),
        ({"traceId": "abc"}, "traceId: a string of hex digits"),
        ({"name": 7}, "name: a string is expected, not this number"),
        ({"name": {}}, "name: a string is expected, not an object"),
        ({"kind": "CLIENT"}, "kind: a whole number is expected, not this string"),
        ({"kind": 1 << 31}, "kind: a number from -2147483648 to 2147483647"),
        ({"kind": True}, "kind: a whole number is expected, not true or false"),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano: a number from 0 to"),
        ({"startTimeUnixNano": 1 << 64}, "startTimeUnixNano: a number from 0 to"),
        ({"startTimeUnixNano": "1_0"}, "startTimeUnixNano: a whole number"),
        ({"startTimeUnixNano": "\u0663"}, "startTimeUnixNano: a whole number"),
        (
            {"startTimeUnixNano": 1.5},
            "startTimeUnixNano: a whole number is expected, not this number",
        ),
        ({"droppedEventsCount": 1 << 32}, "droppedEventsCount: a number from 0 to"),
        ({"attributes": {}}, "attributes: a list is expected, not an object"),
        ({"attributes": [[]]}, "attributes[0]: an object is expected, not a list"),
        ({"attributes": [{}, None]}, "attributes[1]: an object is expected, not null"),
        ({"attributes": [{"key": 1, "value": {}}]}, "attributes[0].key: a string"),
        ({"attributes": [{"value": {"intValue": "x"}}]}, "attributes[0].value.intValue: a whole"),
        (
            {"attributes": [{"key": "k", "value": {"boolValue": "true"}}]},
            "attributes[0].value.boolValue: true or false is expected",
        ),
        (
            {"attributes": [{"key": "k", "value": {"bytesValue": "a"}}]},
            "attributes[0].value.bytesValue: base64",
        ),
        (
            {"attributes": [{"key": "k", "value": {"bytesValue": 1}}]},
            "attributes[0].value.bytesValue: base64",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": "1,5"}}]},
            "attributes[0].value.doubleValue: a number is expected",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": []}}]},
            "attributes[0].value.doubleValue: a number is expected, not a list",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": 10**400}}]},
            "attributes[0].value.doubleValue: a number that a double can hold",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": "1e999"}}]},
            "attributes[0].value.doubleValue: a number that a double can hold",
        ),
        (
            {"attributes": [{"key": "k", "value": {"stringValue": "a", "intValue": 1}}]},
            "attributes[0].value: there is one of stringValue and intValue, not both",
        ),
        (
            {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [{}, 1]}}}]},
            "attributes[0].value.arrayValue.values[1]: an object is expected, not this number",
        ),
        ({"events": [{"name": "a"}, {"timeUnixNano": "now"}]}, "events[1].timeUnixNano: a whole"),
        ({"events": {}}, "events: a list is expected, not an object"),
        ({"name": {}, "kind": []}, "name: a string"),
    ],
)
def test_a_field_of_the_wrong_type_is_named_with_its_path(
    fields: dict[str, Any], says: str
) -> None:
    assert refused_span(**fields).startswith(says)


@pytest.mark.parametrize("document", [b"[]", b"1", b'"x"', b"null"])
def test_a_document_that_is_no_object_is_refused(document: bytes) -> None:
    assert "an object is expected" in refused(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"{} {}",
        b'{"resourceSpans":}',
        b'{"a": "\xff"}',
        b'{"a": "\x01"}',
        b"\x80\x81",
    ],
)
def test_what_is_not_json_is_refused(document: bytes) -> None:
    assert refused(document).startswith("this is not JSON: ")


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_json_has_no_bare_names_of_numbers(name: str) -> None:
    document = spans_of({"attributes": [{"key": "k", "value": {"doubleValue": float(name)}}]})

    assert f"{name} must be a string" in refused(document)


def test_a_number_that_overflows_is_refused() -> None:
    document = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":'

    assert "a double can hold" in refused(document + b'{"doubleValue":1e999}}]}]}]}]}')


def test_a_number_of_a_million_digits_costs_nothing() -> None:
    digits = b"9" * 1_000_000

    assert "not JSON" in refused(b'{"a":' + digits + b"}")
    assert refused_span(endTimeUnixNano="9" * 1_000_000).startswith("endTimeUnixNano: a whole")


@pytest.mark.parametrize("deep", [b"[" * 300_000, b'{"a":' * 300_000, b"[" * 300 + b"]" * 300])
@pytest.mark.parametrize("before", [b"", b'"a":"\\ud83d",'], ids=["", "half a pair"])
def test_deep_nesting_is_refused_at_once(before: bytes, deep: bytes) -> None:
    said = refused(b"{" + before + b'"resourceSpans":' + deep + b"}")

    assert "nested too deeply" in said or said.startswith("resourceSpans[0]: an object")


def test_values_that_nest_deeper_than_python_does_are_refused() -> None:
    depth = 300
    opened = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
    before = b'{"a":"\\ud83d","resourceSpans":[{"resource":{"attributes":[{"key":"k","value":'

    assert "nested too deeply" in refused(before + opened + b"}]}}]}")


def test_texts_in_a_list_are_kept() -> None:
    document = {"resourceLogs": [{"resource": {"entityRefs": [{"idKeys": ["a", "", "b"]}]}}]}

    made = protobuf_of(json.dumps(document).encode(), "logs")

    request = ExportLogsServiceRequest.FromString(made)
    assert list(request.resource_logs[0].resource.entity_refs[0].id_keys) == ["a", "", "b"]


def test_a_mistake_deep_inside_is_found_at_once_and_named() -> None:
    held: Any = {"intValue": "one"}
    for _ in range(25):
        held = {"kvlistValue": {"values": [{"key": "k", "value": held}]}}

    said = refused_span(attributes=[{"key": "k", "value": held}])

    assert said.count("kvlistValue.values[0].value") == 25


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_left_as_it_was(*, enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        protobuf_of(b"{}", "logs")
        refused(b"{")

        assert gc.isenabled() is enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("part", [b"{},", b"[],", b"0,"])
def test_a_document_made_of_next_to_nothing_is_not_parsed(part: bytes) -> None:
    crowd = part * (8_000_000 // len(part))

    with pytest.raises(TooManyParts, match=r"600,000 objects|1,500,000 elements"):
        protobuf_of(b'{"resourceSpans":[' + crowd + b"{}]}", "traces")


def test_a_large_document_of_small_attributes_passes() -> None:
    attributes = [{"key": "a", "value": {"intValue": "1"}}] * 100_000
    document = spans_of({"attributes": attributes})

    made = ExportTraceServiceRequest.FromString(protobuf_of(document, "traces"))

    assert len(document) > 2 * 1024 * 1024
    assert len(made.resource_spans[0].scope_spans[0].spans[0].attributes) == 100_000
