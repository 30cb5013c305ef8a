"""Points are merged where that is true to what they say, and what is not merged is not touched."""

import random
from itertools import permutations
from math import inf, isnan, nan
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_UNSPECIFIED,
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Metric,
    NumberDataPoint,
    Summary,
    SummaryDataPoint,
)
from pydantic import ValidationError

from reflexarc.engines.otlp.wire import field_of
from reflexarc.telemetry.aggregation import (
    Aggregated,
    Aggregation,
    Refused,
    aggregated,
    with_points,
)
from tests.support.data_points import (
    BY_REGION,
    SECOND,
    gauges,
    histogram,
    histograms,
    keys,
    merged,
    number,
    refusal,
    sums,
    values,
)

# What is asked for


def test_attributes_to_keep_or_to_remove_are_told_apart() -> None:
    keep, remove = (
        Aggregation(keep=frozenset({"region"})),
        Aggregation(remove=frozenset({"user"})),
    )

    assert [keep.keeps(key) for key in ("region", "user", "host")] == [True, False, False]
    assert [remove.keeps(key) for key in ("region", "user", "host")] == [True, False, True]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"keep": ["a"], "remove": ["b"]},
        {"keep": [""]},
        {"keep": ["a" * 257]},
        {"keep": ["a"], "interval_s": 0},
        {"keep": ["a"], "interval_s": 86_401},
        {"keep": ["a"], "function": "median"},
        {"keep": ["a"], "of": "x"},
    ],
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Aggregation.model_validate(said)


def test_everything_may_be_merged_into_one() -> None:
    assert values(
        merged(sums(number(1, a="x"), number(2, b="y")), Aggregation(keep=frozenset()))
    ) == [3]


# Sums


def test_deltas_that_are_alike_without_a_label_are_added() -> None:
    message = sums(
        number(1, region="eu", user="a"),
        number(2, region="us", user="a"),
        number(4, region="eu", user="b"),
    )

    points = merged(message)

    assert [(keys(point), point.as_int) for point in points] == [
        ({"region": "eu"}, 5),
        ({"region": "us"}, 2),
    ]


def test_labels_in_another_order_are_the_same() -> None:
    message = sums(number(1, a="x", b="y"), number(2, b="y", a="x"))

    assert values(merged(message, Aggregation(remove=frozenset({"c"})))) == [3]


def test_values_of_another_type_and_attributes_that_are_absent_are_different() -> None:
    one, other = number(1, region="5"), number(2)
    third = NumberDataPoint(
        as_int=4, attributes=[KeyValue(key="region", value=AnyValue(int_value=5))]
    )

    assert values(merged(sums(one, other, third))) == [1, 2, 4]


def test_what_a_point_left_alone_is_called_is_given_to_no_other() -> None:
    total, one, other = (
        number(9, region="eu"),
        number(1, region="eu", user="a"),
        number(2, user="b"),
    )
    later = number(9, 3_600, region="eu")

    made = aggregated(sums(total, one, other), [1, 2], BY_REGION)

    assert made == Refused("a point that the rule does not meet has the labels of the merged ones")
    assert values(merged(sums(later, one, other), chosen=[1, 2])) == [1, 2]


def test_points_of_another_interval_stay_apart() -> None:
    message = sums(*(number(1, at) for at in (0, 59, 60, 61, 120)))

    assert values(merged(message)) == [2, 2, 1]
    assert values(merged(message, BY_REGION.model_copy(update={"interval_s": 120}))) == [4, 1]


def test_a_sum_spans_the_time_of_all_its_points() -> None:
    (point,) = merged(sums(number(1, 20, 10), number(2, 30, 20), number(3, 15, 5)))

    assert (point.start_time_unix_nano, point.time_unix_nano) == (5 * SECOND, 30 * SECOND)


def test_what_is_not_known_of_a_point_stays_with_the_merged_one() -> None:
    newer = NumberDataPoint.FromString(number(2, 30).SerializeToString() + b"\x98\x06\x07")

    (point,) = merged(sums(number(1, 20), newer))

    assert point.SerializeToString().endswith(b"\x98\x06\x07")


def test_whole_numbers_stay_whole_and_others_make_a_fraction() -> None:
    (whole,) = merged(sums(number(2**53), number(1)))
    (mixed,) = merged(sums(number(2), number(0.5)))

    assert whole.as_int == 2**53 + 1
    assert (mixed.WhichOneof("value"), mixed.as_double) == ("as_double", 2.5)


@pytest.mark.parametrize(("values_", "fits"), [((2**63 - 2, 1), True), ((2**63 - 1, 1), False)])
def test_a_sum_that_does_not_fit_is_refused(values_: tuple[int, int], *, fits: bool) -> None:
    message = sums(*map(number, values_))

    assert isinstance(aggregated(message, [0, 1], BY_REGION), Aggregated) is fits


def test_a_negative_sum_that_does_not_fit_is_refused() -> None:
    assert refusal(sums(number(-(2**63)), number(-1))) == "the sum does not fit a 64-bit integer"
    assert values(merged(sums(number(-(2**63) + 1), number(-1)))) == [-(2**63)]


@pytest.mark.parametrize("seed", range(8))
def test_totals_are_conserved(seed: int) -> None:
    rng = random.Random(seed)
    points = [
        number(
            rng.choice((rng.randint(-50, 50), rng.randint(0, 2**40), rng.randint(0, 64) / 8)),
            at=rng.randint(0, 300),
            region=rng.choice("abc"),
            user=rng.choice("defgh"),
        )
        for _ in range(60)
    ]
    chosen = [place for place in range(60) if rng.random() < 0.7]
    how = Aggregation(remove=frozenset({"user"}), interval_s=rng.choice((1, 60, 3_600)))

    made = aggregated(sums(*points), chosen, how)

    assert isinstance(made, Aggregated)
    before, after = (
        Metric.FromString(sums(*points)),
        Metric.FromString(with_points(sums(*points), "sum", made.taken, made.points)),
    )
    assert sum(values(after.sum.data_points)) == sum(values(before.sum.data_points))
    assert made.taken == chosen
    identities = {
        (keys(points[place])["region"], points[place].time_unix_nano // how.interval_s // SECOND)
        for place in chosen
    }
    assert len(made.points) == len(identities)


def test_the_order_of_points_does_not_matter() -> None:
    points = [
        number(value, at, region=region)
        for value, at, region in ((1, 3, "eu"), (2, 1, "eu"), (4, 2, "us"))
    ]

    found = {
        tuple(sorted(point.SerializeToString() for point in merged(sums(*order))))
        for order in permutations(points)
    }

    assert len(found) == 1


# Gauges


@pytest.mark.parametrize(
    ("function", "value"), [("sum", 9), ("min", 1), ("max", 5), ("mean", 3.0), ("last", 1)]
)
def test_a_gauge_is_merged_by_its_function(function: Any, value: float) -> None:
    how = Aggregation(keep=frozenset(), function=function)

    (point,) = merged(gauges(number(3, 1), number(5, 2), number(1, 3)), how)

    assert values([point]) == [value]
    assert point.time_unix_nano == 3 * SECOND


def test_what_is_no_number_is_the_least_and_the_greatest_only_of_its_kind() -> None:
    low, high = (Aggregation(keep=frozenset(), function=name) for name in ("min", "max"))
    for order in permutations((number(nan), number(1.0), number(2.0))):
        assert values(merged(gauges(*order), low)) == [1.0]
        assert values(merged(gauges(*order), high)) == [2.0]

    assert isnan(values(merged(gauges(number(nan), number(nan)), low))[0])
    assert values(merged(gauges(number(-inf), number(nan)), high)) == [-inf]


def test_a_gauge_without_a_function_is_refused() -> None:
    assert refusal(gauges(number(1), number(2))) == (
        "a gauge needs a function: min, max, mean, last or sum"
    )


# What is refused, and what is left


@pytest.mark.parametrize(
    ("temporality", "reason"),
    [
        (
            AGGREGATION_TEMPORALITY_CUMULATIVE,
            "a cumulative {} cannot be merged across batches: send deltas",
        ),
        (
            AGGREGATION_TEMPORALITY_UNSPECIFIED,
            "a {} that does not say whether it is delta or cumulative cannot be merged",
        ),
        (7, "a {} that does not say whether it is delta or cumulative cannot be merged"),
    ],
)
def test_what_is_no_delta_is_refused(temporality: Any, reason: str) -> None:
    one, two = number(1), number(2)

    assert refusal(sums(one, two, temporality=temporality)) == reason.format("sum")
    bars = histograms(histogram([1]), histogram([2]), temporality=temporality)
    assert refusal(bars) == reason.format("histogram")


def test_what_cannot_be_added_is_refused() -> None:
    exponential = ExponentialHistogram(data_points=[ExponentialHistogramDataPoint()] * 2)
    summary = Summary(data_points=[SummaryDataPoint()] * 2)

    assert refusal(Metric(exponential_histogram=exponential).SerializeToString()) == (
        "exponential histogram cannot be merged"
    )
    assert refusal(Metric(summary=summary).SerializeToString()) == "summary cannot be merged"
    assert refusal(b"") == "a metric without points cannot be merged"


def test_a_metric_that_cannot_be_read_is_refused() -> None:
    broken = b"".join(field_of(7, b"\x0a\x02\x3a\x05\x10\x01"))

    assert refusal(broken) == "a metric that cannot be read cannot be merged"


def test_points_without_a_value_are_left_as_they_are() -> None:
    unrecorded = number(0)
    unrecorded.flags = 1
    message = sums(number(1), unrecorded, number(None), number(2))

    made = aggregated(message, [0, 1, 2, 3], BY_REGION)

    assert isinstance(made, Aggregated)
    assert made.taken == [0, 3]
    assert values(merged(message)) == [3]


def test_a_histogram_of_which_nothing_was_recorded_is_left_as_it_is() -> None:
    made = aggregated(histograms(histogram([1]), histogram([2], flags=1)), [0, 1], BY_REGION)

    assert isinstance(made, Aggregated)
    assert made.taken == [0]


def test_nothing_is_made_of_nothing() -> None:
    assert aggregated(sums(number(1)), [], BY_REGION) == Aggregated([], [])


def test_exemplars_of_merged_points_go() -> None:
    one = number(1)
    one.exemplars.append(Exemplar(as_int=1))

    assert [list(point.exemplars) for point in merged(sums(one, number(2)))] == [[]]
