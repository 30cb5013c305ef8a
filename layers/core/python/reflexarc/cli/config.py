"""`reflexarc config`: check, push, show and roll back the configuration document."""

import json
from pathlib import Path
from typing import Annotated

import typer

from reflexarc.cli.documents import print_document, print_schema
from reflexarc.cli.examined import Examined, examined
from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, deployment, fail
from reflexarc.kernel.clock import system_clock
from reflexarc.runtime.config import Configuration, parse
from reflexarc.runtime.document_check import examine
from reflexarc.runtime.secret_check import missing_secrets

config_app = typer.Typer(
    no_args_is_help=True,
    help="The configuration document: severity overrides, channels, routes, times, quiet.",
)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="reflexarc.yaml")]


@config_app.command()
def check(file: File, *, as_json: AsJson = False) -> None:
    """Check a document as a push does, but for its secrets; nothing is sent."""
    found = _examined(file)
    found.report(as_json=as_json)
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
    found, version = _examined(file), None
    text = json.dumps(found.document.content)
    if not found.refused:
        with deployment(stack, endpoint) as deployed:
            stated = parse(text).incidents
            if stated is not None and deployed.secrets is not None:
                missing = missing_secrets(stated.channels, deployed.secrets)
                found = Examined(file, found.document, (*found.problems, *missing))
            if not found.refused:
                version = deployed.push(text)
    if as_json:
        typer.echo(json.dumps(found.facts() | {"version": version}))
    else:
        found.say()
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
        fail(
            "nothing was pushed: the built-in routing is in force"
            if version is None
            else f"there is no version {version}"
        )
    print_document(text, as_json=as_json)


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
    print_schema(Configuration)


def _examined(file: Path) -> Examined:
    return examined(file, lambda content: examine(content, system_clock()))
