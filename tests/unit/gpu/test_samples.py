import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflexarc.gpu.lines import EventLines
from reflexarc.gpu.parse import parse

LOGS = Path(__file__).parents[3] / "samples" / "kernel-logs"
EXPECTED: dict[str, list[str]] = json.loads((LOGS / "expected.json").read_text("utf-8"))


def reports(path: Path) -> Iterator[str]:
    events = EventLines()
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        fault = parse(events.feed(line))
        if fault.suspicious:
            yield f"{number} suspicious - -"
        elif fault.kind != "none":
            code = "-" if fault.code is None else fault.code
            yield f"{number} {fault.kind} {code} {fault.pci or '-'}"


def test_every_sample_is_expected_and_explained() -> None:
    readme = (LOGS / "README.md").read_text("utf-8")
    names = {path.name for path in LOGS.iterdir()} - {"README.md", "expected.json"}

    assert names == EXPECTED.keys()
    assert all(f"`{name}`" in readme for name in names)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_reports_what_is_expected(name: str) -> None:
    assert list(reports(LOGS / name)) == EXPECTED[name]
