"""Finds a deployed stack for a command: options that they share, and errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from reflexarc.kernel.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from reflexarc.runtime.operator import Deployment

StackName = Annotated[
    str,
    typer.Option("--stack", envvar="REFLEXARC_STACK", help="Name of the CloudFormation stack."),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option("--endpoint", help="An emulator's URL instead of AWS.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

FAILED = 1


@contextmanager
def deployment(stack: str, endpoint: str | None) -> Iterator["Deployment"]:
    """Open a deployed stack; what goes wrong inside ends the command with one readable line."""
    from reflexarc.runtime.operator import find  # noqa: PLC0415 - boto3 costs half a second

    with readable_errors():
        yield find(stack, endpoint)


@contextmanager
def readable_errors() -> Iterator[None]:
    """End the command with one readable line for whatever we raise on purpose inside."""
    try:
        yield
    except (Rejected, Unavailable) as error:
        typer.echo(f"reflexarc: {error}", err=True)
        raise typer.Exit(FAILED) from error


def fail(message: str) -> NoReturn:
    """End the command with one readable line."""
    typer.echo(f"reflexarc: {message}", err=True)
    raise typer.Exit(FAILED)
