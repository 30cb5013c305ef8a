"""What a document changes of the one before."""

from typing import Any

import pytest

from reflexarc.telemetry.changes import Change, changes
from tests.support.rule_writing import stated

A, B, C = (stated(name, span=f'name == "{name}"') for name in "abc")


def document(*rules: Any, **more: Any) -> dict[str, Any]:
    return {"rules": list(rules), **more}


def test_documents_that_say_the_same_differ_in_nothing() -> None:
    assert changes(document(A, B), document(A, dict(reversed(B.items())))) == ()


def test_rules_are_added_removed_and_changed_part_by_part() -> None:
    changed = B | {"action": "keep", "priority": 5}

    assert changes(document(A, B), document(changed, C)) == (
        Change("changed", "rule b", ("action", "priority")),
        Change("added", "rule c"),
        Change("removed", "rule a"),
    )


def test_the_order_counts_for_rules_that_stay() -> None:
    assert changes(document(A, B, C), document(C, A)) == (
        Change("removed", "rule b"),
        Change("changed", "the order of rules"),
    )


def test_other_settings_are_told_by_name() -> None:
    old = document(redaction={"content": "keep"}, archive=False)
    new = document(redaction={"content": "remove"}, backends=[])

    assert changes(old, new) == (
        Change("removed", "archive"),
        Change("added", "backends"),
        Change("changed", "redaction"),
    )


@pytest.mark.parametrize("old", [None, [], {}, {"rules": None}, {"rules": ["x"]}])
def test_what_was_never_a_document_has_no_rules(old: object) -> None:
    assert changes(old, document(A)) == (Change("added", "rule a"),)
