"""What becomes of metrics and each of their points."""

from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.support.data_points import histograms, number, sums
from tests.support.otlp import gauge, metrics
from tests.support.otlp_conditions import parts_of
from tests.support.otlp_requests import nested
from tests.support.rule_sets import applied, compiled, counts, items_in, names_in
from tests.support.rule_writing import rule

ABC = metrics(
    gauge("alpha", (1.0, {"n": 1}), (2.0, {"n": 2})), gauge("beta", (3.0, {"n": 1})), gauge("gamma")
)


def values_in(payload: bytes) -> list[list[Any]]:
    """Return the values of the points of each metric."""
    return [
        [getattr(point, point.WhichOneof("value")) for point in parts_of("metrics", metric)]
        for metric in items_in("metrics", payload)
    ]


# What goes


def test_a_condition_on_a_metric_takes_all_its_points() -> None:
    outcome = applied("metrics", ABC, rule("r", metric='name == "alpha"'))

    assert names_in("metrics", outcome.payload) == ["beta", "gamma"]
    did = counts(outcome.account)["r"]
    size = 2 + items_in("metrics", ABC)[0].ByteSize()
    assert (did.matched, did.removed, did.size) == (2, 2, size)


def test_a_condition_on_points_takes_those_for_which_it_holds() -> None:
    outcome = applied("metrics", ABC, rule("r", datapoint='attributes["n"] == 2'))

    assert values_in(outcome.payload) == [[1.0], [3.0], []]
    did = counts(outcome.account)["r"]
    point = parts_of("metrics", items_in("metrics", ABC)[0])[1]
    assert (did.matched, did.removed, did.size) == (1, 1, point.ByteSize())


def test_a_metric_that_loses_its_last_point_goes_with_it() -> None:
    outcome = applied("metrics", ABC, rule("r", datapoint='attributes["n"] == 1'))

    assert names_in("metrics", outcome.payload) == ["alpha", "gamma"]
    assert outcome.account.removed == 2


def test_a_metric_goes_when_several_rules_have_taken_its_points() -> None:
    rules = [rule(f"r{n}", datapoint=f'attributes["n"] == {n}') for n in (1, 2)]

    outcome = applied("metrics", ABC, *rules)

    assert names_in("metrics", outcome.payload) == ["gamma"]
    assert {name: each.removed for name, each in counts(outcome.account).items()} == {
        "r1": 2,
        "r2": 1,
    }


def test_scopes_and_resources_that_lose_everything_go() -> None:
    payload = metrics(gauge("alpha", (1.0, {}))) + metrics(gauge("beta", (1.0, {})))

    left = applied("metrics", payload, rule("r", metric='name == "alpha"')).payload

    assert left == metrics(gauge("beta", (1.0, {})))


@pytest.mark.parametrize(
    "message",
    [
        Metric(name="x"),
        gauge("x"),
        Metric.FromString(sums()),
        Metric.FromString(histograms()),
    ],
)
def test_a_metric_without_points_goes_where_a_condition_on_metrics_holds(message: Metric) -> None:
    message.name = "x"
    payload = metrics(message)

    outcome = applied("metrics", payload, rule("r", metric='name == "x"'))
    by_points = applied("metrics", payload, rule("r", datapoint='attributes["n"] != 1'))

    assert outcome.payload == b""
    assert outcome.account.received == 0
    assert counts(outcome.account)["r"].size == len(message.SerializeToString()) + 2
    assert by_points.payload is payload


def test_the_rest_of_a_metric_stays_byte_for_byte() -> None:
    unknown = b"\xfa\x3e\x03new"
    data = b"".join(
        nested(point.SerializeToString() + unknown, 1) for point in (number(1), number(2))
    )
    head = b"\x12\x05about" + unknown  # a description before all else
    payload = nested(head + nested(data + unknown, 5) + b"\x0a\x01a", 1, 2, 2)

    left = applied("metrics", payload, rule("r", datapoint="value_int == 1")).payload

    kept = nested(number(2).SerializeToString() + unknown, 1) + unknown
    assert left == nested(head + b"\x0a\x01a" + nested(kept, 5), 1, 2, 2)


def test_data_of_several_kinds_is_told_by_the_last() -> None:
    gauge_of = nested(b"".join(nested(number(n).SerializeToString(), 1) for n in (1, 2)), 5)
    sum_of = nested(b"".join(nested(number(n).SerializeToString(), 1) for n in (1, 3)), 7)
    payload = nested(b"\x0a\x01a" + gauge_of + sum_of + gauge_of, 1, 2, 2)

    outcome = applied("metrics", payload, rule("r", datapoint="value_int == 1"))

    assert values_in(outcome.payload) == [[2]]
    assert outcome.account.received == 2


# Whose turn it is


def test_each_point_is_counted_for_the_first_rule_that_holds() -> None:
    rules = [
        rule("late", metric="true", priority=200),
        rule("first", datapoint='attributes["n"] == 2'),
        rule("keeps", "keep", metric='name == "beta"'),
    ]

    outcome = applied("metrics", ABC, *rules)

    assert names_in("metrics", outcome.payload) == ["beta"]
    assert {
        name: (each.matched, each.removed) for name, each in counts(outcome.account).items()
    } == {
        "first": (1, 1),
        "keeps": (1, 0),
        "late": (1, 1),
    }


def test_of_a_metric_that_is_decided_no_later_rule_is_asked() -> None:
    rules = [rule("first", metric="true"), rule("bad", metric="type > 1 / 0")]

    assert counts(applied("metrics", ABC, *rules).account).keys() == {"first"}


def test_a_rule_that_keeps_some_points_keeps_the_metric() -> None:
    keeps = rule("keeps", "keep", datapoint='attributes["n"] == 1')

    outcome = applied("metrics", ABC, keeps, rule("r", metric="true"))

    assert values_in(outcome.payload) == [[1.0], [3.0]]
    assert outcome.account.removed == 1


def test_a_rule_that_keeps_a_metric_without_points_keeps_it() -> None:
    keeps = rule("keeps", "keep", metric='name == "gamma"')

    outcome = applied("metrics", ABC, keeps, rule("r", metric="true"))

    assert names_in("metrics", outcome.payload) == ["gamma"]


def test_a_rule_in_shadow_counts_each_point_once_and_leaves_it_to_the_next() -> None:
    shadow = rule(
        "shadow", shadow=True, metric=['name == "alpha"', "true"], datapoint='attributes["n"] == 1'
    )

    alone = applied("metrics", ABC, shadow)
    both = applied("metrics", ABC, shadow, rule("r", metric='name != "beta"'))

    assert alone.payload is ABC
    did = counts(alone.account)["shadow"]
    assert (did.matched, did.shadowed, did.removed) == (3, 3, 0)
    assert names_in("metrics", both.payload) == ["beta"]
    assert counts(both.account)["shadow"].shadowed == 3


def test_a_rule_in_shadow_keeps_nothing() -> None:
    shadow = rule("shadow", "keep", shadow=True, metric="true")

    outcome = applied("metrics", ABC, shadow, rule("r", metric="true"))

    assert outcome.payload == b""
    assert (counts(outcome.account)["shadow"].matched, outcome.account.removed) == (3, 3)
    assert counts(outcome.account)["shadow"].shadowed == 0


def test_two_conditions_of_a_rule_take_a_point_once() -> None:
    taking = rule("r", datapoint=['attributes["n"] == 1', 'attributes["n"] < 3'])

    did = counts(applied("metrics", ABC, taking).account)["r"]

    assert (did.matched, did.removed) == (3, 3)


@pytest.mark.parametrize(
    "stated",
    [
        {"metric": "Int(name) > 1 / 0"},
        {"metric": 'Hour(Time(name, "%H")) == 1'},
        {"datapoint": 'Int(attributes["t"]) > 1 / 0'},
        {"metric": 'Int(resource.attributes["alpha"]) > 1 / 0'},
        {"metric": "Int(scope.name) > 1 / 0"},
    ],
)
def test_a_condition_that_raises_keeps_the_points_and_is_counted(stated: dict[str, str]) -> None:
    payload = metrics(gauge("alpha", (1.0, {"t": "noon"})), resource={"alpha": "beta"})
    rules = [rule("bad", **stated), rule("good", datapoint='attributes["t"] == "noon"')]

    alone, both = applied("metrics", payload, rules[0]), applied("metrics", payload, *rules)

    assert alone.payload is payload
    assert counts(alone.account)["bad"].errors == 1
    assert counts(both.account)["good"].removed == 1


def test_a_condition_may_read_all_that_is_above_a_point() -> None:
    condition = (
        'attributes["n"] == 1 and metric.name == "alpha" and resource.attributes["k"] == "v"'
        ' and scope.name == ""'
    )
    payload = ABC + metrics(*items_in("metrics", ABC), resource={"k": "v"})

    outcome = applied("metrics", payload, rule("r", datapoint=condition))

    assert values_in(outcome.payload) == [[1.0, 2.0], [3.0], [], [2.0], [3.0], []]


# Metrics that cannot be decoded


BAD = b"\x0a\x01\xff"  # a name that is not UTF-8
POINTS = nested(nested(number(1).SerializeToString(), 1) * 2, 5)


@pytest.mark.parametrize(
    ("message", "stated", "errors"),
    [
        (BAD + POINTS, {"datapoint": "value_int == 1"}, 2),
        (BAD + POINTS, {"datapoint": 'attributes["alpha"] == nil', "metric": 'name == "beta"'}, 3),
        (BAD + POINTS, {"metric": "type == METRIC_DATA_TYPE_GAUGE"}, 1),
    ],
)
def test_a_metric_that_cannot_be_decoded_stays(
    message: bytes, stated: dict[str, str], errors: int
) -> None:
    payload = nested(message, 1, 2, 2)

    outcome = compiled([rule("r", **stated)]).apply("metrics", payload)

    assert outcome.payload is payload
    assert counts(outcome.account)["r"].errors == errors
