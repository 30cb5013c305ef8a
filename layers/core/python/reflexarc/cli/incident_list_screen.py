"""What `reflexarc incidents list` shows: a line a page, or a line an incident."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from reflexarc.events.incident import Incident, PageRef
from reflexarc.events.page import Page, page_key
from reflexarc.events.severity import Severity
from reflexarc.notify import extent, wording

COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
ID_SHOWN, PAGE_SHOWN = 12, 8


@dataclass(frozen=True, slots=True)
class Bundle:
    """Incidents that one page tells, or one that nobody was told of; the latest seen first."""

    page: Page | None
    incidents: tuple[Incident, ...]


def of_pages(
    incidents: Sequence[Incident], limit: int, page_of: Callable[[PageRef], Page | None]
) -> list[Bundle]:
    """Return incidents by their pages, in the order given, at most `limit` of them."""
    found: dict[str, list[Incident]] = {}
    for incident in incidents:
        key = page_key(incident.page) if incident.page else incident.fingerprint
        found.setdefault(key, []).append(incident)
    bundles = list(found.values())[:limit]
    return [
        Bundle(page_of(some[0].page) if some[0].page else None, tuple(some)) for some in bundles
    ]


def listed_by_page(bundles: Sequence[Bundle], *, hint: bool) -> Group:
    """Return a line a page; `hint` says below what to type next."""
    table = _table("ID", "SEVERITY", "STATE", "WHERE", "WHAT", "SEEN", "SINCE (UTC)")
    for bundle in bundles:
        page, incidents = bundle.page, bundle.incidents
        first = incidents[0]
        table.add_row(
            (page.key if page else first.fingerprint)[:PAGE_SHOWN],
            _severity(page.severity if page else first.severity),
            escape(_standing(page) if page else f"{first.state}, not told"),
            escape(_reach(incidents)),
            escape(_title(bundle)),
            f"{sum(incident.count for incident in incidents):,}",
            f"{page.opened_at if page else first.opened_at:%m-%d %H:%M}",
        )
    below = (
        "\n[dim]reflexarc incidents show ID: its whole story."
        " ack, silence, resolve, not-a-fault: the same ID.[/]"
    )
    return Group(table, below) if hint else Group(table)


def listed(incidents: Sequence[Incident]) -> Table:
    """Return a line an incident."""
    table = _table("ID", "PAGE", "SEVERITY", "STATE", "WHERE", "WHAT", "SEEN", "SINCE (UTC)")
    for incident in incidents:
        table.add_row(
            incident.fingerprint[:ID_SHOWN],
            page_key(incident.page)[:PAGE_SHOWN] if incident.page else "",
            _severity(incident.severity),
            incident.state,
            escape(wording.place(incident)),
            escape(incident.title),
            f"{incident.count:,}",
            f"{incident.opened_at:%m-%d %H:%M:%S}",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column,
            justify="right" if column == "SEEN" else "left",
            no_wrap=column in {"ID", "PAGE", "SEVERITY", "SINCE (UTC)"},
            overflow="fold",
        )
    return table


def _title(bundle: Bundle) -> str:
    """Return what is broken: what leads the page, or the latest of the rest once that is well."""
    lead = bundle.page.lead if bundle.page else bundle.incidents[0]
    listed_things = {incident.fingerprint for incident in bundle.incidents}
    return (lead if lead.fingerprint in listed_things else bundle.incidents[0]).title


def _severity(severity: Severity) -> str:
    return f"[{COLOURS[severity]}]{severity}[/]"


def _standing(page: Page) -> str:
    """Return where a page stands, and who made it so."""
    if page.state == "resolved":
        return f"resolved by {page.resolved_by}" if page.resolved_by else "resolved"
    if page.acked_at is not None:
        return f"acked by {page.acked_by}"
    if page.muted is not None:
        return f"muted: {page.muted.kind}"
    return "open, flapping" if page.flapping else "open"


def _reach(incidents: Sequence[Incident]) -> str:
    things = tuple(
        extent.Thing(
            entity=incident.entity,
            is_open=incident.state == "open",
            role=incident.role,
            cause=incident.cause,
            count=incident.count,
            job=incident.job,
            joined_at=incident.opened_at,
            resolved_at=incident.resolved_at,
        )
        for incident in incidents
    )
    whole = extent.Extent(things)
    aside = extent.aside(whole)
    core = extent.reach(whole) if whole.of_role("member") else ""
    return " + ".join(part for part in (core, aside) if part)
