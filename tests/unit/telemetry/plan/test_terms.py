"""What it takes to judge each part of a condition."""

from dataclasses import fields

import pytest

from reflexarc.engines.ottl.parser import parse
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.terms import conjuncts, paths_of, sorted_by_price

CONTEXTS: dict[str, OtlpSignal] = {
    "span": "traces",
    "spanevent": "traces",
    "metric": "metrics",
    "datapoint": "metrics",
    "log": "logs",
}


def prices(text: str, context: str = "span") -> dict[str, int]:
    """Return how many parts of a condition are judged at each price."""
    found = sorted_by_price(parse(text, context), CONTEXTS[context])
    return {each.name: len(parts) for each in fields(found) if (parts := getattr(found, each.name))}


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("1 == 1", "resource"),
        ('resource.attributes["a"] == "b"', "resource"),
        ('scope.name == "a"', "scope"),
        ('scope.name == resource.attributes["a"]', "scope"),
        ('name == "a"', "header"),
        ("end_time_unix_nano - start_time_unix_nano > 5", "header"),
        ("status.code == 2 or kind == 1", "header"),
        ('attributes["a"] == "b"', "attributes"),
        ('attributes["a"] == name', "attributes"),
        ('attributes["a"]["b"] == "c"', "whole"),
        ('attributes["a"] == resource.attributes["b"]', "whole"),
        ("trace_id.string == name", "whole"),
        ("IsRootSpan()", "whole"),
        ("UnixNano(Now()) > 5", "whole"),
        ('UnixNano(Now()) > 5 or resource.attributes["a"] == "b"', "whole"),
    ],
)
def test_what_is_read_says_the_price(text: str, price: str) -> None:
    assert prices(text) == {price: 1}


@pytest.mark.parametrize(
    ("text", "context", "price"),
    [
        ('name == "a"', "spanevent", "part"),
        ('span.name == "a"', "spanevent", "header"),
        ('attributes["a"] == span.attributes["b"]', "spanevent", "part"),
        ("value_int == 1", "datapoint", "part"),
        ('metric.name == "a"', "datapoint", "header"),
        ('name == "a"', "metric", "header"),
        ("type == METRIC_DATA_TYPE_SUM", "metric", "whole"),
        ('body == "a"', "log", "attributes"),
        ('severity_text == "a"', "log", "header"),
        ('body["a"] == "b"', "log", "attributes"),
    ],
)
def test_each_context_has_its_own_plain_fields(text: str, context: str, price: str) -> None:
    assert prices(text, context) == {price: 1}


def test_parts_of_an_and_are_sorted_one_by_one() -> None:
    text = (
        'name == "a" and (resource.attributes["b"] == "c" and (attributes["d"] == "e"'
        ' and kind == 1)) and (scope.name == "f" or name == "g") and trace_id.string == "h"'
    )

    assert prices(text) == {"header": 2, "resource": 1, "attributes": 1, "whole": 2}
    assert len(list(conjuncts(parse(text, "span")))) == 6


def test_an_or_is_one_part() -> None:
    condition = parse('name == "a" or kind == 1', "span")

    assert list(conjuncts(condition)) == [condition]


def test_paths_are_those_that_a_condition_names() -> None:
    condition = parse('attributes[name] == Concat([scope.name, "a"], "") or kind == 1', "span")

    names = [".".join((path.context, *path.names)) for path in paths_of(condition)]
    assert sorted(names) == ["scope.name", "span.attributes", "span.kind", "span.name"]
