"""A document that people wrote, with everything that is wrong with it, as compilers say it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from reflexarc.cli.stack import FAILED
from reflexarc.cli.yaml_lines import Document, NotYaml, read
from reflexarc.events.problems import Problem

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, show_default=False)]


@dataclass(frozen=True, slots=True)
class Examined:
    """A document with what is wrong with it."""

    file: Path
    document: Document
    problems: tuple[Problem, ...]

    @property
    def refused(self) -> bool:
        """Return whether it must not be pushed."""
        return any(problem.level == "error" for problem in self.problems)

    def ordered(self) -> list[Problem]:
        """Return the problems as they stand in the file."""
        return sorted(self.problems, key=lambda each: self.document.position(each.place))

    def lines(self) -> Iterable[str]:
        """Yield the problems as compilers do, so that editors can jump to them."""
        for problem in self.ordered():
            line, column = self.document.position(problem.place)
            mild = "warning: " if problem.level == "warning" else ""
            yield f"{self.file}:{line}:{column}: {mild}{problem}"

    def facts(self) -> dict[str, object]:
        """Return the same for machines."""
        return {
            "file": str(self.file),
            "fine": not self.refused,
            "problems": [
                dict(zip(("line", "column"), self.document.position(each.place), strict=True))
                | {"level": each.level, "place": list(each.place), "problem": each.what}
                for each in self.ordered()
            ],
        }

    def say(self) -> None:
        """Print the problems, if any, where errors go."""
        for line in self.lines():
            typer.echo(line, err=True)

    def report(self, *, as_json: bool) -> None:
        """Print the problems, for machines where they ask; end the command where it is refused."""
        if as_json:
            typer.echo(json.dumps(self.facts()))
        else:
            self.say()
        if self.refused:
            raise typer.Exit(FAILED)


def examined(file: Path, examine: Callable[[object], Iterable[Problem]]) -> Examined:
    """Return a file with its problems; `examine` finds those of its content."""
    try:
        document = read(file.read_text(encoding="utf-8"))
    except NotYaml as error:
        return Examined(file, error.document, (Problem(place=(), what=f"not YAML: {error}"),))
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text: byte {error.start} is {error.reason}"
        return Examined(file, Document({}, None), (Problem(place=(), what=what),))
    return Examined(file, document, (*document.twice(), *examine(document.content)))
