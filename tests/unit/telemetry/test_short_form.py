"""Items as people write them in tests, and as OTLP has them."""

from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from pydantic import ValidationError

from reflexarc.engines.ottl.plain_values import any_value
from reflexarc.telemetry.short_form import (
    ShortEvent,
    ShortLog,
    ShortMetric,
    ShortPoint,
    ShortSpan,
    value_of,
)


@pytest.mark.parametrize(
    "value", [None, True, 3, 2.5, "x", [], [1, "a", None], {}, {"a": {"b": [True]}}]
)
def test_a_value_of_yaml_is_the_same_in_otlp(value: object) -> None:
    assert any_value(value_of(value)) == value


def test_a_value_that_is_not_there_has_no_kind() -> None:
    assert value_of(None) == AnyValue()


@pytest.mark.parametrize(
    ("duration", "nanoseconds"),
    [("7ns", 7), ("250us", 250_000), ("1.5 ms", 1_500_000), ("2s", 2_000_000_000)],
)
def test_a_span_lasts_as_long_as_it_says(duration: str, nanoseconds: int) -> None:
    made = ShortSpan(duration=duration).message()

    assert made.end_time_unix_nano - made.start_time_unix_nano == nanoseconds


def test_a_span_has_what_is_written() -> None:
    made = ShortSpan(
        name="a",
        kind="server",
        status="error",
        attributes={"n": 1},
        events=(ShortEvent(name="x", attributes={"y": "z"}),),
        parent_span_id="00000000000000ff",
        trace_state="ot=th:8",
    ).message()

    assert (made.name, made.kind, made.status.code, made.trace_state) == ("a", 2, 2, "ot=th:8")
    assert (len(made.trace_id), len(made.span_id), made.parent_span_id[-1]) == (16, 8, 255)
    assert made.attributes[0].value.int_value == 1
    assert made.events[0].attributes[0].key == "y"


@pytest.mark.parametrize(
    ("severity", "number", "text"),
    [("", 0, ""), ("WARN", 13, "WARN"), ("INFO2", 10, "INFO2"), (17, 17, "")],
)
def test_a_log_record_has_the_number_of_its_severity(
    severity: str | int, number: int, text: str
) -> None:
    made = ShortLog(severity=severity).message()

    assert (made.severity_number, made.severity_text) == (number, text)


def test_a_log_record_has_what_is_written() -> None:
    made = ShortLog(body={"a": 1}, event_name="e", trace_id="0" * 31 + "1", span_id="f" * 16)

    message = made.message()

    assert message.body.kvlist_value.values[0].key == "a"
    assert (message.event_name, message.trace_id[-1], message.span_id[0]) == ("e", 1, 255)
    assert not ShortLog().message().HasField("body")


def test_each_kind_of_metric_has_its_points() -> None:
    kinds: dict[str, dict[str, Any]] = {
        "gauge": {"points": [{"value": 1.5}]},
        "sum": {"points": [{"value": 3}, {}], "temporality": "cumulative", "monotonic": False},
        "histogram": {"points": [{"count": 3, "sum": 2.5, "buckets": [1, 2], "bounds": [0.5]}]},
        "exponential_histogram": {"points": [{"count": 1}]},
        "summary": {"points": [{"count": 4, "sum": 1.0}]},
    }
    made = {
        kind: ShortMetric.model_validate({"name": "m", "type": kind} | more).message()
        for kind, more in kinds.items()
    }

    assert [made[kind].WhichOneof("data") for kind in kinds] == list(kinds)
    assert made["gauge"].gauge.data_points[0].as_double == 1.5
    assert [point.as_int for point in made["sum"].sum.data_points] == [3, 0]
    assert (made["sum"].sum.aggregation_temporality, made["sum"].sum.is_monotonic) == (2, False)
    assert made["histogram"].histogram.data_points[0].bucket_counts == [1, 2]
    assert made["histogram"].histogram.aggregation_temporality == 1
    assert not made["exponential_histogram"].exponential_histogram.data_points[0].HasField("sum")
    assert made["summary"].summary.data_points[0].count == 4


def test_a_metric_may_have_no_points() -> None:
    assert ShortMetric(name="m", points=()).message().WhichOneof("data") == "gauge"


@pytest.mark.parametrize(
    ("kind", "document", "problem"),
    [
        (ShortSpan, {"duration": "soon"}, "write a duration as 250us, 3ms or 1.5s"),
        (ShortSpan, {"trace_id": "xyz"}, "pattern"),
        (ShortSpan, {"nmae": "a"}, "Extra inputs"),
        (ShortLog, {"severity": "LOUD"}, "severities are TRACE, DEBUG"),
        (ShortMetric, {"name": "m", "points": [{"count": 1}]}, "points of a gauge have a value"),
        (
            ShortMetric,
            {"name": "m", "type": "histogram", "points": [{"value": 1}]},
            "points of a histogram have a count and a sum",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(kind: Any, document: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        kind.model_validate(document)


def test_points_have_what_is_written() -> None:
    made = ShortMetric(name="m", points=(ShortPoint(attributes={"a": "b"}, value=1),)).message()

    assert made.gauge.data_points[0].attributes[0].value.string_value == "b"
