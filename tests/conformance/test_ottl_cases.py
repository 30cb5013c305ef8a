"""Every OTTL case of the case folder, and the command that prints what they give."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.ottl import filtered_events, load, run

ROOT = Path(__file__).parents[2]
CASES = Path(
    os.environ.get("REFLEXARC_CASES", ROOT / "../shared/data")  # noqa: TID251 - where cases lie
)
FILE = CASES / "ottl_cases.jsonl"

ROWS, FIXTURES = load(FILE) if FILE.is_file() else ([], {})
RUN = [row for row in ROWS if row["kind"] != "rewrite"]
needs_cases = pytest.mark.skipif(not ROWS, reason=f"no cases at {FILE}: set REFLEXARC_CASES")


def wanted(row: Any) -> Any:
    return row["expect_kept"] if row["kind"] == "filter" else row["expect"]


@needs_cases
@pytest.mark.parametrize("row", RUN, ids=lambda row: row["id"])
def test_a_case_gives_what_the_collector_gives(row: dict[str, Any]) -> None:
    got = run(row, FIXTURES)

    assert got == wanted(row)
    assert type(got) is type(wanted(row))


@needs_cases
@pytest.mark.parametrize(
    "row", [row for row in RUN if "expect_events_kept" in row], ids=lambda row: row["id"]
)
def test_span_events_are_dropped_within_their_spans(row: dict[str, Any]) -> None:
    assert filtered_events(row, FIXTURES) == row["expect_events_kept"]


@needs_cases
def test_the_command_prints_one_answer_a_case() -> None:
    command = [sys.executable, "-m", "tests.conformance.ottl", str(FILE)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603

    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert printed == [{"id": row["id"], "got": wanted(row)} for row in RUN]
