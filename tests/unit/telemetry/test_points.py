"""Points leave a metric, and others join it: what stays is not touched."""

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from reflexarc.engines.otlp.wire import occurrences
from reflexarc.telemetry.aggregation import FIELDS, POINTS, with_one_data_field, with_points
from tests.support.data_points import gauges, number, sums, values
from tests.support.otlp_items import ItemWriter

ODD = (0, 0.3, 1)


@pytest.mark.parametrize("odd", ODD)
def test_points_that_are_not_chosen_stay_byte_for_byte(odd: float) -> None:
    writer = ItemWriter(1, odd=odd)
    changed = 0
    for _ in range(200):
        message = with_one_data_field(writer.metric())
        plain = Metric.FromString(message)
        kind = plain.WhichOneof("data")
        if kind is None:
            continue
        before = points_of(message, kind)
        gone = {place for place in range(len(before)) if writer.rng.random() < 0.4}
        added = before[: writer.rng.randint(0, 2)]

        made = with_points(message, kind, gone, added)

        kept = [point for place, point in enumerate(before) if place not in gone]
        assert points_of(made, kind) == kept + added
        after = Metric.FromString(made)
        for metric in (plain, after):
            del getattr(metric, kind).data_points[:]
        assert after.SerializeToString() == plain.SerializeToString()
        changed += bool(gone)

    assert changed > 40


def points_of(message: bytes, kind: str) -> list[bytes]:
    return occurrences(b"".join(occurrences(message, FIELDS[kind])), POINTS)


@pytest.mark.parametrize("odd", ODD)
def test_a_metric_has_its_data_in_one_field(odd: float) -> None:
    writer = ItemWriter(2, odd=odd)
    for _ in range(200):
        message = writer.metric()

        one = with_one_data_field(message)

        plain = Metric.FromString(message)
        kind = plain.WhichOneof("data")
        assert Metric.FromString(one).SerializeToString() == plain.SerializeToString()
        found = {name: len(occurrences(one, field)) for name, field in FIELDS.items()}
        assert sum(found.values()) == (kind is not None)
        if kind:
            assert len(points_of(one, kind)) == len(getattr(plain, kind).data_points)


def test_a_metric_whose_data_is_in_one_field_is_the_very_bytes() -> None:
    message = sums(number(1))

    assert with_one_data_field(message) is message
    assert with_one_data_field(b"") == b""


def test_of_several_kinds_of_data_the_last_one_counts() -> None:
    old, gauge, new = sums(number(1)), gauges(number(2)), sums(number(4))

    one = with_one_data_field(old + gauge + new)

    assert values(Metric.FromString(one).sum.data_points) == [4]
    assert len(points_of(one, "sum")) == 1
