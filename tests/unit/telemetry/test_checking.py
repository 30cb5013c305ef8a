"""What a push asks of a telemetry document."""

from typing import Any

import pytest

from reflexarc.events.problems import Problem
from reflexarc.runtime.telemetry_reads import READS
from reflexarc.telemetry.checking import examine, refused
from tests.support.rule_writing import TODAY, stated


def problems(*rules: Any, **more: Any) -> list[Problem]:
    return list(examine({"rules": list(rules), **more}, READS, TODAY))


def said(*rules: Any, **more: Any) -> list[tuple[str, str]]:
    """Return places and the first lines of what is said there."""
    return [
        (".".join(map(str, each.place)), each.what.partition("\n")[0])
        for each in problems(*rules, **more)
    ]


def test_a_sound_document_has_no_problems() -> None:
    assert problems(stated("a", span='name == "a"')) == []
    assert examine({}, READS, TODAY) == ()


@pytest.mark.parametrize(
    ("document", "place", "what"),
    [
        ([], (), "this should be settings, each as name: value"),
        ({"rules": {}}, ("rules",), "this should be a list"),
        ({"rulez": []}, ("rulez",), "there is no such setting (a typo?)"),
        ({"rules": ["x"]}, ("rules", 0), "this should be settings, each as name: value"),
        ({"rules": [{}] * 20_001}, ("rules",), "20,001 rules: at most 20,000 may be there"),
    ],
)
def test_what_is_no_document_is_refused(document: object, place: tuple[Any], what: str) -> None:
    found = examine(document, READS, TODAY)

    assert Problem(place=place, what=what) in found
    assert refused(found)


def test_one_malformed_rule_does_not_hide_the_others() -> None:
    assert said(
        stated("a", span='name == "a"', action="forget"),
        stated("b", span="name =="),
        stated("c", span='name == "a"', expires="soon"),
    ) == [
        ("rules.0.action", "Input should be 'drop', 'sample', 'aggregate', 'redact' or 'keep'"),
        ("rules.1.filter.traces.span.0", "column 8: expected a value, the condition ends"),
        ("rules.2.expires", "this should be a date, such as 2027-03-31"),
    ]


def test_every_condition_is_judged_and_a_pointer_shows_where_it_is_wrong() -> None:
    wrong = stated("a", span=['IsMach(name, "a")', 'name == "fine"', "name ==\n  FOO"])

    first, second = problems(wrong)

    assert first.place == ("rules", 0, "filter", "traces", "span", 0)
    assert first.what == ('column 1: there is no converter IsMach\n    IsMach(name, "a")\n    ^')
    assert second.place[-1] == 2
    assert second.what == "column 11: FOO is unknown in context span\n      FOO\n      ^"


@pytest.mark.parametrize(
    ("block", "place", "what"),
    [
        ({"oops": {}}, "rules.0.filter", "oops is no part of a filter"),
        (
            {"traces": {"span": ["name == nil"], "spam": []}},
            "rules.0.filter",
            "traces.spam is no list of conditions",
        ),
        (
            {"log_conditions": [{"context": "log", "conditions": ["body =="]}]},
            "rules.0.filter.log_conditions.0.conditions.0",
            "column 8: expected a value, the condition ends",
        ),
        (
            {"log_conditions": ["${env:BODY} == nil"]},
            "rules.0.filter.log_conditions.0",
            "log_conditions: ${env:BODY} == nil: variables of the Collector's environment are unk",
        ),
        ({"logs": {"log_record": [7]}}, "rules.0.filter", ""),
    ],
)
def test_a_block_that_is_malformed_is_said_where_it_is(
    block: dict[str, Any], place: str, what: str
) -> None:
    found = said(stated("a") | {"filter": block})

    assert found[0][0] == place
    assert found[0][1].startswith(what)


@pytest.mark.parametrize(
    ("rule", "place", "what"),
    [
        (
            stated("a", span="true", expires="2026-11-23"),
            "rules.0.expires",
            "it expired on 2026-11-23: the rule would do nothing",
        ),
        (
            stated("a", span="true", expires="2027-12-30"),
            "rules.0.expires",
            "more than 400 days away: 2027-12-29 is the latest, extend it then",
        ),
        (stated("a"), "rules.0.filter", "there is no condition: it does nothing"),
        (
            stated("a", "sample", percent=5, metric='name == "a"'),
            "rules.0.action",
            "metrics cannot be sampled, a sum would be wrong: drop or aggregate them",
        ),
        (
            stated("a", "aggregate", aggregate={"remove": ["pod"]}, span="true"),
            "rules.0.action",
            "traces cannot be aggregated, only metrics: drop or sample them",
        ),
        (
            stated("a", "keep", span='name == "$$"', spanevent='name == "$$"'),
            "rules.0.filter.traces.spanevent.0",
            "span events can be dropped or redacted: they are parts of spans that stay",
        ),
    ],
)
def test_a_rule_that_cannot_do_what_it_says_is_refused(
    rule: dict[str, Any], place: str, what: str
) -> None:
    assert said(rule) == [(place, what)]


@pytest.mark.parametrize("expires", ["2026-11-24", "2027-12-29"])
def test_a_rule_may_end_today_or_in_four_hundred_days(expires: str) -> None:
    assert said(stated("a", span="true", expires=expires)) == []


def test_metrics_are_aggregated_by_conditions_on_points_too() -> None:
    rule = stated(
        "a", "aggregate", aggregate={"remove": ["pod"]}, datapoint='attributes["a"] == "b"'
    )

    assert said(rule) == []


def test_a_name_that_stands_twice_is_refused_at_the_second() -> None:
    assert said(
        stated("a", span="true"), stated("b", span="false"), stated("a", log_record=[])
    ) == [
        ("rules.2.name", "rule 1 of the list has the name a already"),
        ("rules.2.filter", "there is no condition: it does nothing"),
    ]


def test_a_rule_that_blinds_is_refused_and_one_in_shadow_is_warned() -> None:
    takes = stated("a", metric='IsMatch(name, "^DCGM_FI_DEV_GPU_TEMP$")')

    (live,), (shadow,) = problems(takes), problems(takes | {"shadow": True})

    assert live.place == ("rules", 0)
    assert live.what == (
        "this would blind GPU readings and health (DCGM metrics): it takes name"
        " 'DCGM_FI_DEV_GPU_TEMP', which is read"
    )
    assert refused([live])
    assert shadow.level == "warning"
    assert shadow.what.endswith("(not while it is in shadow)")


def test_who_is_asked_earlier_by_priority_can_save_what_is_read() -> None:
    takes = stated("a", metric='IsMatch(name, "^DCGM_")')
    keeps = stated("b", "keep", metric='IsMatch(name, "^DCGM_")', priority=1)

    found = problems(takes, keeps)

    assert [(each.level, each.what) for each in found] == [
        ("warning", "b decides before it by the very same condition")
    ]
    assert refused(problems(takes, keeps | {"shadow": True}))


@pytest.mark.parametrize(
    ("first", "warned"),
    [
        (stated("a", span='name   == "a"'), True),
        (stated("a", span='name == "a"', shadow=True), False),
        (stated("a", "redact", redact={}, span='name == "a"'), False),
        (stated("a", span='name == "b"'), False),
        (stated("a", spanevent='name == "a"'), False),
    ],
)
def test_a_condition_that_an_earlier_rule_has_too_is_in_vain(
    first: dict[str, Any], *, warned: bool
) -> None:
    found = problems(first, stated("b", span=['name == "x"', 'name == "a"']))

    expected = [
        Problem(
            place=("rules", 1, "filter", "traces", "span", 1),
            what="a decides before it by the very same condition",
            level="warning",
        )
    ]
    assert found == (expected if warned else [])
    assert not refused(found)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({"trace_conditions": ["span.kind == 1", 'span.name == "a"']}, ("trace_conditions", 1)),
        (
            {"trace_conditions": [{"conditions": ["span.kind == 1", 'span.name == "a"']}]},
            ("trace_conditions", 0, "conditions", 1),
        ),
        (
            {
                "filter/mine": {
                    "logs": {"log_record": ["body == nil"]},
                    "traces": {"span": ['span.name == "a"']},
                }
            },
            ("filter/mine", "traces", "span", 0),
        ),
    ],
)
def test_a_condition_is_found_in_whatever_form_it_stands(
    block: dict[str, Any], place: tuple[Any, ...]
) -> None:
    found = problems(stated("a", span='span.name == "a"'), stated("b") | {"filter": block})

    assert [each.place for each in found] == [("rules", 1, "filter", *place)]
