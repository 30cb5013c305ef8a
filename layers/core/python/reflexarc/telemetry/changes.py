"""What a telemetry document changes of the one in force, rule by rule. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One rule, or one other setting, that is not as it was; `what` is which of its parts."""

    kind: str
    name: str
    what: tuple[str, ...] = ()


def changes(old: object, new: object) -> tuple[Change, ...]:
    """Return the changes between two documents as they were written, in the order of the new one.

    They are compared as JSON, so that a document of an older version needs no model to be read.
    """
    before, after = _mapping(old), _mapping(new)
    return (
        *_of_rules(_rules(before), _rules(after)),
        *(
            Change(_kind(before.get(key), after.get(key)), key)
            for key in sorted({*before, *after} - {"rules"})
            if before.get(key) != after.get(key)
        ),
    )


def _of_rules(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> Sequence[Change]:
    found = []
    for name, rule in after.items():
        if name not in before:
            found.append(Change("added", f"rule {name}"))
        elif rule != before[name]:
            parts = sorted({*rule, *before[name]})
            differing = tuple(part for part in parts if rule.get(part) != before[name].get(part))
            found.append(Change("changed", f"rule {name}", differing))
    found += [Change("removed", f"rule {name}") for name in before if name not in after]
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        found.append(Change("changed", "the order of rules"))
    return found


def _kind(before: object, after: object) -> str:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _mapping(document: object) -> Mapping[str, Any]:
    return document if isinstance(document, Mapping) else {}


def _rules(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    listed = document.get("rules")
    rules = [each for each in listed if isinstance(each, Mapping)] if listed else []
    return {str(rule.get("name")): rule for rule in rules}
