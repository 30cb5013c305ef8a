"""A rule is whole, or it is refused with what it lacks."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.telemetry.rules import Rule
from tests.support.rule_writing import rule, stated

MERGES = {"remove": ["pod"]}


@pytest.mark.parametrize(
    ("action", "setting"),
    [
        ("drop", {}),
        ("keep", {}),
        ("sample", {"percent": 0.5}),
        ("aggregate", {"aggregate": MERGES}),
        ("redact", {"redact": {}}),
    ],
)
def test_each_action_has_what_it_needs(action: str, setting: dict[str, Any]) -> None:
    made = rule("r", action, span="true", **setting)

    assert (made.action, made.priority, made.shadow) == (action, 100, False)


@pytest.mark.parametrize(
    ("action", "setting", "reason"),
    [
        ("sample", {}, "the action sample needs percent"),
        ("aggregate", {}, "the action aggregate needs aggregate"),
        ("redact", {}, "the action redact needs redact"),
        ("drop", {"percent": 5}, "percent belongs to the action sample"),
        ("keep", {"redact": {}}, "redact belongs to the action redact"),
        (
            "sample",
            {"percent": 5, "aggregate": MERGES},
            "aggregate belongs to the action aggregate",
        ),
        ("redact", {"redact": {}, "shadow": True}, "it has no shadow"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    action: str, setting: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        rule("r", action, span="true", **setting)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Upper"},
        {"name": ""},
        {"name": "-a"},
        {"name": "a" * 64},
        {"action": "destroy"},
        {"priority": -1},
        {"priority": 1_000_001},
        {"owner": "  "},
        {"reason": ""},
        {"reason": "a" * 501},
        {"expires": "some day"},
        {"expires": None},
        {"action": "sample", "percent": 0},
        {"action": "sample", "percent": 100},
        {"filter": "traces"},
        {"prioriy": 5},
    ],
)
def test_a_setting_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(stated("r", span="true") | wrong)


@pytest.mark.parametrize("lacks", ["name", "action", "filter", "owner", "reason", "expires"])
def test_who_answers_for_it_and_until_when_is_said(lacks: str) -> None:
    said = stated("r", span="true")
    del said[lacks]

    with pytest.raises(ValidationError, match=f"{lacks}\n  Field required"):
        Rule.model_validate(said)


def test_its_last_day_is_a_day_of_it() -> None:
    made = rule("r", span="true", expires="2027-03-31")

    days = [made.in_force(date(2027, month, day)) for month, day in ((3, 30), (3, 31), (4, 1))]
    assert days == [True, True, False]
