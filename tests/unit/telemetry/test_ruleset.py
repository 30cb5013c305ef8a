"""Which rule decides about an item, and what is left of a request."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reflexarc.engines.otlp.framing import framed
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.model import RuleCount
from reflexarc.telemetry.rules import Rule
from reflexarc.telemetry.ruleset import SIGNALS, RuleSet, conditions_of
from tests.support.otlp import gauge, logs, metrics, record, span, traces
from tests.support.otlp_items import REQUESTS, ItemWriter
from tests.support.rule_sets import applied, compiled, counts, items_in, names_in
from tests.support.rule_writing import TODAY, rule

ABC = traces(span(1, "alpha"), span(2, "beta"), span(3, "gamma"))
NAME_A = 'name == "alpha"'


def named(action: str, name: str, **more: Any) -> Rule:
    """Return a rule over all spans, named as it is."""
    return rule(name, action, span="true", **more)


# What is kept


def test_what_no_rule_holds_for_comes_back_as_the_very_bytes() -> None:
    outcome = applied("traces", ABC, rule("r", span='name == "delta"'))

    assert outcome.payload is ABC
    assert outcome.account.rules == ()
    assert outcome.account.kept == outcome.account.received == 3


def test_without_rules_everything_stays_and_is_counted() -> None:
    for signal, payload in (
        ("traces", ABC),
        ("metrics", metrics()),
        ("logs", logs(record("alpha"))),
    ):
        assert applied(signal, payload).payload is payload  # type: ignore[arg-type]


def test_what_a_rule_holds_for_goes_and_is_counted() -> None:
    outcome = applied("traces", ABC, rule("r", span=[NAME_A, 'name == "gamma"']))

    # With their tags and lengths, of one byte each.
    size = sum(2 + span(n, name).ByteSize() for n, name in ((1, "alpha"), (3, "gamma")))
    assert names_in("traces", outcome.payload) == ["beta"]
    assert counts(outcome.account) == {
        "r": RuleCount(rule="r", action="drop", matched=2, removed=2, size=size)
    }


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("odd", [0, 0.4])
def test_what_stays_stays_byte_for_byte(signal: OtlpSignal, odd: float) -> None:
    conditions: dict[str, Any] = {
        "traces": {"span": ['IsMatch(name, "^[a-u]")', 'attributes["tenant"] == "umbrella"']},
        "metrics": {"metric": ['IsMatch(name, "^[a-u]")']},
        "logs": {"log_record": ["severity_number < 10", 'attributes["tenant"] == "umbrella"']},
    }[signal]
    rules = compiled([rule("r", **conditions)])
    gone = 0
    for seed in range(60):
        payload = ItemWriter(seed, odd=odd).request(signal)
        judgement = rules.judge(signal, payload)
        left = rules.apply(signal, payload).payload

        parts, after = framed(payload), framed(left)
        taken = {item for item, change in judgement.changed.items() if change is None}
        gone += len(taken)
        assert [after.item(n) for n in range(len(after.starts))] == [
            parts.item(n) for n in range(len(parts.starts)) if n not in taken
        ]
        survivors = [
            (resource.rest, scope.rest)
            for resource in parts.resources
            for scope in resource.scopes
            if scope.first == scope.last or not taken.issuperset(range(scope.first, scope.last))
        ]
        assert [(r.rest, s.rest) for r in after.resources for s in r.scopes] == survivors
    assert gone > 20


def test_fields_of_no_schema_stay_where_items_go() -> None:
    unknown = b"\xfa\x3e\x03new"  # field 1007
    item = span(2, "beta").SerializeToString() + unknown
    request = REQUESTS["traces"].FromString(ABC)
    request.resource_spans[0].scope_spans[0].spans.add().ParseFromString(item)

    left = applied("traces", request.SerializeToString() + unknown, rule("r", span=NAME_A))

    assert left.payload.count(unknown) == 2
    assert items_in("traces", left.payload)[-1].SerializeToString() == item


def test_scopes_and_resources_that_lose_everything_go_and_those_that_came_empty_stay() -> None:
    request = REQUESTS["traces"]()
    for name, spans in (("gone", ["alpha"] * 2), ("half", ["alpha", "beta"]), ("empty", [])):
        resource = request.resource_spans.add(schema_url=name)
        resource.scope_spans.add(schema_url=name).spans.extend(Span(name=each) for each in spans)
        resource.scope_spans.add(schema_url=f"{name} too").spans.add(name="alpha")
    request.resource_spans.add(schema_url="bare")

    left = REQUESTS["traces"].FromString(
        applied("traces", request.SerializeToString(), rule("r", span=NAME_A)).payload
    )

    assert [resource.schema_url for resource in left.resource_spans] == ["half", "empty", "bare"]
    scopes = [scope.schema_url for each in left.resource_spans for scope in each.scope_spans]
    assert scopes == ["half", "empty"]


def test_a_batch_that_loses_everything_is_empty() -> None:
    outcome = applied("traces", ABC, rule("r", span="true"))

    assert outcome.payload == b""
    assert outcome.account.kept == 0


# Whose turn it is


def test_the_first_rule_by_priority_decides_and_among_equals_the_first_by_place() -> None:
    rules = [named("drop", "late", priority=200), named("drop", "one"), named("drop", "other")]

    outcome = applied("traces", ABC, *rules)
    early = applied("traces", ABC, *rules, named("drop", "early", priority=0))

    assert {name: each.removed for name, each in counts(outcome.account).items()} == {"one": 3}
    assert {name: each.removed for name, each in counts(early.account).items()} == {"early": 3}


def test_whoever_finds_an_item_the_rule_whose_turn_it_is_decides() -> None:
    """No index finds what one of them wants, one finds what the other wants."""
    asked, found = rule("asked", span='name != "beta"'), rule("found", span=NAME_A)

    both = [applied("traces", ABC, *rules) for rules in ((asked, found), (found, asked))]

    assert [
        {name: each.removed for name, each in counts(outcome.account).items()} for outcome in both
    ] == [{"asked": 2}, {"found": 1, "asked": 1}]


def test_counts_stand_in_the_order_in_which_rules_are_asked() -> None:
    rules = [
        rule("second", span='name == "beta"'),
        rule("first", span='name == "gamma"', priority=1),
        rule("third", span=NAME_A),
    ]

    account = applied("traces", ABC, *rules).account

    assert [each.rule for each in account.rules] == ["first", "second", "third"]


def test_a_rule_that_keeps_ends_the_asking() -> None:
    keeps = rule("keeps", "keep", span=[NAME_A, 'name == "beta"'], priority=1)

    outcome = applied("traces", ABC, named("drop", "all"), keeps)

    assert names_in("traces", outcome.payload) == ["alpha", "beta"]
    assert counts(outcome.account)["keeps"] == RuleCount(rule="keeps", action="keep", matched=2)
    assert counts(outcome.account)["all"].matched == 1


@pytest.mark.parametrize("action", ["drop", "sample"])
def test_a_rule_in_shadow_counts_and_leaves_the_item_to_the_next(action: str) -> None:
    more = {"percent": 1} if action == "sample" else {}
    shadow = named(action, "shadow", shadow=True, **more)

    alone = applied("traces", ABC, shadow)
    before = applied("traces", ABC, shadow, rule("live", span=NAME_A))

    assert alone.payload is ABC
    did = counts(alone.account)["shadow"]
    assert (did.matched, did.shadowed, did.removed, did.size) == (3, 3, 0, 0)
    assert names_in("traces", before.payload) == ["beta", "gamma"]
    assert counts(before.account)["live"].removed == 1


def test_a_rule_in_shadow_keeps_nothing() -> None:
    shadow = named("keep", "shadow", shadow=True)

    outcome = applied("traces", ABC, shadow, named("drop", "all"))

    assert outcome.payload == b""
    assert counts(outcome.account)["shadow"] == RuleCount(rule="shadow", action="keep", matched=3)


def test_two_conditions_of_a_rule_count_an_item_once() -> None:
    shadow = rule("shadow", span=["true", NAME_A, 'name != "z"'], shadow=True)

    did = counts(applied("traces", ABC, shadow, named("drop", "all")).account)

    assert (did["shadow"].matched, did["shadow"].shadowed, did["all"].removed) == (3, 3, 3)


def test_a_rule_does_nothing_after_its_last_day() -> None:
    ends = rule("r", span="true", expires=TODAY.isoformat())

    def kept(today: date) -> int:
        return RuleSet([ends], version=1, today=today).apply("traces", ABC).account.kept

    assert [kept(TODAY + timedelta(days)) for days in (-1, 0, 1)] == [0, 0, 3]


def test_a_rule_that_has_expired_may_be_of_no_use_any_more() -> None:
    old = Rule.model_validate(
        rule("r", span="true").model_dump() | {"expires": "2026-01-01", "filter": {"traces": 1}}
    )

    assert compiled([old]).apply("traces", ABC).payload is ABC


def test_rules_of_other_signals_are_not_asked() -> None:
    rules = [rule("logs", log_record="true"), rule("metrics", metric="true")]

    assert applied("traces", ABC, *rules).payload is ABC
    assert applied("logs", logs(record("alpha")), *rules).account.removed == 1
    assert applied("metrics", metrics(gauge("alpha", (1.0, {}))), *rules).account.removed == 1


def test_one_rule_may_be_of_several_signals() -> None:
    of_all = rule("r", span=NAME_A, log_record='body == "alpha"', metric=NAME_A)

    outcomes = [
        applied("traces", ABC, of_all),
        applied("logs", logs(record("alpha"), record("beta")), of_all),
        applied("metrics", metrics(gauge("alpha", (1.0, {})), gauge("beta", (1.0, {}))), of_all),
    ]

    assert [outcome.account.removed for outcome in outcomes] == [1, 1, 1]


# Conditions on what items share


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ('resource.attributes["service.name"] == "shop"', 2),
        ('resource.attributes["service.name"] == "shop" and name != ""', 2),
        ('resource.attributes["service.name"] == "shop" and scope.name == "x"', 1),
        ('scope.name == "x" and resource.attributes["service.name"] != "bank"', 1),
        (
            'Concat([resource.attributes["service.name"], scope.name, name], "") == "shopxalpha"',
            1,
        ),
    ],
)
def test_conditions_may_read_the_resource_and_the_scope(condition: str, taken: int) -> None:
    payload = b"".join(
        traces(span(1, "alpha"), resource={"service.name": service}, scope=scope)
        for service, scope in (("shop", "x"), ("shop", "y"), ("bank", "x"))
    )

    assert applied("traces", payload, rule("r", span=condition)).account.removed == taken


def test_a_condition_on_resources_goes_for_all_their_items() -> None:
    block = {"traces": {"resource": ['attributes["service.name"] == "shop"']}}
    mixed = ABC + traces(span(4, "delta"), resource={"service.name": "bank"})

    left = applied("traces", mixed, rule("r", filter=block))

    assert names_in("traces", left.payload) == ["delta"]


# What cannot be used


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"metric": "true", "action": "sample", "percent": 5}, "r: metrics cannot be sampled"),
        (
            {"span": "true", "action": "aggregate", "aggregate": {"keep": ["alpha"]}},
            "r: only metrics can be aggregated",
        ),
        (
            {"log_record": "true", "action": "aggregate", "aggregate": {"keep": ["alpha"]}},
            "r: only metrics can be aggregated",
        ),
        ({"spanevent": "true", "action": "keep"}, "r: span events can be dropped or redacted"),
        ({"span": 'nmae == "alpha"'}, "traces.span: span has no field nmae"),
        ({"span": 'IsMatch(name, "(")'}, "IsMatch"),
        ({"span": "name =="}, "traces.span"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(stated: dict[str, Any], reason: str) -> None:
    with pytest.raises(Rejected, match=reason.replace("(", r"\(")):
        compiled([rule("r", **stated)])


def test_a_list_without_conditions_is_no_use_of_an_action() -> None:
    block = {"metrics": {"metric": []}, "traces": {"span": [NAME_A]}}
    samples = rule("r", "sample", percent=50, filter=block)

    assert applied("metrics", metrics(gauge("alpha", (1.0, {}))), samples).account.removed == 0


# Blocks of the Collector


LISTS: Mapping[str, Any] = {
    "error_mode": "ignore",
    "traces": {"span": [NAME_A, 'attributes["n"] == 1'], "spanevent": ['name == "noise"']},
    "metrics": {"metric": [NAME_A], "datapoint": ['attributes["n"] == 1']},
    "logs": {"log_record": ['IsMatch(body, "^alpha$")', 'attributes["n"] == 1']},
}
PATHS: Mapping[str, Any] = {
    "error_mode": "ignore",
    "trace_conditions": [
        'span.name == "alpha"',
        'span.attributes["n"] == 1',
        'spanevent.name == "noise"',
    ],
    "metric_conditions": ['metric.name == "alpha"', 'datapoint.attributes["n"] == 1'],
    "log_conditions": [
        {"context": "log", "conditions": ['IsMatch(body, "^alpha$")']},
        {"conditions": ['log.attributes["n"] == 1']},
    ],
}


def with_noise(name: str) -> Span:
    noisy = span(9, name)
    for event in ("noise", "exception"):
        noisy.events.add(name=event)
    return noisy


@pytest.mark.parametrize("block", [LISTS, PATHS], ids=["lists", "paths"])
@pytest.mark.parametrize("above", [(), ("filter",), ("processors", "filter/cheap")])
def test_a_block_of_the_collector_is_pasted_as_it_is(
    block: Mapping[str, Any], above: Sequence[str]
) -> None:
    pasted = dict(block)
    for name in reversed(above):
        pasted = {name: pasted}
    pasted_rule = rule("r", filter=pasted)

    spans = applied(
        "traces", traces(span(1, "alpha"), span(2, n=1), with_noise("beta")), pasted_rule
    )
    points = applied(
        "metrics",
        metrics(gauge("alpha", (1.0, {})), gauge("beta", (1.0, {"n": 1}), (2.0, {"n": 2}))),
        pasted_rule,
    )
    records = applied(
        "logs", logs(record("alpha"), record("beta", n=1), record("beta")), pasted_rule
    )

    (noisy,) = items_in("traces", spans.payload)
    assert [event.name for event in noisy.events] == ["exception"]
    assert names_in("metrics", points.payload) == ["beta"]
    assert points.account.removed == records.account.removed == 2


def test_conditions_are_told_by_signal() -> None:
    found = conditions_of(rule("r", filter=LISTS))

    assert {signal: [each.context for each in said] for signal, said in found.items()} == {
        "traces": ["span", "span", "spanevent"],
        "metrics": ["metric", "datapoint"],
        "logs": ["log", "log"],
    }


# Many rules


def test_of_ten_thousand_rules_the_one_that_holds_decides() -> None:
    literals = [rule(f"r{n}", span=f'attributes["tenant"] == "tenant-{n}"') for n in range(10_000)]
    payload = traces(span(1, "alpha", tenant="tenant-7777"), span(2, "beta", tenant="tenant-10001"))
    rules = compiled(literals)

    outcome = rules.apply("traces", payload)

    assert names_in("traces", outcome.payload) == ["beta"]
    assert [(each.rule, each.removed) for each in outcome.account.rules] == [("r7777", 1)]
    assert rules.apply("traces", payload) == outcome
