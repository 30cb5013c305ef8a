"""Events are cut out of spans that stay."""

from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.otlp import traces
from tests.support.otlp_requests import nested
from tests.support.rule_sets import applied, counts, items_in, names_in
from tests.support.rule_writing import rule

LUCKY = b"t" * 9 + b"\xff" * 7


def with_events(name: str, *events: str, **fields: Any) -> Span:
    made = Span(name=name, **fields)
    for event in events:
        made.events.add(name=event)
    return made


def events_in(payload: bytes) -> list[list[str]]:
    return [[event.name for event in item.events] for item in items_in("traces", payload)]


def test_events_are_cut_out_of_spans_that_stay() -> None:
    payload = traces(
        with_events("alpha", "noise", "exception", "noise"),
        with_events("beta", "exception"),
        with_events("gamma", "noise"),
        with_events("delta"),
    )

    outcome = applied("traces", payload, rule("r", spanevent='name == "noise"'))

    assert events_in(outcome.payload) == [["exception"], ["exception"], [], []]
    did = counts(outcome.account)["r"]
    assert (did.events, did.removed, outcome.account.kept) == (3, 0, 4)


def test_the_rest_of_a_span_whose_events_are_cut_is_as_it_came() -> None:
    unknown = b"\xfa\x3e\x03new"
    item = with_events("alpha", "noise", trace_id=LUCKY).SerializeToString() + unknown

    left = applied("traces", nested(item, 1, 2, 2), rule("r", spanevent='name == "noise"'))

    expected = Span(name="alpha", trace_id=LUCKY).SerializeToString() + unknown
    assert left.payload == nested(expected, 1, 2, 2)


def test_events_may_be_chosen_by_all_that_is_above_them() -> None:
    condition = (
        'name == "noise" and attributes["n"] == 1 and span.name == "alpha"'
        ' and resource.attributes["service.name"] == "shop" and scope.name == "lib"'
    )
    chosen, other = with_events("alpha", "noise", "noise"), with_events("beta", "noise")
    chosen.events[1].attributes.add(key="n").value.int_value = 1
    other.events[0].attributes.add(key="n").value.int_value = 1
    payload = traces(chosen, other) + traces(chosen, resource={"service.name": "bank"})

    outcome = applied("traces", payload, rule("r", spanevent=condition))

    assert events_in(outcome.payload) == [["noise"], ["noise"], ["noise", "noise"]]


def test_a_condition_on_events_that_reads_none_holds_for_all_of_them() -> None:
    rules = rule("r", spanevent='span.name == "alpha"')

    outcome = applied(
        "traces", traces(with_events("alpha", "x", "y"), with_events("beta", "x")), rules
    )

    assert events_in(outcome.payload) == [[], ["x"]]


def test_events_are_known_by_their_place_too() -> None:
    outcome = applied(
        "traces",
        traces(with_events("alpha", "x", "y", "z")),
        rule("r", spanevent="event_index > 0"),
    )

    assert events_in(outcome.payload) == [["x"]]


def test_each_event_is_counted_for_the_first_rule_that_cuts_it() -> None:
    rules = [
        rule("one", spanevent=['name == "x"', 'name == "y"']),
        rule("two", spanevent='name != "z"'),
        rule("three", spanevent='name == "none"'),
    ]

    outcome = applied("traces", traces(with_events("alpha", "x", "y", "z", "w")), *rules)

    assert events_in(outcome.payload) == [["z"]]
    assert {name: each.events for name, each in counts(outcome.account).items()} == {
        "one": 2,
        "two": 1,
    }


def test_a_rule_in_shadow_counts_events_and_leaves_them_to_the_next() -> None:
    shadow = rule("shadow", spanevent=['name != "z"', 'name == "x"'], shadow=True)
    live = rule("live", spanevent='name == "x"')
    payload = traces(with_events("alpha", "x", "y", "z"))

    alone = applied("traces", payload, shadow)
    both = applied("traces", payload, shadow, live)

    assert alone.payload is payload
    assert counts(alone.account)["shadow"].events == 2
    assert events_in(both.payload) == [["y", "z"]]
    assert {name: each.events for name, each in counts(both.account).items()} == {
        "shadow": 2,
        "live": 1,
    }


def test_events_of_a_span_that_goes_are_nobodys_matter() -> None:
    rules = [rule("cuts", spanevent='name == "x"'), rule("takes", span='name == "alpha"')]

    outcome = applied("traces", traces(with_events("alpha", "x"), with_events("beta", "x")), *rules)

    assert events_in(outcome.payload) == [[]]
    assert counts(outcome.account)["cuts"].events == 1


def test_a_rule_that_keeps_a_span_keeps_its_events_from_later_rules() -> None:
    early, late = (rule(name, spanevent=f'name == "{name}"') for name in ("early", "late"))
    keeps = rule("keeps", "keep", span="true")

    outcome = applied("traces", traces(with_events("alpha", "early", "late")), early, keeps, late)

    assert events_in(outcome.payload) == [["late"]]


def test_a_span_that_is_sampled_may_lose_events_too() -> None:
    cuts = rule("cuts", spanevent='name == "x"', priority=1)
    payload = traces(with_events("alpha", "x", "y", trace_id=LUCKY))

    outcome = applied("traces", payload, rule("samples", "sample", percent=50, span="true"), cuts)

    (left,) = items_in("traces", outcome.payload)
    assert left.trace_state == "ot=th:8"
    assert [event.name for event in left.events] == ["y"]


def test_one_rule_may_take_spans_and_events() -> None:
    both = rule("r", span='name == "beta"', spanevent='name == "x"')

    outcome = applied("traces", traces(with_events("alpha", "x"), with_events("beta", "x")), both)

    assert names_in("traces", outcome.payload) == ["alpha"]
    assert events_in(outcome.payload) == [[]]


def test_a_condition_on_events_that_raises_keeps_them_and_is_counted() -> None:
    rules = [rule("bad", spanevent="Int(name) > 1 / 0"), rule("good", spanevent='name == "x"')]

    outcome = applied("traces", traces(with_events("alpha", "x", "y")), *rules)

    assert events_in(outcome.payload) == [["y"]]
    assert counts(outcome.account)["bad"].errors == 2
