"""`reflexarc silence`: keep pages quiet by label, for a while, with a name and a reason."""

import getpass
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.stack import AsJson, EndpointUrl, StackName, deployment
from reflexarc.cli.terminal import console
from reflexarc.events.page import Silence
from reflexarc.incidents.silencing import covered_by, ended, labels_from, only, silence_of
from reflexarc.incidents.spans import span_of
from reflexarc.kernel.errors import Rejected
from reflexarc.kernel.ids import new_ulid

if TYPE_CHECKING:
    from reflexarc.runtime.operator import Deployment

silence_app = typer.Typer(
    no_args_is_help=True,
    help="Silences: what matches is not told until they end. What was told is still resolved.",
)
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="All must match; * and ? are wildcards."),
]
Author = Annotated[
    str | None, typer.Option(help="Who wants this.", show_default="whose AWS credentials these are")
]


@silence_app.command()
def add(
    *,
    label: Labels = None,
    lasts: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 3d; at most 30d.")],
    reason: Annotated[str, typer.Option(help="Why: shown with what it keeps quiet.")],
    author: Author = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a silence that begins now."""
    with deployment(stack, endpoint) as deployed:
        now = deployed.now()
        silence = silence_of(
            labels_from(label or ()),
            lasts=_span(lasts),
            reason=reason,
            author=author or _caller(deployed),
            now=now,
            silence_id=new_ulid(now),
        )
        if other := covered_by(silence, deployed.silences.active(now)):
            raise Rejected(
                f"silence {other.id} by {other.author} keeps this quiet already, until"
                f" {_moment(other.ends_at)}: expire it first if it should not"
            )
        deployed.silences.put(silence)
    if as_json:
        typer.echo(json.dumps(_facts(silence, now)))
        return
    typer.echo(f"silence {silence.id} is in force until {_moment(silence.ends_at)}")


@silence_app.command("list")
def list_silences(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Those that ended within 30 days as well.")
    ] = False,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the silences with who wanted them and why."""
    with deployment(stack, endpoint) as deployed:
        now, silences = deployed.now(), deployed.silences
        found = silences.all() if everything else silences.active(now)
    if as_json:
        for silence in found:
            typer.echo(json.dumps(_facts(silence, now)))
        return
    if not found:
        typer.echo("No silences.")
        return
    table = Table("ID", "STATE", "LABELS", "UNTIL", "BY", "WHY", box=None, header_style="bold")
    for silence in found:
        table.add_row(*(escape(part) for part in _shown(silence, now)))
    console().print(table)


@silence_app.command()
def expire(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or its beginning.")],
    *,
    author: Author = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """End a silence now: who ended it is kept with it."""
    with deployment(stack, endpoint) as deployed:
        now = deployed.now()
        silence = only(silence_id, deployed.silences.all())
        over = ended(silence, author or _caller(deployed), now)
        deployed.silences.put(over)
    if as_json:
        typer.echo(json.dumps(_facts(over, now)))
        return
    typer.echo(f"silence {over.id} is over; within ten seconds everybody knows")


def _span(written: str) -> timedelta:
    try:
        return span_of(written)
    except ValueError as error:
        raise Rejected(f"--for {written[:20]!r}: {error}") from error


def _caller(deployed: "Deployment") -> str:
    if who := deployed.caller():
        return who
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise Rejected("nobody knows who you are here: say it with --author") from error


def _state(silence: Silence, now: datetime) -> str:
    if silence.expired_by:
        return f"ended by {silence.expired_by}"
    if silence.ends_at <= now:
        return "over"
    return "in force" if silence.starts_at <= now else "planned"


def _shown(silence: Silence, now: datetime) -> tuple[str, ...]:
    labels = " ".join(f"{name}={value}" for name, value in silence.labels.items())
    until = _moment(silence.ends_at)
    return silence.id, _state(silence, now), labels, until, silence.author, silence.reason


def _facts(silence: Silence, now: datetime) -> dict[str, object]:
    return silence.model_dump(mode="json", by_alias=True) | {"state": _state(silence, now)}


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
