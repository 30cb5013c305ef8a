"""`reflexarc config`: check, push, show and roll back the configuration document."""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import yaml

from reflexarc.cli.stack import FAILED, EndpointUrl, StackName, deployment
from reflexarc.kernel.errors import Rejected

config_app = typer.Typer(
    no_args_is_help=True,
    help="The configuration document: severity overrides, channels, routes.",
)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="reflexarc.yaml")]


@config_app.command()
def check(file: File) -> None:
    """Check a document exactly as the functions will; nothing is sent."""
    from reflexarc.runtime.config import parse  # noqa: PLC0415 - the slices' models cost time

    text = _read(file)
    try:
        parse(text)
    except Rejected as error:
        _fail(f"{file}: {error}")
    typer.echo(f"{file}: fine")


@config_app.command()
def push(file: File, *, stack: StackName = "reflexarc", endpoint: EndpointUrl = None) -> None:
    """Check a document and put it in force, within ten seconds everywhere."""
    text = _read(file)
    with deployment(stack, endpoint) as deployed:
        version = deployed.push(text)
    typer.echo(f"version {version} is live")


@config_app.command()
def show(
    *,
    version: Annotated[int | None, typer.Option(help="An earlier version.")] = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
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
    typer.echo(yaml.safe_dump(json.loads(text), sort_keys=False), nl=False)


@config_app.command()
def rollback(
    version: Annotated[int, typer.Argument(min=1, help="The version to put in force again.")],
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
) -> None:
    """Put an earlier version in force again."""
    with deployment(stack, endpoint) as deployed:
        pushed = deployed.rollback(version)
    typer.echo(f"version {version} is live again, as version {pushed}")


def _read(file: Path) -> str:
    try:
        document = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        _fail(f"{file} is not YAML: {error}")
    return json.dumps({} if document is None else document)


def _fail(message: str) -> NoReturn:
    typer.echo(f"reflexarc: {message}", err=True)
    raise typer.Exit(FAILED)
