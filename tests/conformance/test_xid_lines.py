"""Every labelled line of the case folder, field by field; also through the command line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reflexarc.cli.xid import xid_app
from reflexarc.events.severity import Severity
from reflexarc.gpu.parse import parse
from reflexarc.gpu.rules import judge

ROOT = Path(__file__).parents[2]
CASES = Path(
    os.environ.get("REFLEXARC_CASES", ROOT / "../shared/data")  # noqa: TID251 - where cases lie
)
FILE = CASES / "xid_lines.jsonl"


def rows() -> list[dict[str, Any]]:
    if not FILE.is_file():
        return []
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines() if line]


def expected(row: dict[str, Any]) -> dict[str, Any]:
    """Return what we say: the rows mark Xids and SXids alone, so a lost GPU is `none` to them."""
    labels = dict(row["expect"])
    if labels.pop("implied_xid", None) is not None:
        labels |= {"kind": "lost", "pci": labels.pop("implied_pci")}
    return labels


ROWS = rows()
needs_cases = pytest.mark.skipif(not ROWS, reason=f"no cases at {FILE}: set REFLEXARC_CASES")


@needs_cases
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["line"][:60])
def test_a_labelled_line_is_read_as_labelled(row: dict[str, Any]) -> None:
    fields = parse(row["line"])._asdict()

    assert {name: fields[name] for name in expected(row)} == expected(row)


@needs_cases
def test_every_labelled_fault_gets_a_verdict_that_tells_what_to_do() -> None:
    for row in ROWS:
        verdict = judge(parse(row["line"]))

        assert verdict.title
        assert verdict.action
        if row["expect"]["kind"] == "xid" and row["expect"]["code"] == 79:
            assert verdict.severity is Severity.CRITICAL


@needs_cases
def test_the_command_line_says_the_same() -> None:
    single = [row for row in ROWS if "\n" not in row["line"]]
    given = "".join(row["line"] + "\n" for row in single)

    result = CliRunner().invoke(xid_app, ["parse"], input=given.encode())

    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [row["line"] for row in single]
    for row, answer in zip(single, answers, strict=True):
        assert {name: answer[name] for name in expected(row)} == expected(row)
