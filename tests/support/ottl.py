"""Judges a condition over telemetry that is written as rows, from its text to its answer."""

from pathlib import Path
from typing import Any

from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.compile import Compiled, compile_condition
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.plain import PlainPaths
from tests.conformance.ottl_telemetry import messages

CONDITIONS = Path(__file__).parents[1] / "unit" / "engines" / "ottl" / "conditions"
EMPTY: dict[str, Any] = {"log": {}, "span": {}, "datapoint": {}}


def conditions(name: str) -> list[str]:
    """Return the conditions of a file, one a line."""
    lines = (CONDITIONS / f"{name}.ottl").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def compiled(text: str, context: str = "log") -> Compiled:
    """Return a condition that is parsed, checked and compiled."""
    tree = parse(text, context)
    check(tree, context, text)
    return compile_condition(tree, PlainPaths(context))


def judge(text: str, context: str = "log", **given: Any) -> bool:
    """Return what a condition says of an item; its context's messages are given by name."""
    return compiled(text, context).holds(*messages(context, {**EMPTY, **given}))
