"""The house keeps its own rules: sizes, inventories, and docs whose commands exist."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from reflexarc.cli.app import app

ROOT = Path(__file__).parents[2]
CODE = ("layers/core/python", "functions", "infra", "samples")
MODULE_MAX, HANDLER_MAX = 400, 60
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def shell_lines(document: Path) -> list[str]:
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", document.read_text(), re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines()]


def test_modules_and_handlers_stay_small() -> None:
    modules = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]

    assert [str(path) for path in modules if lines(path) > MODULE_MAX] == []
    assert [str(p) for p in ROOT.glob("functions/*/handler.py") if lines(p) > HANDLER_MAX] == []


def test_no_module_is_named_after_nothing() -> None:
    names = {"utils", "helpers", "common", "manager", "base"}

    found = [p for folder in CODE for p in (ROOT / folder).rglob("*.py") if p.stem in names]

    assert found == []


def test_every_function_has_a_readme() -> None:
    handlers = {path.parent for path in ROOT.glob("functions/*/handler.py")}

    assert [str(folder) for folder in handlers if not (folder / "README.md").exists()] == []


def test_every_sample_is_named_by_a_test_or_is_code() -> None:
    texts = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    data = [
        path
        for path in (ROOT / "samples").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.name != "README.md"
    ]

    assert [str(p) for p in data if p.name not in texts and p.parent.name not in texts] == []


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.name)
def test_documented_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for line in shell_lines(document)
        for target in re.findall(r"^make ([a-z-]+)", line.split("#")[0])
    }

    assert named - targets == set()


def unknown_word(said: str) -> str | None:
    """Return the first word that names no command where a command must stand."""
    command: Any = typer.main.get_command(app)
    for word in said.split():
        if word.startswith("-") or not hasattr(command, "list_commands"):
            return None
        if word not in command.list_commands(None):
            return word
        command = command.get_command(None, word)
    return None


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.name)
def test_documented_commands_exist(document: Path) -> None:
    said = [
        words
        for line in shell_lines(document)
        for words in re.findall(r"(?:^|\| |/)reflexarc ([a-z][a-z -]*)", line.split("#")[0])
    ]

    assert [words for words in said if unknown_word(words)] == []


def test_a_command_loads_no_other_command() -> None:
    program = (
        "import sys; from reflexarc.cli import main; sys.argv[1:] = ['xid', 'explain', '79']\n"
    )
    program += "try: main()\nexcept SystemExit: pass\nprint('botocore' in sys.modules)"

    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.splitlines()[-1] == "False"


def test_help_opens() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert result.exit_code == 0
    assert "incidents" in result.output


def test_yaml_in_the_docs_is_yaml() -> None:
    for document in GUIDES:
        for block in re.findall(r"```ya?ml\n(.*?)```", document.read_text(), re.DOTALL):
            assert list(yaml.safe_load_all(block))
