"""A Collector's filter block: how it is read, and what its conditions take away."""

from typing import Any

import pytest
import yaml
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from reflexarc.engines.ottl.filter_config import FilterConfig, parse_filter
from reflexarc.engines.ottl.filtering import apply_filters
from reflexarc.engines.ottl.inference import infer
from reflexarc.engines.ottl.syntax import OttlError
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.kernel.errors import Rejected
from tests.conformance.ottl_telemetry import events_kept, kept, request

OLD = """
processors:
  filter/noise:
    error_mode: propagate
    traces:
      resource: ['attributes["service.name"] == "a"']
      span:
        - attributes["http.route"] == "/health"
        - IsMatch(name, "^GET .*$$")
      spanevent: ['name == "x"']
    metrics:
      metric: ['type == METRIC_DATA_TYPE_HISTOGRAM']
      datapoint: ['value_int == 4']
    logs:
      log_record: ['severity_number < SEVERITY_NUMBER_WARN']
"""
NEW = """
filter:
  trace_conditions:
    - resource.attributes["host.name"] == "localhost"
    - span.attributes["a"] == 1 and spanevent.name == "x"
  metric_conditions:
    - context: datapoint
      error_mode: silent
      conditions: [value_int == 4]
    - conditions: [metric.name == "a", instrumentation_scope.name == "s"]
  log_conditions: []
"""


def described(config: FilterConfig) -> dict[str, Any]:
    return {
        signal: [
            (group.error_mode, [(each.context, each.text) for each in group.conditions])
            for group in groups
        ]
        for signal, groups in config.groups.items()
    }


def test_the_old_form_is_read_with_its_levels() -> None:
    config = parse_filter(yaml.safe_load(OLD))

    assert described(config) == {
        "traces": [
            (
                "propagate",
                [
                    ("resource", 'attributes["service.name"] == "a"'),
                    ("span", 'attributes["http.route"] == "/health"'),
                    ("span", 'IsMatch(name, "^GET .*$")'),
                    ("spanevent", 'name == "x"'),
                ],
            )
        ],
        "metrics": [
            (
                "propagate",
                [("metric", "type == METRIC_DATA_TYPE_HISTOGRAM"), ("datapoint", "value_int == 4")],
            )
        ],
        "logs": [("propagate", [("log", "severity_number < SEVERITY_NUMBER_WARN")])],
    }


def test_the_new_form_infers_contexts_and_groups_have_modes_of_their_own() -> None:
    config = parse_filter(yaml.safe_load(NEW))

    assert config.error_mode == "ignore"
    assert described(config) == {
        "traces": [
            (
                "ignore",
                [
                    ("resource", 'resource.attributes["host.name"] == "localhost"'),
                    ("spanevent", 'span.attributes["a"] == 1 and spanevent.name == "x"'),
                ],
            )
        ],
        "metrics": [
            ("silent", [("datapoint", "value_int == 4")]),
            ("ignore", [("metric", 'metric.name == "a"'), ("scope", SCOPED)]),
        ],
        "logs": [],
    }


SCOPED = 'instrumentation_scope.name == "s"'


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "a filter is a mapping"),
        ({1: 2}, "a filter is a mapping"),
        ({"error_mode": "panic"}, "error_mode is one of"),
        ({"error_mode": 1}, "error_mode is one of"),
        ({"spans": {"include": {}}}, "write OTTL instead: exclude services"),
        ({"traces": {"exclude": {}}}, "write OTTL instead: exclude services"),
        ({"metrics": {"include": {}}}, "write OTTL instead: exclude metric_names"),
        ({"logs": {"exclude": {}}}, "write OTTL instead: exclude bodies"),
        ({"profiles": {}}, "no profiles"),
        ({"profile_conditions": []}, "no profiles"),
        ({"nonsense": 1, "traces": {}}, "nonsense is no part of a filter"),
        ({"traces": {"log_record": []}}, "traces.log_record is no list"),
        ({"traces": {"span": "true"}}, "traces.span is a list"),
        ({"traces": [1]}, "traces is a mapping"),
        ({"traces": {"span": [1]}}, "is a text, not 1"),
        ({"traces": {"span": [None]}}, "is a text, not None"),
        ({"traces": {"span": ['name == "${env:X}"']}}, "environment"),
        ({"traces": {}, "trace_conditions": []}, "in both forms"),
        ({"trace_conditions": "true"}, "trace_conditions is a list"),
        ({"trace_conditions": ["true", {}]}, "side by side"),
        ({"trace_conditions": [{"nonsense": 1}]}, "nonsense is no part of a group"),
        ({"trace_conditions": [{"context": "log"}]}, "context log is none of resource"),
        ({"trace_conditions": [{"error_mode": "x"}]}, "error_mode of trace_conditions"),
        ({"trace_conditions": [{"conditions": "x"}]}, "conditions of trace_conditions is a list"),
        ({"trace_conditions": ['name == "a"']}, "has to begin with one of spanevent"),
        ({"trace_conditions": ['log.body == "a"']}, "has to begin with one of spanevent"),
        ({"trace_conditions": ["IsRootSpan()"]}, "give a context"),
        ({"traces": {"span": ["nonsense == 1"]}}, "column 1: traces.span: span has no field"),
        ({"traces": {"span": ["name =="]}}, "column 8: traces.span: expected a value"),
        ({"trace_conditions": ["span.nonsense == 1"]}, "span has no field nonsense"),
    ],
)
def test_a_block_that_cannot_be_read_says_why(document: object, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_filter(document)

    assert reason in str(refused.value)


def test_an_escaped_dollar_before_a_brace_is_no_variable() -> None:
    config = parse_filter({"traces": {"span": ['name == "$${x}"']}})

    assert config.groups["traces"][0].conditions[0].text == 'name == "${x}"'


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ('span.name == "a" and resource.attributes["x"] == 1', "span"),
        ("span.kind == SPAN_KIND_SERVER", "span"),
        ('resource.attributes["x"] == 1 and IsRootSpan()', "span"),
        ('resource.attributes["k"] == SPAN_KIND_SERVER', "spanevent"),
        ('IsRootSpan() or spanevent.name == "bar"', "spanevent"),
        ("Nonsense(span.name)", "span"),
    ],
)
def test_a_context_is_inferred_from_paths_converters_and_enums(text: str, context: str) -> None:
    assert infer(text, ("resource", "scope", "span", "spanevent")) == context


def test_a_converter_that_its_context_lacks_is_refused_after_all() -> None:
    with pytest.raises(OttlError, match="IsRootSpan exists in context span only"):
        parse_filter({"trace_conditions": ['IsRootSpan() or spanevent.name == "bar"']})


TRACES = {
    "signal": "traces",
    "resources": [
        {
            "attributes": {"r": 1},
            "scopes": [
                {
                    "name": "s1",
                    "spans": [
                        {"name": "a", "events": [{"name": "x"}, {"name": "y"}, {"name": "x"}]},
                        {"name": "b"},
                    ],
                },
                {"name": "s2", "spans": [{"name": "a"}]},
            ],
        },
        {"attributes": {"r": 2}, "scopes": [{"name": "s3", "spans": [{"name": "a"}]}]},
    ],
}


def traces_after(*conditions: str) -> TracesData:
    made: TracesData = request(TRACES)
    config = parse_filter({"trace_conditions": list(conditions)})
    apply_filters("traces", config.groups["traces"], made)
    return made


def test_each_level_drops_what_is_below_it() -> None:
    assert kept("traces", traces_after('resource.attributes["r"] == 1')) == ["s3/a"]
    assert kept("traces", traces_after('scope.name == "s1"')) == ["s2/a", "s3/a"]
    assert kept("traces", traces_after('span.name == "a"')) == ["s1/b"]


def test_what_loses_its_last_item_goes_with_it() -> None:
    left = traces_after('span.name == "a"')

    assert len(left.resource_spans) == 1
    assert [scope.scope.name for scope in left.resource_spans[0].scope_spans] == ["s1"]


def test_span_events_are_dropped_within_a_span_that_stays() -> None:
    left = traces_after('spanevent.name == "x"')

    assert kept("traces", left) == ["s1/a", "s1/b", "s2/a", "s3/a"]
    assert events_kept(left) == ["s1/a/y"]


def test_conditions_of_the_resource_alone_leave_empty_scopes() -> None:
    made = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans()]), ResourceSpans()])
    config = parse_filter({"trace_conditions": ['resource.attributes["r"] == 1']})

    apply_filters("traces", config.groups["traces"], made)

    assert [len(resource.scope_spans) for resource in made.resource_spans] == [1]


METRICS = {
    "signal": "metrics",
    "resources": [
        {
            "scopes": [
                {
                    "name": "s",
                    "metrics": [
                        {"name": "a", "type": 2, "dps": [{"value_int": 1}, {"value_int": 2}]},
                        {"name": "b", "type": 1, "dps": [{"value_int": 1}]},
                        {"name": "c", "type": 1},
                    ],
                }
            ]
        }
    ],
}


def metrics_after(*conditions: str) -> MetricsData:
    made: MetricsData = request(METRICS)
    made.resource_metrics[0].scope_metrics[0].metrics.add(name="d")
    config = parse_filter({"metric_conditions": list(conditions)})
    apply_filters("metrics", config.groups["metrics"], made)
    return made


def test_a_metric_that_loses_its_last_point_goes() -> None:
    left = metrics_after("datapoint.value_int == 1")

    metrics = left.resource_metrics[0].scope_metrics[0].metrics
    # A metric of no type has no points to lose.
    assert [metric.name for metric in metrics] == ["a", "d"]
    assert [point.as_int for point in metrics[0].sum.data_points] == [2]


def test_a_metric_that_is_dropped_is_not_asked_for_its_points() -> None:
    left = metrics_after('metric.name == "a"', 'ParseJSON("1") == datapoint.value_int')

    metrics = left.resource_metrics[0].scope_metrics[0].metrics
    assert [metric.name for metric in metrics] == ["b", "d"]


def test_an_error_keeps_the_item_and_is_counted() -> None:
    made = request(TRACES)
    config = parse_filter({"trace_conditions": ["span.name == ParseJSON(span.name)"]})

    errors = apply_filters("traces", config.groups["traces"], made)

    assert errors == 4
    assert kept("traces", made) == kept("traces", request(TRACES))


def test_an_error_that_is_to_be_propagated_is_raised() -> None:
    config = parse_filter(
        {"error_mode": "Propagate", "trace_conditions": ["span.name == ParseJSON(span.name)"]}
    )

    with pytest.raises(EvaluationError):
        apply_filters("traces", config.groups["traces"], request(TRACES))


def test_logs_are_dropped_by_their_body() -> None:
    given = {
        "signal": "logs",
        "resources": [{"scopes": [{"name": "s", "logs": [{"body": "a"}, {"body": "b"}]}]}],
    }
    made = request(given)
    config = parse_filter({"logs": {"log_record": ['body == "a"'], "resource": []}})

    apply_filters("logs", config.groups["logs"], made)

    assert kept("logs", made) == ["s/b"]
