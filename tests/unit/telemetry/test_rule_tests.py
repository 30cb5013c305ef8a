"""Tests of rules: what is as expected, and what differs."""

from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.telemetry.config import TelemetryConfig
from reflexarc.telemetry.rule_tests import Bench, Case, Suite, Tried
from tests.support.rule_writing import TODAY, stated

RULES = [
    stated("drops", span='name == "gone"', spanevent='name == "x"'),
    stated("keeps", "keep", log_record='body == "order"', priority=1),
    stated("debug", log_record="severity_number < 9"),
    stated("samples", "sample", span='name == "often"', percent=10, shadow=True),
    stated("merges", "aggregate", metric="true", aggregate={"remove": ["pod"]}),
    stated("hides", "redact", redact={"attributes": ["cart"]}, span='name == "cart"'),
]


def tried(**item: Any) -> Tried:
    config = TelemetryConfig.model_validate({"rules": RULES})
    case = Case.model_validate({"name": "a test", "items": [item]})
    (found,) = Bench(config, (), TODAY).tried([case])
    return found


POINTS = [{"value": 1, "attributes": {"pod": "a"}}, {"value": 2, "attributes": {"pod": "b"}}]


@pytest.mark.parametrize(
    "item",
    [
        {"span": {"name": "gone"}, "expect": "dropped"},
        {"span": {"name": "gone"}, "expect": " dropped by drops "},
        {"span": {"name": "gone", "status": "error"}, "expect": "guarded by errors"},
        {"span": {"name": "stays"}, "expect": "kept"},
        {"span": {"name": "stays", "events": [{"name": "x"}, {}]}, "expect": "kept", "left": 1},
        {"span": {"name": "often", "trace_id": "0" * 32}, "expect": "sampled by samples"},
        {"span": {"name": "often", "trace_id": "f" * 32}, "expect": "kept by samples"},
        {"log": {"body": "order", "severity": "DEBUG"}, "expect": "kept by keeps", "left": 0},
        {"log": {"body": "other", "severity": "DEBUG"}, "expect": "dropped by debug", "left": 0},
        {
            "metric": {"name": "m", "type": "sum", "points": POINTS},
            "expect": "aggregated by merges",
            "left": 1,
        },
        {
            "span": {"name": "cart", "attributes": {"cart": "4711", "mail": "ada@example.com"}},
            "resource": {"service.name": "shop"},
            "scope": {"name": "lib", "version": "1", "attributes": {"a": 1}},
            "expect": "redacted",
            "redacted": ["email", "attribute"],
            "attributes": {"cart": "[redacted:attribute]", "mail": "[redacted:email]"},
        },
        {"span": {"name": "a"}, "expect": "kept", "redacted": []},
    ],
)
def test_what_is_as_expected_differs_in_nothing(item: dict[str, Any]) -> None:
    assert tried(**item).differs == ()


@pytest.mark.parametrize(
    ("item", "differs"),
    [
        ({"span": {"name": "gone"}, "expect": "kept"}, ("", "kept", "dropped by drops")),
        ({"span": {"name": "stays"}, "expect": "dropped"}, ("", "dropped", "kept")),
        (
            {"span": {"name": "gone"}, "expect": "dropped by debug"},
            ("", "dropped by debug", "dropped by drops"),
        ),
        ({"span": {"name": "a"}, "expect": "redacted"}, ("", "redacted", "kept")),
        (
            {"span": {"name": "a", "events": [{}]}, "expect": "kept", "left": 0},
            ("left", "0", "1"),
        ),
        (
            {"span": {"name": "gone", "events": [{}]}, "expect": "dropped", "left": 1},
            ("left", "1", "0"),
        ),
        (
            {"span": {"name": "a"}, "expect": "kept", "redacted": ["email"]},
            ("redacted", "email", "nothing"),
        ),
        (
            {"span": {"attributes": {"m": "a@b.example"}}, "expect": "kept", "redacted": []},
            ("redacted", "nothing", "email"),
        ),
        (
            {"log": {"severity": "WARN"}, "expect": "kept", "attributes": {"a": 1}},
            ("a", "1", "null"),
        ),
        (
            {"metric": {"name": "m"}, "expect": "kept", "attributes": {"a": 1}},
            ("a", "1", "null"),
        ),
    ],
)
def test_what_is_not_as_expected_is_said(
    item: dict[str, Any], differs: tuple[str, str, str]
) -> None:
    assert tried(**item).differs == (differs,)


def test_an_item_has_its_whole_story() -> None:
    config = TelemetryConfig.model_validate({"rules": RULES})
    bench = Bench(config, (), TODAY)
    items = [{"span": {"name": "often"}, "expect": "kept"}]
    (found,) = bench.tried([Case.model_validate({"name": "c", "items": items})])

    steps = {step.rule.name: step.state for step in bench.explained(found).steps}

    assert steps == {"drops": "did not hold", "samples": "held", "hides": "did not hold"}
    assert found.trial.named == ""


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"expect": "kept"}, "an item is one of span, log and metric"),
        ({"span": {}, "log": {}, "expect": "kept"}, "an item is one of span, log and metric"),
        ({"span": {}, "expect": "gone"}, "expect is one of kept, dropped, sampled"),
        ({"span": {}, "expect": "kept by"}, "expect is one of kept, dropped, sampled"),
        ({"span": {}}, "Field required"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(item: dict[str, Any], problem: str) -> None:
    document = {"rules": "r.yaml", "tests": [{"name": "t", "items": [item]}]}

    with pytest.raises(ValidationError, match=problem):
        Suite.model_validate(document)


def test_an_expectation_names_a_rule_or_a_guard() -> None:
    assert tried(span={"name": "gone"}, expect="dropped by drops").trial.named == "drops"
