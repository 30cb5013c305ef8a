"""Runs OTTL cases: `python -m tests.conformance.ottl FILE` prints what each gives, as JSON lines.

The format is that of the shared cases (OTTL.md beside them); fixtures lie beside FILE.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from reflexarc.engines.ottl.check import check, check_patterns
from reflexarc.engines.ottl.compile import Compiled, compile_condition
from reflexarc.engines.ottl.contexts import ENUMS
from reflexarc.engines.ottl.filter_config import parse_filter
from reflexarc.engines.ottl.filtering import ConditionSequence, apply_filters
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.values import EvaluationError
from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.kernel.errors import Rejected
from tests.conformance.ottl_telemetry import events_kept, kept, messages, request

Row = Mapping[str, Any]
FIXTURES = "ottl_fixtures.json"

# The Collector's own parser tests have an enum that no context has.
_TEST_ENUMS = {"TEST_ENUM": 0, "TEST_ENUM_ONE": 1, "TEST_ENUM_TWO": 2}
_LISTS = {"traces": "trace_conditions", "metrics": "metric_conditions", "logs": "log_conditions"}


class _AnyEnum(dict[str, int]):
    """Enums of every name: to the grammar alone they are all known."""

    def __missing__(self, _: str) -> int:
        return 0


def run(row: Row, fixtures: Mapping[str, Row]) -> Any:
    """Return what a case gives; None where the kind of case is not run."""
    kinds = {"eval": _eval, "parse": _parse, "sequence": _sequence, "filter": _filter}
    runner = kinds.get(row["kind"])
    if runner is None:
        return None
    try:
        return runner(row, fixtures)
    except (Rejected, EvaluationError):
        return "error"


def _compiled(text: str, context: str) -> Compiled:
    tree = parse(text, context, {**ENUMS.get(context, {}), **_TEST_ENUMS})
    check(tree, context, text)
    return compile_condition(tree, PlainPaths(context))


def _given(row: Row, fixtures: Mapping[str, Row]) -> Row:
    given = row["input"]
    return fixtures[given] if isinstance(given, str) else cast("Row", given)


def _eval(row: Row, fixtures: Mapping[str, Row]) -> bool:
    condition = _compiled(row["condition"], row["context"])
    return condition.holds(*messages(row["context"], _given(row, fixtures)))


def _parse(row: Row, _: Mapping[str, Row]) -> str:
    text = row["condition"]
    if context := row.get("context"):
        _compiled(text, context)
    else:
        check_patterns(parse(text, "", _AnyEnum()), text)
    return "ok"


def _sequence(row: Row, fixtures: Mapping[str, Row]) -> bool:
    compiled = [_compiled(text, row["context"]) for text in row["conditions"]]
    sequence = ConditionSequence(compiled, row["error_mode"])
    given = messages(row["context"], _given(row, fixtures))
    return sequence.holds(*given, all_of=row["logic"] == "and")


def filtered(row: Row, fixtures: Mapping[str, Row]) -> tuple[OtlpSignal, Any]:
    """Return the signal of a filter case and what is left of its request."""
    named = row.get("fixture", row.get("input"))
    fixture = fixtures[named] if isinstance(named, str) else named
    signal: OtlpSignal = fixture["signal"]
    groups = []
    for (context, mode), listed in groupby(
        row["conditions"], lambda each: (each.get("context"), each.get("error_mode"))
    ):
        group = {"conditions": [each["condition"] for each in listed]}
        group |= {"context": context} if context else {}
        group |= {"error_mode": mode} if mode else {}
        groups.append(group)
    config = parse_filter({"error_mode": row["error_mode"], _LISTS[signal]: groups})
    made = request(fixture)
    apply_filters(signal, config.groups[signal], made)
    return signal, made


def _filter(row: Row, fixtures: Mapping[str, Row]) -> list[str]:
    signal, made = filtered(row, fixtures)
    return kept(signal, made)


def filtered_events(row: Row, fixtures: Mapping[str, Row]) -> list[str]:
    """Return the span events that a filter case leaves."""
    return events_kept(filtered(row, fixtures)[1])


def load(file: Path) -> tuple[list[Row], Mapping[str, Row]]:
    """Return the cases of a file and the fixtures beside it."""
    beside = file.parent / FIXTURES
    fixtures = json.loads(beside.read_text("utf-8")) if beside.is_file() else {}
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    return rows, fixtures


def answers(file: Path) -> Iterator[dict[str, Any]]:
    """Yield what each case gives."""
    rows, fixtures = load(file)
    for row in rows:
        got = run(row, fixtures)
        if got is not None:
            yield {"id": row["id"], "got": got}


if __name__ == "__main__":
    for answer in answers(Path(sys.argv[1])):
        sys.stdout.write(json.dumps(answer) + "\n")
