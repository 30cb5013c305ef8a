from collections.abc import Sequence

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from reflexarc.events.series import Point, Series
from reflexarc.telemetry.series import series
from reflexarc.telemetry.told import Batch
from tests.support.otlp import NOW, gauge, metrics

NAMES = ("train.loss", "train.grad.*")


def told(payload: bytes, names: Sequence[str] = NAMES) -> list[Series]:
    batch = Batch(id="b-1", signal="metrics", payload=payload, received_at=NOW, source="gateway-1")
    return [
        Series.model_validate(each.message.model_dump(by_alias=True))
        for each in series(batch, names, NOW)
    ]


def points(payload: bytes, names: Sequence[str] = NAMES) -> list[Point]:
    return [point for message in told(payload, names) for point in message.points]


def test_points_of_listed_metrics_are_told_with_what_they_are_of() -> None:
    payload = metrics(
        gauge("train.loss", (2.25, {"rank": 0})),
        gauge("train.loss.other", (1.0, {})),
        resource={"service.name": "llama-7b"},
    )

    (point,) = points(payload)

    assert (point.metric, point.value, point.at) == ("train.loss", 2.25, NOW)
    assert (point.attributes, point.resource) == ({"rank": "0"}, {"service.name": "llama-7b"})


def test_a_star_at_the_end_stands_for_any_ending() -> None:
    payload = metrics(gauge("train.grad.norm", (0.5, {})), gauge("train.gradient", (0.5, {})))

    assert [point.metric for point in points(payload)] == ["train.grad.norm"]


@pytest.mark.parametrize(("temporality", "delta"), [("DELTA", True), ("CUMULATIVE", False)])
def test_a_sum_says_whether_its_points_are_to_be_added(temporality: str, delta: bool) -> None:  # noqa: FBT001 - a parameter of the test
    tokens = Metric(name="train.loss")
    tokens.sum.aggregation_temporality = AggregationTemporality.Value(
        f"AGGREGATION_TEMPORALITY_{temporality}"
    )
    tokens.sum.data_points.add(as_int=7)

    (point,) = points(metrics(tokens))

    assert (point.kind, point.delta, point.value, point.at) == ("sum", delta, 7.0, NOW)


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        (metrics(gauge("train.loss", (1.0, {}))), ()),
        (metrics(gauge("train.loss", (float("nan"), {}))), NAMES),
        (metrics(gauge("http.duration", (1.0, {}))), NAMES),
        (metrics(Metric(name="train.loss")), NAMES),
        (metrics(gauge("x", (1.0, {"about": "train.loss"}))), NAMES),
    ],
)
def test_what_is_no_point_of_a_listed_metric_is_passed_over(
    payload: bytes, names: tuple[str, ...]
) -> None:
    assert told(payload, names) == []


def test_other_signals_are_passed_over() -> None:
    batch = Batch(id="b", signal="logs", payload=b"train.loss", received_at=NOW, source="g")

    assert list(series(batch, NAMES, NOW)) == []


def test_more_points_than_a_message_holds_are_several_messages() -> None:
    many = ((float(number), {"n": number}) for number in range(1_000))
    payload = metrics(gauge("train.loss", *many))

    messages = told(payload)

    assert [point.value for each in messages for point in each.points] == list(range(1_000))
    assert len({each.id for each in messages}) == len(messages) == 3


def test_long_attributes_do_not_make_a_message_too_large() -> None:
    long = {f"attribute-{number}": "ü" * 5_000 for number in range(50)}
    payload = metrics(*(gauge("train.loss", (1.0, long)) for _ in range(60)), resource=long)

    sizes = [len(each.model_dump_json(by_alias=True).encode()) for each in told(payload)]

    assert max(sizes) < 448 * 1024
