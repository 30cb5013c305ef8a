"""Attributes are read of the items for which they matter, and of no more at a time than fit."""

from collections.abc import Sequence
from typing import Any

import pytest

from reflexarc.engines.otlp.framing import framed
from reflexarc.engines.ottl.parser import parse
from reflexarc.telemetry.plan import items
from reflexarc.telemetry.plan.guarding import Judged
from reflexarc.telemetry.plan.items import BATCHES_WITHOUT, MANY_LOOKS, ItemPlan
from reflexarc.telemetry.plan.planning import Guarding, Stated, plan_of
from tests.support.otlp import span, traces

NO_ACME = 'attributes["tenant"] != "acme"'
MANY = MANY_LOOKS + 100


def plan(*texts: str, guards: Sequence[str] = ()) -> ItemPlan:
    stated = [Stated(n, "span", parse(text, "span")) for n, text in enumerate(texts)]
    guarding = [Guarding("who", Stated(0, "span", parse(text, "span"))) for text in guards]
    return plan_of("traces", stated, guarding)


def judged(made: ItemPlan, payload: bytes) -> list[Judged]:
    hits = made.hits(payload)
    assert hits is not None
    return list(made.judged(framed(payload), hits))


def looked_at(made: ItemPlan, payload: bytes) -> list[int]:
    """Return the items whose attributes were read."""
    return [item for item, _, find, _, _ in judged(made, payload) if find is not None]


def spans(number: int, *, acme: Sequence[int] = (), **other: Any) -> bytes:
    return traces(
        *(span(1, tenant="acme") if n in acme else span(1, **other) for n in range(number))
    )


def test_attributes_are_read_where_what_must_not_be_there_may_be() -> None:
    payload = spans(MANY, acme=(3, 70))

    assert looked_at(plan(NO_ACME), payload) == [3, 70]
    assert len(judged(plan(NO_ACME), payload)) == MANY


def test_attributes_are_read_where_a_guard_may_hold() -> None:
    made = plan(NO_ACME, guards=['attributes["code"] >= 500'])
    payload = traces(*(span(1, code=500 if n in {5, 6} else 200) for n in range(MANY)))

    assert looked_at(made, payload) == [5, 6]


@pytest.mark.parametrize(
    ("texts", "guards"),
    [
        (['attributes["tenant"] == "x" or name != ""'], []),
        ([NO_ACME], ['attributes["tenant"] != "acme"']),
        ([NO_ACME], ["trace_id.string == name"]),
    ],
)
def test_attributes_are_read_of_all_where_only_a_look_tells(
    texts: list[str], guards: list[str]
) -> None:
    assert len(looked_at(plan(*texts, guards=guards), spans(MANY))) == MANY


def test_attributes_of_few_items_are_read_without_asking() -> None:
    assert len(looked_at(plan(NO_ACME), spans(MANY_LOOKS - 1))) == MANY_LOOKS - 1


def test_what_asks_nothing_of_attributes_needs_no_look() -> None:
    assert looked_at(plan('name != "other"'), spans(MANY)) == []


def test_where_most_looks_are_due_they_are_not_asked_for_a_while() -> None:
    made, due, spared = plan(NO_ACME), spans(MANY, acme=range(MANY)), spans(MANY)

    assert len(looked_at(made, due)) == MANY
    assert made.in_vain == BATCHES_WITHOUT
    unasked = [len(looked_at(made, spared)) for _ in range(BATCHES_WITHOUT)]
    assert unasked == [MANY] * BATCHES_WITHOUT
    assert looked_at(made, spared) == []


def test_items_come_in_their_order_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "AT_ONCE", 7)
    payload = spans(10) + spans(3) + spans(20)

    found = judged(plan('name != "other"'), payload)

    assert [item for item, *_ in found] == list(range(33))
    assert [whole.number for _, _, _, whole, _ in found] == list(range(33))


def test_attributes_are_read_so_many_bytes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so few items at a time it is not asked which looks are due."""
    payload = spans(MANY, acme=(3,))
    whole = looked_at(plan(NO_ACME), payload)
    monkeypatch.setattr(items, "SIZE_AT_ONCE", len(payload) // 3)

    assert whole == [3]
    assert looked_at(plan(NO_ACME), payload) == list(range(MANY))


def test_only_the_bytes_of_items_that_are_read_count(monkeypatch: pytest.MonkeyPatch) -> None:
    every, other = plan(f'{NO_ACME} and name != "other"'), span(1, "other", text="x" * 500)
    payload = traces(*(each for _ in range(MANY) for each in (span(1), other)))
    monkeypatch.setattr(items, "SIZE_AT_ONCE", len(spans(MANY)))

    assert [item for item, *_ in judged(every, payload)] == list(range(0, 2 * MANY, 2))
    assert looked_at(every, payload) == []


def test_an_item_larger_than_is_read_at_a_time_is_read_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(items, "SIZE_AT_ONCE", 100)
    payload = traces(span(1, text="x" * 500), span(2), span(3, text="x" * 500), span(4, a="b"))

    assert looked_at(plan(NO_ACME), payload) == [0, 1, 2, 3]
    found = [find for _, _, find, _, _ in judged(plan(NO_ACME), payload)]
    assert [find is not None and find("a") is not None for find in found] == [False] * 3 + [True]


def test_no_more_items_are_read_than_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "AT_ONCE", 5)
    made, payload = plan("Int(name) > 1 / 0", 'name != "other"'), spans(20)
    hits = made.hits(payload)
    assert hits is not None

    found = made.judged(framed(payload), hits)
    next(found)

    # Plain fields of the first five were judged, and the first condition raised in each.
    assert made.errors == {0: 5}


def test_errors_are_those_of_the_last_request() -> None:
    made = plan("Int(name) > 1 / 0", 'name != "other"')

    counts = [(len(judged(made, spans(number))), made.errors.total()) for number in (3, 2, 0)]

    assert counts == [(3, 3), (2, 2), (0, 0)]


def test_many_clauses_are_found_by_the_index_however_few_items_there_are() -> None:
    texts = [f'attributes["tenant"] == "tenant-{n}"' for n in range(60)]
    payload = traces(span(1, tenant="tenant-7"), span(2, tenant="else"))

    assert [(item, list(numbers)) for item, *_, numbers in judged(plan(*texts), payload)] == [
        (0, [7])
    ]
    assert len(judged(plan(*texts[:10]), payload)) == 2


def test_clauses_that_a_resource_rules_out_are_not_asked() -> None:
    of_shop = 'resource.attributes["service.name"] == "shop" and name != "other"'
    payload = traces(span(1)) + traces(span(2), resource={"service.name": "bank"})

    found = judged(plan(of_shop, 'name != "other"'), payload)

    assert [list(numbers) for *_, numbers in found] == [[0, 1], [1]]


def test_a_clause_that_a_scope_rules_out_is_not_asked() -> None:
    of_lib = 'scope.name == "lib" and name != "other"'
    payload = traces(span(1), scope="lib") + traces(span(2), scope="other")

    assert [item for item, *_ in judged(plan(of_lib), payload)] == [0]
