"""Rules that merge points: what they became is counted apart, what cannot be merged stays."""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.telemetry.rules import Rule
from tests.support.data_points import DELTA, gauges, histogram, histograms, number, sums
from tests.support.otlp import gauge, metrics
from tests.support.otlp_conditions import parts_of, plain_map
from tests.support.otlp_requests import nested
from tests.support.rule_sets import applied, compiled, counts, items_in
from tests.support.rule_writing import rule

BY_REGION = {"keep": ["region"]}

BAD = b"\x0a\x01\xff"  # a name that is not UTF-8
POINTS = nested(nested(number(1).SerializeToString(), 1) * 2, 5)


def aggregates(name: str = "merges", how: Mapping[str, Any] = BY_REGION, **more: Any) -> Rule:
    return rule(name, "aggregate", aggregate=dict(how), **(more or {"metric": "true"}))


def request(*messages: bytes) -> bytes:
    """Return a request of metrics, each as its bytes."""
    return metrics(*map(Metric.FromString, messages))


def values_in(payload: bytes) -> list[list[Any]]:
    """Return the values of the points of each metric."""
    return [
        [getattr(point, point.WhichOneof("value")) for point in parts_of("metrics", metric)]
        for metric in items_in("metrics", payload)
    ]


def test_points_are_merged_and_what_they_became_is_counted_apart() -> None:
    payload = request(
        sums(*(number(n, region="eu", pod=f"p{n}") for n in (1, 2, 3)), number(4, region="us"))
    )

    outcome = applied("metrics", payload, aggregates())

    assert values_in(outcome.payload) == [[6, 4]]
    did = counts(outcome.account)["merges"]
    assert (did.matched, did.removed, did.emitted) == (4, 4, 2)
    labels = [
        plain_map(each.attributes)
        for each in parts_of("metrics", items_in("metrics", outcome.payload)[0])
    ]
    assert labels == [{"region": "eu"}, {"region": "us"}]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (sums(number(1), temporality=2), "a cumulative sum"),
        (sums(number(1), temporality=0), "a sum that does not say"),
        (gauges(number(1.0)), "a gauge needs a function"),
        (
            histograms(histogram([1, 2, 3]), histogram([1, 1], explicit_bounds=[5])),
            "different bounds",
        ),
    ],
)
def test_what_cannot_be_merged_stays_with_the_reason_counted(message: bytes, reason: str) -> None:
    payload = request(message)

    outcome = applied("metrics", payload, aggregates(), rule("later", metric="true"))

    assert outcome.payload is payload
    ((said, points),) = outcome.account.refusals.items()
    assert said.startswith("merges: ")
    assert reason in said
    assert points == outcome.account.received
    assert counts(outcome.account).keys() == {"merges"}


def test_a_metric_without_points_is_nothing_to_merge_and_stays() -> None:
    payload = metrics(Metric(name="x"), gauge("y"))

    outcome = applied("metrics", payload, aggregates(), rule("later", metric="true"))

    assert outcome.payload is payload
    assert outcome.account.refusals == {}


def test_a_point_without_a_value_stays_as_it_is() -> None:
    empty = number(None, region="eu")
    payload = request(sums(number(1, region="eu"), number(2, region="eu"), empty))

    outcome = applied("metrics", payload, aggregates())

    points = parts_of("metrics", items_in("metrics", outcome.payload)[0])
    assert [point.WhichOneof("value") for point in points] == [None, "as_int"]
    assert counts(outcome.account)["merges"].removed == 2


def test_rules_that_drop_and_rules_that_merge_share_a_metric() -> None:
    points = [
        number(n, region=region) for n, region in ((1, "eu"), (2, "eu"), (4, "us"), (8, "ap"))
    ]
    rules = [
        rule("keeps", "keep", datapoint='attributes["region"] == "ap"'),
        rule("drops", datapoint='attributes["region"] == "us"'),
        aggregates(),
    ]

    outcome = applied("metrics", request(sums(*points)), *rules)

    assert values_in(outcome.payload) == [[8, 3]]
    did = counts(outcome.account)
    assert (did["drops"].removed, did["merges"].removed, did["merges"].emitted) == (1, 2, 1)
    assert did["drops"].size == points[2].ByteSize()


def test_a_refusal_of_one_rule_does_not_stop_another() -> None:
    points = [number(float(n), region=region) for n, region in ((1, "eu"), (2, "us"), (4, "us"))]
    rules = [
        aggregates("refused", datapoint='attributes["region"] == "eu"'),
        aggregates("merged", {**BY_REGION, "function": "max"}),
    ]

    outcome = applied("metrics", request(gauges(*points)), *rules)

    assert values_in(outcome.payload) == [[1.0, 4.0]]
    assert outcome.account.refusals == {
        "refused: a gauge needs a function: min, max, mean, last or sum": 1
    }


def test_a_rule_in_shadow_merges_nothing() -> None:
    payload = request(sums(number(1, region="eu"), number(2, region="eu")))
    merges = aggregates(shadow=True, metric="true")

    did = counts(applied("metrics", payload, merges).account)["merges"]

    assert (did.shadowed, did.emitted, did.removed) == (2, 0, 0)


def test_temporality_stays_with_what_was_merged() -> None:
    payload = request(sums(number(1, region="eu"), number(2, region="eu")))

    (left,) = items_in("metrics", applied("metrics", payload, aggregates()).payload)

    assert left.sum.aggregation_temporality == DELTA
    assert left.sum.is_monotonic


def test_a_metric_that_cannot_be_decoded_is_not_merged() -> None:
    payload = nested(BAD + POINTS, 1, 2, 2)

    outcome = compiled([aggregates(metric='unit == ""')]).apply("metrics", payload)

    assert outcome.payload is payload
    assert outcome.account.refusals == {"merges: a metric that cannot be read cannot be merged": 2}


def test_data_of_several_kinds_that_cannot_be_decoded_stays() -> None:
    payload = nested(BAD + POINTS + nested(b"", 7) + POINTS, 1, 2, 2)

    outcome = compiled([aggregates(metric='unit == ""')]).apply("metrics", payload)

    assert outcome.payload is payload
    assert counts(outcome.account)["merges"].errors == 1
    assert outcome.account.kept == outcome.account.received == 2
