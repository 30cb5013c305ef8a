"""`reflexarc incidents`: what is broken, who was told, what people did, and doing it."""

import json
from typing import Annotated, Literal

import typer

from reflexarc.cli.incident_lookup import LOOKS_AT_MOST, found
from reflexarc.cli.stack import AsJson, EndpointUrl, StackName, deployment
from reflexarc.cli.terminal import console
from reflexarc.events.action import SILENCE_MAX_S, Act, Action, Person
from reflexarc.incidents.spans import span_of
from reflexarc.kernel.errors import Rejected
from reflexarc.kernel.ids import new_ulid

incidents_app = typer.Typer(
    no_args_is_help=True, help="List incidents, show one in full, take one on, end one."
)
State = Literal["open", "resolved", "any"]
Id = Annotated[
    str, typer.Argument(help="An id from the list or from an alert, or the beginning of one.")
]
By = Annotated[
    str | None, typer.Option("--by", help="Who does this.", show_default="your AWS identity")
]
Reason = Annotated[str, typer.Option(help="Shown with the page.")]


@incidents_app.command("list")
def list_incidents(
    *,
    state: Annotated[State, typer.Option(help="Which incidents.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many lines.")] = 50,
    each: Annotated[
        bool, typer.Option("--each", help="A line an incident, instead of a line a page.")
    ] = False,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List what is broken, a line a page, the most recently seen first; --json: an incident a line.

    A page is one cause, however many GPUs it hit: its ID is the one that Slack and PagerDuty show.
    """
    from reflexarc.cli import incident_list_screen as screen  # noqa: PLC0415 - for a list alone

    by_page = not (each or as_json)
    with deployment(stack, endpoint) as deployed:
        wanted = None if state == "any" else state
        incidents = deployed.incidents.recent(LOOKS_AT_MOST if by_page else limit, wanted)
        bundles = screen.of_pages(incidents, limit, deployed.incidents.page) if by_page else []
    if as_json:
        for incident in incidents:
            typer.echo(incident.model_dump_json(by_alias=True))
        return
    if not incidents:
        typer.echo("No incidents." if state == "any" else f"No {state} incidents.")
        return
    out = console()
    if not by_page:
        out.print(screen.listed(incidents))
        return
    out.print(screen.listed_by_page(bundles, hint=out.is_terminal))


@incidents_app.command("show")
def show_incident(
    incident_id: Id,
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show one incident: what, since when, what to do, why it was told to whom, every delivery."""
    from reflexarc.cli.incident_screen import as_document, shown  # noqa: PLC0415 - as above

    with deployment(stack, endpoint) as deployed:
        incident = found(deployed, incident_id)
        dossier = deployed.incidents.dossier(incident.fingerprint)
        if dossier is None:
            raise Rejected(f"there is no incident {incident_id}")
        members = deployed.incidents.members(dossier.page.ref) if dossier.page else ()
    if as_json:
        typer.echo(json.dumps(as_document(dossier, members)))
        return
    out = console()
    out.print(shown(dossier, members, hint=out.is_terminal))


@incidents_app.command()
def ack(
    incident_id: Id,
    *,
    by: By = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
) -> None:
    """Take a page on: nobody else is called, every channel says that it is yours."""
    _act("ack", incident_id, by, stack=stack, endpoint=endpoint)


@incidents_app.command()
def silence(
    incident_id: Id,
    *,
    lasts: Annotated[str, typer.Option("--for", help="How long: 30m, 1h, 2d.")] = "1h",
    reason: Reason = "",
    by: By = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
) -> None:
    """Keep quiet what this page is about; its repair is still told."""
    try:
        seconds = span_of(lasts).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from error
    if seconds > SILENCE_MAX_S:
        raise typer.BadParameter("a silence must end: within 30 days", param_hint="--for")
    _act("silence", incident_id, by, reason=reason, for_s=seconds, stack=stack, endpoint=endpoint)


@incidents_app.command()
def resolve(
    incident_id: Id,
    *,
    reason: Reason = "",
    by: By = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
) -> None:
    """End a page and all its incidents, whatever the machines say."""
    _act("resolve", incident_id, by, reason=reason, stack=stack, endpoint=endpoint)


@incidents_app.command("not-a-fault")
def not_a_fault(
    incident_id: Id,
    *,
    reason: Reason = "",
    by: By = None,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
) -> None:
    """End a page that should not have been: kept with its incidents as a false alarm."""
    _act("not_a_fault", incident_id, by, reason=reason, stack=stack, endpoint=endpoint)


def _act(
    act: Act,
    incident_id: str,
    by: str | None,
    *,
    stack: str,
    endpoint: str | None,
    reason: str = "",
    for_s: float = 3600,
) -> None:
    with deployment(stack, endpoint) as deployed:
        incident = found(deployed, incident_id)
        page = deployed.incidents.page(incident.page) if incident.page else None
        if page is None:
            raise Rejected(f"nobody was told of incident {incident_id}: there is no page to act on")
        if page.state == "resolved":
            ended = f" by {page.resolved_by}" if page.resolved_by else ""
            raise Rejected(f"page {page.key[:8]} was resolved{ended}: nothing was done")
        now = deployed.now()
        who = by or deployed.caller() or "somebody at a terminal"
        deployed.send(
            Action(
                id=new_ulid(now),
                act=act,
                page=page.ref,
                person=Person(id=who, name=who),
                at=now,
                for_s=for_s,
                reason=reason,
            )
        )
    typer.echo(f"page {page.key[:8]}: {act.replace('_', ' ')} by {who} is on its way")
