"""Why an item stays or goes, and that this is what the compiled rules do to it."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from reflexarc.engines.otlp.framing import framed
from reflexarc.events.reads import Read
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.explain import Decision, Explanation, State, explain
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import RuleSet
from reflexarc.telemetry.short_form import ShortEvent, ShortLog, ShortMetric, ShortPoint, ShortSpan
from reflexarc.telemetry.single_items import item_at, items_of
from tests.support.rule_writing import TODAY, batch, rule, span

READS = (Read(who="somebody", signal="traces", conditions=('name == "read"',)),)
GONE = "0" * 32  # a trace whose randomness is the least


def story(item: Any, *rules: Rule, resource: dict[str, Any] | None = None) -> Explanation:
    (found,) = items_of(batch(item, resource=resource))
    return explain(found, rules, READS, TODAY)


def states(found: Explanation) -> list[tuple[str, State]]:
    return [(step.rule.name, step.state) for step in found.steps]


def test_an_item_that_no_rule_holds_for_is_kept() -> None:
    found = story(span("a"), rule("r", span='name == "b"'))

    assert found.decision == Decision("kept", note="no rule that decides holds for it")
    assert states(found) == [("r", "did not hold")]


def test_the_first_rule_that_holds_decides_and_no_later_one_is_asked() -> None:
    rules = [
        rule("late", span="true", priority=200),
        rule("first", span=['name == "b"', 'name == "a"'], priority=50),
        rule("before", span='name == "b"', priority=10),
    ]

    found = story(span("a"), *rules)

    assert found.decision == Decision("dropped", "first")
    assert states(found) == [("before", "did not hold"), ("first", "held"), ("late", "not asked")]
    assert [each.held for each in found.steps[1].conditions] == [0, 1]


def test_rules_of_other_signals_are_left_out_and_expired_ones_are_told() -> None:
    rules = [rule("old", span="true", expires="2026-11-23"), rule("logs", log_record="true")]

    assert states(story(span("a"), *rules)) == [("old", "expired")]


@pytest.mark.parametrize(
    ("item", "who"),
    [
        (span("a", status="error"), "errors"),
        (span("a", attributes={"http.status_code": 503}), "server errors"),
        (span("read"), "somebody"),
    ],
)
def test_a_guard_keeps_what_a_rule_would_take(item: ShortSpan, who: str) -> None:
    found = story(item, rule("r", span="true"), rule("later", span="true"))

    assert found.decision == Decision("guarded", who, "r would take it")
    assert [guard.who for guard in found.guards if guard.holds] == [who]
    assert states(found) == [("r", "held"), ("later", "not asked")]


def test_a_rule_that_keeps_decides_too() -> None:
    found = story(span("a"), rule("keeps", "keep", span="true"), rule("r", span="true"))

    assert found.decision == Decision("kept", "keeps", "no later rule is asked")
    assert states(found)[1] == ("r", "not asked")


@pytest.mark.parametrize(
    ("trace", "decision"),
    [
        (GONE, Decision("sampled", "r")),
        ("f" * 32, Decision("kept", "r", "its trace is among those that stay")),
    ],
)
def test_sampling_takes_some_traces(trace: str, decision: Decision) -> None:
    assert story(
        span("a", trace_id=trace), rule("r", "sample", span="true", percent=10)
    ).decision == (decision)


def test_a_rule_in_shadow_leaves_the_item_to_the_next() -> None:
    shadow = rule("shadow", span="true", shadow=True)
    sampled = rule("sampled", "sample", span="true", percent=10, shadow=True)

    found = story(span("a", trace_id="f" * 32), shadow, sampled)

    assert found.decision.fate == "kept"
    assert found.decision.by == ""
    assert states(found) == [("shadow", "held"), ("sampled", "held")]


def test_a_rule_that_redacts_is_asked_whatever_was_decided() -> None:
    found = story(
        span("a"), rule("r", span="true"), rule("redacts", "redact", span="true", redact={})
    )

    assert states(found) == [("r", "held"), ("redacts", "held")]


def test_events_that_are_cut_leave_the_span() -> None:
    item = span("a", events=(ShortEvent(name="x"), ShortEvent(name="y"), ShortEvent(name="x")))
    cuts = rule("cuts", spanevent='name == "x"')

    found = story(item, cuts, rule("later", span='name == "b"'))

    assert found.decision == Decision("kept", "cuts", "without some of its events")
    (condition,) = found.steps[0].conditions
    assert (condition.held, condition.of) == (2, 3)
    assert states(found) == [("cuts", "held"), ("later", "did not hold")]


def test_a_condition_on_events_of_a_span_without_any_is_asked_of_nothing() -> None:
    (condition,) = story(span("a"), rule("cuts", spanevent='name == "x"')).steps[0].conditions

    assert (condition.held, condition.of, condition.tree.verdict) == (0, 0, "not asked")


def test_an_error_keeps_the_item_and_is_shown() -> None:
    found = story(span("a", attributes={"n": 1}), rule("r", span='Len(attributes["n"]) > 1'))

    assert found.decision.fate == "kept"
    assert found.steps[0].conditions[0].tree.verdict == "error"


def points(*values: int) -> ShortMetric:
    made = tuple(ShortPoint(value=each, attributes={"pod": str(each)}) for each in values)
    return ShortMetric(name="m", type="sum", points=made)


def test_points_go_one_by_one() -> None:
    found = story(
        points(1, 2, 3),
        rule("some", datapoint="value_int < 3"),
        rule("later", metric='name == "other"'),
    )

    assert found.decision == Decision("dropped", "some", "2 of 3 points")
    (condition,) = found.steps[0].conditions
    assert (condition.held, condition.of) == (2, 3)
    assert states(found)[1] == ("later", "did not hold")


def test_merging_is_told_and_so_is_why_it_was_refused() -> None:
    merges = rule("merges", "aggregate", metric="true", aggregate={"remove": ["pod"]})
    cumulative = points(1, 2).model_copy(update={"temporality": "cumulative"})

    assert story(points(1, 2), merges).decision == Decision("aggregated", "merges")
    assert story(cumulative, merges).decision == Decision(
        "kept", "merges", "a cumulative sum cannot be merged across batches: send deltas"
    )


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"traces": {"resource": ['attributes["service.name"] == "shop"']}}, "held"),
        ({"trace_conditions": ['scope.name == "lib"']}, "did not hold"),
        ({"trace_conditions": ['resource.attributes["service.name"] == "x"']}, "did not hold"),
    ],
)
def test_what_items_share_is_read_too(conditions: dict[str, Any], holds: State) -> None:
    made = rule("r", span="true").model_copy(update={"filter": conditions})

    found = story(span("a"), made, resource={"service.name": "shop"})

    assert states(found) == [("r", holds)]


def test_a_metric_without_points_can_be_explained() -> None:
    empty = ShortMetric(name="m", points=())

    assert story(empty, rule("r", datapoint="value_int == 1")).decision.fate == "kept"


def test_what_is_no_item_is_refused_with_its_place() -> None:
    with pytest.raises(Rejected, match=r"^here: the traces cannot be read"):
        list(items_of(Batch(signal="traces", payload=b"\x0a\x05", where="here")))
    (broken,) = items_of(
        Batch(signal="traces", payload=b"\x0a\x05\x12\x03\x12\x01\xff", where="here")
    )
    with pytest.raises(Rejected, match=r"^here: an item cannot be decoded"):
        _ = broken.message


def test_an_item_is_found_by_its_number_and_stands_alone() -> None:
    both = batch(span("a"), span("b"), resource={"service.name": "shop"})
    items = list(items_of(both))

    found = item_at(both, framed(both.payload), 1)

    assert [item.message.name for item in items] == ["a", "b"]
    assert found.request == items[1].request
    (alone,) = items_of(Batch(signal="traces", payload=items[1].request, where=""))
    assert alone.message == items[1].message
    assert alone.resource == items[1].resource
    assert alone.scope == items[1].scope


CONDITIONS: Sequence[dict[str, Any]] = (
    {"span": 'name == "a"'},
    {"span": 'attributes["n"] > 2 and kind == SPAN_KIND_INTERNAL'},
    {"span": ['name == "b"', 'IsMatch(attributes["t"], "^x")']},
    {"log_record": "severity_number < SEVERITY_NUMBER_WARN"},
    {"log_record": 'IsMatch(body, "a") or attributes["n"] == 1'},
    {"metric": 'name == "a"'},
    {"datapoint": 'attributes["n"] == 1'},
)
ITEMS: Sequence[ShortSpan | ShortLog | ShortMetric] = (
    *(
        span(name, attributes=attributes, status=status, trace_id=trace)
        for name in "abc"
        for attributes in ({}, {"n": 3, "t": "xy"}, {"n": "3", "t": 1})
        for status in ("unset", "error")
        for trace in (GONE, "f" * 32)
    ),
    *(
        ShortLog(body=body, severity=severity, attributes={"n": 1})
        for body in ("a", None, 7)
        for severity in ("DEBUG", "ERROR", "")
    ),
    *(ShortMetric(name=name, points=(ShortPoint(attributes={"n": 1}),) * 2) for name in "ab"),
)


@pytest.mark.parametrize("seed", range(12))
def test_the_story_ends_as_the_rules_decide(seed: int) -> None:
    rng = random.Random(seed)
    rules = [
        rule(f"r{number}", action, shadow=rng.random() < 0.3, priority=rng.randrange(3), **more)
        for number in range(4)
        for action, setting in [
            rng.choice([("drop", {}), ("keep", {}), ("sample", {"percent": 50})])
        ]
        for more in [setting | dict(rng.choice(CONDITIONS))]
        # Metrics cannot be sampled.
        if not (action == "sample" and more.keys() & {"metric", "datapoint"})
    ]
    compiled = RuleSet(rules, READS, version=1, today=TODAY)
    for item in ITEMS:
        (single,) = items_of(batch(item))
        found = explain(single, rules, READS, TODAY)
        account = compiled.apply(single.signal, single.request).account
        takers = [each.rule for each in account.rules if each.removed]
        gone = found.decision.fate in {"dropped", "sampled", "aggregated"}

        assert [found.decision.by] * gone == takers
        deciding = [step for step in found.steps if step.state == "held"]
        assert not gone or deciding[-1].rule.name == takers[0] or len(takers) > 1
