"""A clause asks only what an item calls for, and remembers within bounds."""

from collections import Counter
from typing import Any

import pytest

from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.telemetry.plan import clauses
from reflexarc.telemetry.plan.clauses import Answers, Clause, nothing


class Asked:
    """A test that counts how often it is asked."""

    def __init__(self, answer: bool | None = True) -> None:  # noqa: FBT001, FBT002 - what it says
        self.answer = answer
        self.asked: list[Any] = []

    def __call__(self, *about: Any) -> bool:
        self.asked.append(about)
        if self.answer is None:
            raise EvaluationError("no answer")
        return self.answer


def decoded(resource: bytes) -> str:
    return resource.decode()


def test_a_resource_is_asked_of_once_by_each_clause() -> None:
    first, second, answers = Asked(), Asked(answer=False), Answers()
    one, other = (
        Clause(n, on_resource=[test], answers=answers) for n, test in enumerate((first, second))
    )

    for _ in range(3):
        assert [each.alive(b"a", decoded) for each in (one, other)] == [True, False]
    assert one.alive(b"b", decoded)

    assert (first.asked, second.asked) == ([("a",), ("b",)], [("a",)])


def test_what_asks_nothing_of_the_resource_needs_none() -> None:
    assert Clause(0).alive(b"\xff", decoded)
    assert Clause(0).shared is None


@pytest.mark.parametrize("unsure", [False, True])
def test_what_raises_is_counted_each_time_and_doubt_is_the_answer(unsure: bool) -> None:  # noqa: FBT001 - a parameter of the test
    raising, errors = Asked(None), Counter[int]()
    clause = Clause(
        3, on_resource=[raising], on_scope=[raising], part=raising, errors=errors, unsure=unsure
    )

    answers = [
        *(clause.alive(b"a", decoded) for _ in range(2)),
        clause.in_scope("scope"),
        clause.holds_for("item", 0),
    ]

    assert answers == [unsure] * 4
    assert errors == {3: 4}
    assert len(raising.asked) == 3  # that of the resource is remembered


def test_all_that_is_remembered_is_forgotten_before_it_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clauses, "REMEMBERED", 5_000)
    answers = Answers()

    first = answers.of(b"first")
    assert answers.of(b"first") is first
    for n in range(20):
        answers.of(b"%d" % n)

    assert answers.of(b"first") is not first
    assert answers.of(b"19") is answers.of(b"19")


def test_answers_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clauses, "REMEMBERED", 1_000)
    test, answers = Asked(), Answers()
    known = answers.of(b"a")

    for n in range(12):
        assert Clause(n, on_resource=[test], answers=answers).alive(b"a", decoded)

    assert answers.of(b"a") is not known
    assert len(known) < 12


def test_a_resource_larger_than_all_that_is_remembered_is_judged_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clauses, "REMEMBERED", 10)
    clause = Clause(0, on_resource=[Asked()])

    assert [clause.alive(b"a" * 20, decoded), clause.alive(b"b" * 20, decoded)] == [True, True]


def test_tests_are_made_when_an_item_first_calls_for_them() -> None:
    made: list[str] = []

    def make(name: str) -> Any:
        made.append(name)
        return Asked()

    clause = Clause(0, make_header=lambda: make("header"), make_rest=lambda: make("rest"))
    assert made == []

    assert clause.holds(None, nothing, None)
    assert clause.holds(None, nothing, None)
    assert made == ["rest"]

    assert clause.header is clause.header
    assert made == ["rest", "header"]


def test_a_clause_without_tests_holds() -> None:
    clause = Clause(0)

    assert clause.header is None
    assert clause.holds(None, nothing, None)
    assert clause.holds_for_any(None)
