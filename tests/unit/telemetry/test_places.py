from datetime import UTC, datetime

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from reflexarc.telemetry.places import moment, node_of, text_of, texts_of
from tests.support.otlp import any_value, attributes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (any_value("a"), "a"),
        (any_value("x" * 5_000), "x" * 1_000),
        (any_value(7), "7"),
        (any_value(0.5), "0.5"),
        (AnyValue(bool_value=True), "true"),
        (any_value({"a": 1}), ""),
        (AnyValue(), ""),
    ],
)
def test_plain_values_are_texts(value: AnyValue, text: str) -> None:
    assert text_of(value) == text


def test_of_two_attributes_with_one_key_the_first_counts() -> None:
    twice = [*attributes({"a": "first", "b": ""}), *attributes({"a": "second", "c": "c"})]

    assert texts_of(twice) == {"a": "first", "c": "c"}
    assert texts_of(twice, most=1) == {"a": "first"}


@pytest.mark.parametrize(
    ("resource", "said", "node"),
    [
        ({"host.name": "node-7"}, (), "node-7"),
        ({"host.name": "pod-x2f", "k8s.node.name": "node-7"}, ("other",), "node-7"),
        ({"host.name": "gateway"}, ("", "node-7"), "node-7"),
        ({"host.name": " node-7 "}, (), "node-7"),
        ({"host.name": "x" * 254}, (), ""),
        ({}, (), ""),
    ],
)
def test_a_node_is_named_by_who_knows_it_best(
    resource: dict[str, str], said: tuple[str, ...], node: str
) -> None:
    assert node_of(resource, said) == node


def test_a_time_that_is_none_is_none() -> None:
    assert moment(0) is None


def test_the_latest_time_that_otlp_can_say_is_a_time() -> None:
    latest = moment(2**64 - 1)

    assert latest is not None
    assert latest.year == 2554


def test_nanoseconds_are_a_time() -> None:
    assert moment(1_763_953_927_000_000_000) == datetime(2025, 11, 24, 3, 12, 7, tzinfo=UTC)
