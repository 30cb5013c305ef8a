"""What a plan is made of, and that it makes nothing that no item calls for."""

import pytest

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.ottl.parser import parse
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.plan.guarding import Guards
from reflexarc.telemetry.plan.items import ItemPlan
from reflexarc.telemetry.plan.planning import Guarding, Stated, headers_of, plan_of
from tests.support.otlp import gauge, metrics, span, traces

CONTEXTS: dict[OtlpSignal, str] = {"traces": "span", "metrics": "metric", "logs": "log"}


def plan(
    *texts: str, signal: OtlpSignal = "traces", context: str = "", unsure: bool = False
) -> ItemPlan:
    where = context or CONTEXTS[signal]
    stated = [Stated(n, where, parse(text, where)) for n, text in enumerate(texts)]
    return plan_of(signal, stated, small=0, unsure=unsure)


def guarded(*texts: str) -> ItemPlan:
    guards = [Guarding("who", Stated(0, "span", parse(text, "span"))) for text in texts]
    return plan_of("traces", [Stated(0, "span", parse("true", "span"))], guards)


def judged(made: ItemPlan, payload: bytes) -> dict[int, list[int]]:
    """Return which clauses may still hold for each item."""
    hits = made.hits(payload)
    assert hits is not None
    return {item: list(numbers) for item, _, _, _, numbers in made.judged(framed(payload), hits)}


def test_of_ten_thousand_conditions_only_those_that_an_item_calls_for_are_made() -> None:
    texts = [f'attributes["tenant"] == "tenant-{n}" and name == "n"' for n in range(10_000)]
    made = plan(*texts)
    payload = traces(span(1, "n", tenant="tenant-7"), span(2, "n", tenant="tenant-8888"))

    found = judged(made, payload)

    assert found == {0: [7], 1: [8888]}
    called = [clause.rule for clause in made.clauses if vars(clause).keys() & {"header", "rest"}]
    assert called == [7, 8888]


def test_an_index_serves_what_wants_a_text_or_a_number_and_all_else_is_asked_everywhere() -> None:
    indexed = (
        'name == "chat"',
        'attributes["a"] == "chat"',
        'attributes["n"] >= 500',
        'attributes["a"] != nil',
    )
    asked = (
        'name != "chat"',
        "kind == 1",
        'resource.attributes["a"] == "b"',
        "trace_id.string == name",
    )

    assert plan(*indexed).everywhere == []
    assert plan(*asked).everywhere == [0, 1, 2, 3]
    assert plan(*asked[:1], *indexed, *asked[1:]).everywhere == [0, 5, 6, 7]


def test_a_text_tells_more_than_a_number_and_a_number_more_than_a_key() -> None:
    both = plan('attributes["n"] == 5 and attributes["a"] == "chat"')
    number = plan('attributes["n"] == 5 and attributes["a"] != nil')
    payload = traces(span(1, n=5, a="other"), span(2, n=6, a="chat"), span(3, n=5))

    assert sorted(judged(both, payload)) == [1]
    assert sorted(judged(number, payload)) == [0, 2]


def test_of_more_keys_than_are_worth_it_the_numbers_are_not_compared() -> None:
    made = plan(*(f'attributes["attribute.{n}"] > 5' for n in range(6)))
    few = plan(
        *(f'attributes["attribute.{n}"] > 5' for n in range(4)), 'attributes["attribute.0"] < 3'
    )
    payload = traces(span(1, attribute__0=4), span(2, attribute__5=4), span(3, attribute__0=6))

    assert judged(made, payload) == {1: [5], 2: [0]}
    assert judged(few, payload) == {2: [0]}


def test_numbers_of_points_are_found_by_their_key() -> None:
    made = plan('attributes["n"] > 5', signal="metrics", context="datapoint")
    payload = metrics(gauge("a", (1.0, {"n": 1})), gauge("b", (1.0, {"m": 9})))

    assert judged(made, payload) == {0: [0]}


def test_a_number_under_an_empty_key_is_asked_everywhere() -> None:
    assert plan('attributes[""] > 5').everywhere == [0]


def test_plain_fields_are_those_that_conditions_and_guards_read() -> None:
    made = guarded("status.code == 2")
    points = plan('name == "a" and unit == "b"', signal="metrics")

    assert made.headers == {"status.code"}
    assert {"name", "unit", "sum", "gauge"} <= points.headers
    assert headers_of(parse('attributes["a"] == name and scope.name == "b"', "span"), "traces") == {
        "name"
    }


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('attributes["a"] != "chat"', True),
        ('not IsMatch(attributes["a"], "chat") and name == "n"', True),
        ('attributes["a"] != "chat" and attributes["b"] != "chat"', True),
        ('attributes["a"] != "chat" and attributes["b"] == "chat"', False),
        ('attributes["a"] != "chat" and trace_id.string == "b"', False),
        ('attributes["a"] == "chat"', False),
        ('attributes["a"] != ""', True),
        ('attributes[""] != 5', False),
        ('name == "a"', False),
    ],
)
def test_what_must_not_be_there_is_known_without_a_look(text: str, known: bool) -> None:  # noqa: FBT001 - a parameter of the test
    (clause,) = plan(text).clauses

    assert (clause.doubts is not None) == known


@pytest.mark.parametrize(
    ("texts", "doubts"),
    [
        ((), 0),
        (("status.code == 2",), 0),
        (('attributes["a"] == "chat"',), 1),
        (('attributes["n"] >= 500', 'attributes["a"] == "chat"'), 2),
        (('attributes["a"] != "x" and attributes["b"] == "chat"',), 1),
        (('attributes["a"] != "chat"',), None),
        (('attributes["a"] == "chat"', "trace_id.string == name"), None),
    ],
)
def test_guards_say_when_a_look_is_due(texts: tuple[str, ...], doubts: int | None) -> None:
    found = guarded(*texts).guards.doubts

    assert (None if found is None else len(found)) == doubts
    assert Guards().doubts == frozenset()


def test_a_condition_on_events_is_asked_of_parts_whatever_it_reads() -> None:
    on_events = plan('name == "a"', 'span.name == "a"', context="spanevent")
    on_points = plan("value_int == 1", 'metric.name == "a"', signal="metrics", context="datapoint")

    assert [clause.part is None for clause in on_events.clauses] == [False, False]
    assert [clause.part is None for clause in on_points.clauses] == [False, True]


def test_doubt_is_passed_on_and_errors_are_counted_together() -> None:
    made = plan('name == "a"', 'name == "b"', unsure=True)

    assert [clause.failed() for clause in made.clauses] == [True, True]
    assert made.errors == {0: 1, 1: 1}
    assert not plan('name == "a"').clauses[0].unsure


def test_without_conditions_nothing_is_looked_for() -> None:
    assert plan().hits(traces(span(1))) is None
    assert plan('name == "chat"').hits(traces(span(1, "a"))) is None
    assert plan('name != "chat"').hits(b"") is not None
