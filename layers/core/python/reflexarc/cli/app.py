"""The commands, in the order in which people meet them; each is loaded when it is called.

An agent that runs for months should not hold what only the demo needs.
"""

import importlib
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

_COMMANDS = {
    "demo": ("reflexarc.cli.demo", "demo"),
    "xid": ("reflexarc.cli.xid", "xid_app"),
    "agent": ("reflexarc.cli.agent", "agent_app"),
    "incidents": ("reflexarc.cli.incidents", "incidents_app"),
    "dlq": ("reflexarc.cli.dlq", "dlq_app"),
    "gpus": ("reflexarc.cli.gpus", "gpus"),
    "config": ("reflexarc.cli.config", "config_app"),
    "silence": ("reflexarc.cli.silence", "silence_app"),
    "rules": ("reflexarc.cli.rules", "rules_app"),
    "route": ("reflexarc.cli.route", "route_app"),
    "token": ("reflexarc.cli.tokens", "tokens_app"),
}
# Commands that need more than a plain installation has, and what brings it.
_EXTRAS = {"rules": "telemetry"}


class _OnDemand(TyperGroup):
    """A group that imports a command's module when the command is named.

    Its types are those of the click that typer carries inside, which has no public name.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one command, loaded now."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        try:
            found = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get(cmd_name)
            if extra is None:
                raise
            typer.echo(
                f"reflexarc: `{cmd_name}` needs {error.name}: pip install 'reflexarc[{extra}]'",
                err=True,
            )
            raise typer.Exit(1) from error
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="reflexarc",
    cls=_OnDemand,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Event-driven alerting for AI systems: a GPU fault becomes one honest page.",
)


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
