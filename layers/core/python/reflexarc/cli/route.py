"""`reflexarc route test`: where an alert would go and why, before it must."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, deployment
from reflexarc.cli.terminal import console
from reflexarc.cli.yaml_lines import NotYaml, read
from reflexarc.events.page import Step
from reflexarc.incidents.model import Policy
from reflexarc.incidents.mutes import asked
from reflexarc.incidents.silencing import labels_from
from reflexarc.incidents.tracing import Trace, imagined, trace
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Rejected
from reflexarc.runtime.config import Configuration, parse

route_app = typer.Typer(no_args_is_help=True, help="Try the routes out; nobody is told.")
# The stack's parameter names it; a document that has channels of its own does not need it.
DEFAULT_SLACK = "(the stack's SlackChannel)"
_WHAT = {
    "look": "the mute is looked at again",
    "begin": "told, as its hours begin",
    "escalate": "told as well, unless somebody acknowledged",
    "repeat": "reminded, unless somebody acknowledged",
    "settle": "a flapping page that stayed well ends",
}


@route_app.callback()
def group() -> None:
    """Keep `test` a command of its own, though it is the only one."""


@route_app.command("test")
def try_out(
    *,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="NAME=VALUE",
            help="severity, owner, kind, node, device, aspect, job, job_owner, or any other.",
        ),
    ] = None,
    cause: Annotated[str, typer.Option(help="What was found.")] = "xid/79",
    at: Annotated[str | None, typer.Option(help="A time, 2026-12-24T03:00 (UTC).")] = None,
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Instead of the live document.")
    ] = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say which routes take an incident and why the others do not, whom it tells, and when.

    With --config no stack is asked: silences and open incidents are those of nobody.
    """
    try:
        labels, now = labels_from(label or ()), _moment(at)
        incident = imagined(labels, cause, now)
        if config is not None:
            found = trace(incident, _policy_in(config), {}, now)
        else:
            with deployment(stack, endpoint) as deployed:
                live = deployed.documents.live()
                stated = parse(live[1]) if live else Configuration()
                policy = stated.policy(DEFAULT_SLACK, deployed.silences.active(now))
                keys = [key for _, key in asked(incident, policy)]
                held = {key: deployed.held_by(key) for key in keys}
            found = trace(incident, policy, held, now)
    except Rejected as error:
        typer.echo(f"reflexarc: {error}", err=True)
        raise typer.Exit(FAILED) from error
    if as_json:
        typer.echo(found.model_dump_json())
        return
    console().print(_shown(found))


def _moment(written: str | None) -> datetime:
    if written is None:
        return system_clock()
    try:
        at = datetime.fromisoformat(written)
    except ValueError as error:
        raise Rejected(
            "--at: write a time as 2026-12-24T03:00 or 2026-12-24T03:00+01:00"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _policy_in(file: Path) -> Policy:
    try:
        content = read(file.read_text(encoding="utf-8")).content
    except (NotYaml, UnicodeDecodeError) as error:
        raise Rejected(f"{file} is not YAML: {error}") from error
    return parse(json.dumps(content)).policy(DEFAULT_SLACK)


def _shown(found: Trace) -> Group:
    routes = Table("ROUTE", "TAKES IT", "TELLS", "WHY NOT, OR WHEN", box=None, header_style="bold")
    for verdict in found.routes:
        routes.add_row(
            escape(verdict.route),
            "[green]yes[/]" if verdict.takes else "no",
            ", ".join(verdict.channels),
            escape("; ".join(verdict.why_not) or verdict.hours),
        )
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(found):
        facts.add_row(name, escape(value))
    return Group(routes, "", facts)


def _facts(found: Trace) -> list[tuple[str, str]]:
    by = ", ".join(f"{name}={value}" for name, value in found.page.by.items())
    rows = [
        ("at", f"{found.at.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"),
        ("muted", _muted(found)),
        ("told now", ", ".join(found.channels) or "nobody"),
        *(("later", _step(step)) for step in found.steps),
        ("page", f"{found.page.family} of {by or 'the whole fleet'}: {found.page.role}"),
        ("scope", found.page.scope),
    ]
    rows += [("would mute", f"inhibition {name}") for name in found.would_mute]
    return [(name, value) for name, value in rows if value]


def _muted(found: Trace) -> str:
    mute = found.muted
    if mute is None:
        return ""
    until = f" until {mute.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if mute.until else ""
    return f"by {mute.kind} {mute.name}{until} ({mute.why}): nobody below is told meanwhile"


def _step(step: Step) -> str:
    names = ", ".join(step.channels)
    return f"{step.at.astimezone(UTC):%a %Y-%m-%d %H:%M:%S} UTC  {names}: {_WHAT[step.kind]}"
