"""The committed template as these tests read it: no node, no synthesis."""

from functools import cache
from typing import Any

import yaml

from infra.paths import TEMPLATE

Resource = dict[str, Any]


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    return loaded


def resources(kind: str) -> dict[str, Resource]:
    found = {k: r for k, r in template()["Resources"].items() if r["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found


def properties(logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = template()["Resources"][logical_id]["Properties"]
    return found


def name_of(joined: Any) -> str:
    """Return what follows the stack's name in a physical name."""
    return str(joined["Fn::Join"][1][-1])


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a policy's statements, conditional ones included."""
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for statement in document["Statement"]
    ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
