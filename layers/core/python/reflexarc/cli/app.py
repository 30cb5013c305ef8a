"""The commands, in the order in which people meet them."""

from importlib.metadata import version
from typing import Annotated

import typer

from reflexarc.cli.agent import agent
from reflexarc.cli.config import config_app
from reflexarc.cli.demo import demo
from reflexarc.cli.incidents import incidents_app
from reflexarc.cli.xid import xid_app

app = typer.Typer(
    name="reflexarc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Event-driven alerting for AI systems: a GPU fault becomes one honest page.",
)
app.command()(demo)
app.add_typer(xid_app, name="xid")
app.command()(agent)
app.add_typer(incidents_app, name="incidents")
app.add_typer(config_app, name="config")


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's form of a callback
    if asked:
        typer.echo(f"reflexarc {version('reflexarc')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    asked_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take what every command shares."""


def main() -> None:
    """Run the command line."""
    app()
