"""Histograms are merged bucket by bucket, where their bounds are equal."""

import random

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint

from tests.support.data_points import SECOND, histogram, histograms, keys, merged, refusal


def test_histograms_of_equal_bounds_are_added_bucket_by_bucket() -> None:
    message = histograms(
        histogram([1, 2, 3], sum=9.5, min=0.5, max=4, time_unix_nano=SECOND),
        histogram([4, 0, 1], sum=5.5, min=0.25, max=7, time_unix_nano=2 * SECOND),
        histogram([1, 1, 1], region="us"),
    )

    both, alone = merged(message)

    assert (both.count, list(both.bucket_counts), list(both.explicit_bounds)) == (
        11,
        [5, 2, 4],
        [1, 2],
    )
    assert (both.sum, both.min, both.max) == (15.0, 0.25, 7)
    assert (alone.count, keys(alone)) == (3, {"region": "us"})


def test_what_one_histogram_does_not_say_the_merged_one_does_not() -> None:
    full = histogram([1, 0, 0], sum=1.0, min=1, max=1)
    (without_sum,) = merged(histograms(full, histogram([1, 0, 0], min=0, max=2)))
    (without_max,) = merged(histograms(full, histogram([1, 0, 0], sum=2.0, min=0)))

    assert not without_sum.HasField("sum")
    assert (without_sum.min, without_sum.max) == (0, 2)
    assert without_max.sum == 3.0
    assert not without_max.HasField("min")
    assert not without_max.HasField("max")


def test_histograms_without_buckets_are_added_too() -> None:
    (point,) = merged(
        histograms(*(histogram([], explicit_bounds=[], count=n, sum=n) for n in (2, 3)))
    )

    assert (point.count, point.sum, list(point.bucket_counts)) == (5, 5, [])


def test_histograms_of_other_bounds_are_refused_where_they_would_be_merged() -> None:
    other = {"explicit_bounds": [1, 3]}

    assert refusal(histograms(histogram([1, 1, 1]), histogram([1, 1, 1], **other))) == (
        "histograms of different bounds cannot be merged"
    )
    apart = histograms(histogram([1, 1, 1]), histogram([1, 1, 1], region="us", **other))
    assert len(merged(apart)) == 2


def test_histograms_with_other_buckets_are_refused() -> None:
    assert refusal(histograms(histogram([1, 1, 1]), histogram([]))) == (
        "histograms with different numbers of buckets cannot be merged"
    )


@pytest.mark.parametrize(
    "large",
    [histogram([0, 0, 0], count=2**64 - 1), histogram([2**64 - 1, 0, 0], count=0)],
    ids=["count", "bucket"],
)
def test_counts_that_do_not_fit_are_refused(large: HistogramDataPoint) -> None:
    assert refusal(histograms(histogram([1, 0, 0]), large)) == "the counts do not fit 64 bits"


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_conserved(seed: int) -> None:
    rng = random.Random(seed)
    points = [
        histogram([rng.randint(0, 9) for _ in range(3)], region=rng.choice("abc"), sum=rng.random())
        for _ in range(40)
    ]

    made = merged(histograms(*points))

    for place in range(3):
        assert sum(each.bucket_counts[place] for each in made) == sum(
            each.bucket_counts[place] for each in points
        )
    assert sum(each.count for each in made) == sum(each.count for each in points)
    assert sum(each.sum for each in made) == pytest.approx(sum(each.sum for each in points))
