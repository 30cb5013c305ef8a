"""Which conditions an item may meet by its bytes: each once, and where its resource lets it."""

from collections.abc import Sequence

import pytest

from reflexarc.engines.otlp.framing import ResourcePart, framed
from reflexarc.engines.ottl.parser import parse
from reflexarc.telemetry.plan import finding
from reflexarc.telemetry.plan.planning import Stated, plan_of
from tests.support.otlp import span, traces

OTHER = {"service.name": "text-of-one"}


def found(payload: bytes, *texts: str, dead: Sequence[int] = ()) -> dict[int, list[int]]:
    """Return for each item the conditions that it may meet; `dead` ones no resource lets hold."""
    plan = plan_of(
        "traces", [Stated(n, "span", parse(text, "span")) for n, text in enumerate(texts)]
    )

    def live(conditions: Sequence[int], _: ResourcePart) -> Sequence[int]:
        return [each for each in conditions if each not in dead]

    hits = plan.finder.index.hits(payload)
    return {
        item: list(conditions)
        for item, conditions in plan.finder.found(framed(payload), hits, live).items()
    }


def contains(text: str) -> str:
    return f'IsMatch(attributes["a"], "{text}")'


def test_an_item_may_meet_what_its_bytes_hold() -> None:
    payload = traces(span(1, a="text-of-one"), span(2, a="else"), span(3, a="text-of-two"))

    assert found(payload, contains("text-of-one"), contains("text-of-two")) == {0: [0], 2: [1]}


def test_a_text_that_comes_often_in_one_item_is_noted_once() -> None:
    texts = [contains(f"text-of-{name}") for name in ("one", "two", "six")]
    payload = traces(span(1, a="text-of-one text-of-two text-of-six " * 500))

    ((item, conditions),) = found(payload, *texts).items()

    assert (item, sorted(conditions)) == (0, [0, 1, 2])


def test_conditions_of_one_text_share_it_and_those_of_several_are_put_together() -> None:
    payload = traces(span(1, a="text-of-one text-of-two"), span(2, a="text-of-one"))
    texts = [contains(f"text-of-{name}") for name in ("one", "one", "two")]

    both = found(payload, *texts)

    assert {item: sorted(conditions) for item, conditions in both.items()} == {
        0: [0, 1, 2],
        1: [0, 1],
    }


def test_with_too_many_resources_and_texts_for_a_table_the_same_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = traces(span(1, a="text-of-two text-of-one"), span(2, a="text-of-six text-of-one"))
    texts = [contains(f"text-of-{name}") for name in ("one", "two", "six")]
    by_table = found(payload, *texts)

    monkeypatch.setattr(finding, "_TABLE_MAX", 0)

    assert found(payload, *texts) == by_table
    assert {item: sorted(conditions) for item, conditions in by_table.items()} == {
        0: [0, 1],
        1: [0, 2],
    }


def test_what_a_resource_rules_out_is_not_found() -> None:
    payload = traces(span(1, a="text-of-one text-of-two"))

    assert found(payload, contains("text-of-one"), dead=[0]) == {}
    assert found(payload, contains("text-of-one"), contains("text-of-two"), dead=[0]) == {0: [1]}


def test_what_stands_beside_items_is_no_matter() -> None:
    payload = traces(span(1, a="else"), resource=OTHER, scope="text-of-one")

    assert found(payload, contains("text-of-one")) == {}
    # The URL of a resource's schema stands behind its scopes.
    assert found(payload, contains("opentelemetry")) == {}
    assert found(b"", contains("text-of-one")) == {}


def test_items_are_found_in_the_resource_that_they_are_of() -> None:
    payload = (
        traces(span(1, a="text-of-one")) + traces() + traces(span(2), span(3, a="text-of-one"))
    )

    assert found(payload, contains("text-of-one")) == {0: [0], 2: [0]}


def test_numbers_add_to_what_texts_found() -> None:
    payload = traces(span(1, a="text-of-one", n=7), span(2, n=7), span(3, a="text-of-one", n=1))

    both = found(payload, contains("text-of-one"), 'attributes["n"] > 5')

    assert {item: sorted(conditions) for item, conditions in both.items()} == {
        0: [0, 1],
        1: [1],
        2: [0],
    }
    assert found(payload, 'attributes["n"] > 5', dead=[0]) == {}
