"""`reflexarc incidents`: what is broken, and what became of each page."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, deployment
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.severity import Severity
from reflexarc.notify import wording

if TYPE_CHECKING:
    from reflexarc.runtime.operator import Dossier

incidents_app = typer.Typer(no_args_is_help=True, help="List incidents and show one in full.")
COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
ID_SHOWN = 12
State = Literal["open", "resolved", "any"]


@incidents_app.command("list")
def list_incidents(
    *,
    state: Annotated[State, typer.Option(help="Which incidents.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List incidents, the most recently seen first."""
    with deployment(stack, endpoint) as deployed:
        found = deployed.incidents.recent(limit, None if state == "any" else state)
    if as_json:
        for incident in found:
            typer.echo(incident.model_dump_json(by_alias=True))
        return
    if not found:
        typer.echo("No incidents." if state == "any" else f"No {state} incidents.")
        return
    Console(emoji=False).print(_listed(found))


@incidents_app.command("show")
def show_incident(
    incident_id: Annotated[str, typer.Argument(help="An id from the list, or its beginning.")],
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show one incident: what, since when, what to do, and every delivery."""
    with deployment(stack, endpoint) as deployed:
        fingerprint = incident_id
        if len(incident_id) < len("0" * 32):
            known = [incident.fingerprint for incident in deployed.incidents.recent(10_000)]
            fingerprint = _only(incident_id, known)
        dossier = deployed.incidents.dossier(fingerprint)
    if dossier is None:
        typer.echo(f"reflexarc: there is no incident {incident_id}", err=True)
        raise typer.Exit(FAILED)
    if as_json:
        typer.echo(json.dumps(_as_json(dossier)))
        return
    Console(emoji=False).print(_shown(dossier))


def _only(beginning: str, known: list[str]) -> str:
    found = [fingerprint for fingerprint in known if fingerprint.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    problem = "several incidents begin" if found else "no incident begins"
    typer.echo(f"reflexarc: {problem} with {beginning}", err=True)
    raise typer.Exit(FAILED)


def _listed(incidents: list[Incident]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("ID", "SEVERITY", "STATE", "WHERE", "WHAT", "SEEN", "SINCE (UTC)"):
        table.add_column(column, no_wrap=column in {"ID", "SEVERITY", "STATE"})
    for incident in incidents:
        table.add_row(
            incident.fingerprint[:ID_SHOWN],
            f"[{COLOURS[incident.severity]}]{incident.severity}[/]",
            incident.state,
            escape(wording.place(incident)),
            escape(incident.title),
            f"{incident.count:,}",
            f"{incident.opened_at:%m-%d %H:%M:%S}",
        )
    return table


def _shown(dossier: "Dossier") -> Group:
    incident = dossier.incident
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    job = incident.job
    rows = {
        "what": f"[{COLOURS[incident.severity]}]{escape(incident.title)}[/]",
        "where": escape(wording.place(incident)),
        "state": f"{incident.state}, generation {incident.generation}",
        "since": f"{wording.utc(incident.first_at)}, seen {wording.times(incident.count)}",
        "meaning": escape(incident.meaning),
        "do": escape(incident.action),
        "who acts": escape(wording.who_acts(incident)),
        "job": escape(" ".join(part for part in _of_job(job) if part)) if job else "",
        "caveats": escape(" · ".join(incident.marks)),
        "line": escape("\n".join(incident.evidence)),
    }
    for name, value in rows.items():
        if value:
            facts.add_row(name, value)
    return Group(facts, "", _timeline(dossier))


def _of_job(job: Job) -> tuple[str, ...]:
    return job.name, job.id, job.owner, job.namespace, job.workload, wording.work(job)


def _timeline(dossier: "Dossier") -> Table:
    incident = dossier.incident
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("TIME (UTC)", "EVENT", "DETAIL"):
        table.add_column(column, overflow="fold")
    hops = incident.hops
    events = [(hops.observed_at, "line observed", escape(incident.cause))]
    named = {
        "agent sent it": hops.sent_at,
        "queue took it": hops.queued_at,
        "function received it": hops.received_at,
        "incident decided": hops.decided_at,
    }
    events += [
        (at, name, f"+{(at - hops.observed_at) / timedelta(milliseconds=1):.0f} ms")
        for name, at in named.items()
        if at
    ]
    for attempt in dossier.attempts:
        latency = "" if attempt.latency_ms is None else f", {attempt.latency_ms} ms after the line"
        detail = f"{attempt.channel}: {attempt.outcome}{latency} {attempt.detail}"
        events.append((attempt.at, attempt.action, escape(detail.strip())))
    for at, name, detail in sorted(events, key=lambda event: event[0]):
        table.add_row(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", name, detail)
    return table


def _as_json(dossier: "Dossier") -> dict[str, object]:
    return {
        "incident": dossier.incident.model_dump(mode="json", by_alias=True),
        "receipts": [
            {
                "generation": generation,
                "channel": channel,
                **receipt.model_dump(mode="json"),
            }
            for (generation, channel), receipt in dossier.receipts.items()
        ],
        "attempts": [
            {
                "at": attempt.at.isoformat(),
                "channel": attempt.channel,
                "action": attempt.action,
                "outcome": attempt.outcome,
                "detail": attempt.detail,
                "latency_ms": attempt.latency_ms,
                "hops": attempt.hops.model_dump(mode="json") if attempt.hops else None,
            }
            for attempt in dossier.attempts
        ],
    }
