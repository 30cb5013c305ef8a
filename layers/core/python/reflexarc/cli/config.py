"""`reflexarc config`: check, push, show and roll back the configuration document."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import yaml

from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, deployment
from reflexarc.cli.yaml_lines import Document, NotYaml, read
from reflexarc.events.problems import Problem
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.config import Configuration, parse
from reflexarc.runtime.document_check import examine
from reflexarc.runtime.secret_check import missing_secrets

config_app = typer.Typer(
    no_args_is_help=True,
    help="The configuration document: severity overrides, channels, routes, times, quiet.",
)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="reflexarc.yaml")]


@dataclass(frozen=True, slots=True)
class _Examined:
    """A document with what is wrong with it."""

    file: Path
    document: Document
    problems: tuple[Problem, ...]

    @property
    def refused(self) -> bool:
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


@config_app.command()
def check(file: File, *, as_json: AsJson = False) -> None:
    """Check a document as a push does, but for its secrets; nothing is sent."""
    examined = _examined(file)
    if as_json:
        typer.echo(json.dumps(examined.facts()))
    else:
        _say(examined)
    if examined.refused:
        raise typer.Exit(FAILED)
    if not as_json:
        typer.echo(f"{file}: fine")


@config_app.command()
def push(
    file: File,
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check a document and put it in force, within ten seconds everywhere."""
    examined, version = _examined(file), None
    text = json.dumps(examined.document.content)
    if not examined.refused:
        with deployment(stack, endpoint) as deployed:
            stated = parse(text).incidents
            if stated is not None and deployed.secrets is not None:
                found = missing_secrets(stated.channels, deployed.secrets)
                examined = _Examined(file, examined.document, (*examined.problems, *found))
            if not examined.refused:
                version = deployed.push(text)
    if as_json:
        typer.echo(json.dumps(examined.facts() | {"version": version}))
    else:
        _say(examined)
    if version is None:
        raise typer.Exit(FAILED)
    if not as_json:
        typer.echo(f"version {version} is live")


@config_app.command()
def show(
    *,
    version: Annotated[int | None, typer.Option(help="An earlier version.")] = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print the live document, or an earlier version, as YAML."""
    with deployment(stack, endpoint) as deployed:
        live = deployed.documents.live()
        text = deployed.documents.version(version) if version else live and live[1]
    if not text:
        _fail(
            "nothing was pushed: the built-in routing is in force"
            if version is None
            else f"there is no version {version}"
        )
    typer.echo(text if as_json else yaml.safe_dump(json.loads(text), sort_keys=False), nl=as_json)


@config_app.command()
def rollback(
    version: Annotated[int, typer.Argument(min=1, help="The version to put in force again.")],
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Put an earlier version in force again."""
    with deployment(stack, endpoint) as deployed:
        pushed = deployed.rollback(version)
    if as_json:
        typer.echo(json.dumps({"version": pushed, "of": version}))
        return
    typer.echo(f"version {version} is live again, as version {pushed}")


@config_app.command()
def schema() -> None:
    """Print the document's JSON Schema: an editor that knows it completes and checks."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    typer.echo(json.dumps(draft | Configuration.model_json_schema(), indent=2))


def _examined(file: Path) -> _Examined:
    try:
        document = read(file.read_text(encoding="utf-8"))
    except NotYaml as error:
        return _Examined(file, error.document, (Problem(place=(), what=f"not YAML: {error}"),))
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text: byte {error.start} is {error.reason}"
        return _Examined(file, Document({}, None), (Problem(place=(), what=what),))
    found = (*document.twice(), *examine(document.content, system_clock()))
    return _Examined(file, document, found)


def _say(examined: _Examined) -> None:
    for line in examined.lines():
        typer.echo(line, err=True)


def _fail(message: str) -> NoReturn:
    typer.echo(f"reflexarc: {message}", err=True)
    raise typer.Exit(FAILED)
