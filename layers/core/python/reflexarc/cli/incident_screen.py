"""What `reflexarc incidents` shows: the list, and one incident's whole story."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import Member, Page, page_key
from reflexarc.events.severity import Severity
from reflexarc.notify import wording

if TYPE_CHECKING:
    from reflexarc.runtime.operator import Dossier

COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
ID_SHOWN, PAGE_SHOWN = 12, 8
MEMBERS_SHOWN = 20
Line = tuple[datetime, str, str]


def listed(incidents: Sequence[Incident]) -> Table:
    """Return the list as a table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("ID", "PAGE", "SEVERITY", "STATE", "WHERE", "WHAT", "SEEN", "SINCE (UTC)"):
        table.add_column(column, no_wrap=column in {"ID", "PAGE", "SEVERITY", "STATE"})
    for incident in incidents:
        table.add_row(
            incident.fingerprint[:ID_SHOWN],
            page_key(incident.page)[:PAGE_SHOWN] if incident.page else "",
            f"[{COLOURS[incident.severity]}]{incident.severity}[/]",
            incident.state,
            escape(wording.place(incident)),
            escape(incident.title),
            f"{incident.count:,}",
            f"{incident.opened_at:%m-%d %H:%M:%S}",
        )
    return table


def shown(dossier: "Dossier", members: Sequence[Member]) -> Group:
    """Return one incident in full."""
    parts: list[Table | str] = [_facts(dossier.incident), ""]
    if dossier.page is not None:
        parts += [_page(dossier.page, members), ""]
    return Group(*parts, _timeline(dossier))


def _facts(incident: Incident) -> Table:
    job = incident.job
    return _pairs(
        {
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
            "why": escape("\n".join(incident.why)),
        }
    )


def _page(page: Page, members: Sequence[Member]) -> Table:
    by = ", ".join(f"{name}={value}" for name, value in sorted(page.by.items()))
    muted = f"{page.muted.kind} {page.muted.name}: {page.muted.why}" if page.muted else ""
    told = ", ".join(channel.name for channel in page.channels) or "nobody yet"
    return _pairs(
        {
            "page": f"{page.key[:8]}, {page.state}, generation {page.generation}",
            "grouped": escape(f"family {page.family}{f' by {by}' if by else ''}"),
            "led by": escape(wording.place(page.lead)),
            "members": _members(members),
            "told to": escape(f"{told} ({', '.join(page.routes) or 'no route'})"),
            "muted": escape(muted),
            "next": escape("; ".join(_step(page))),
            "acked by": escape(page.acked_by),
            "ended by": escape(page.resolved_by),
        }
    )


def _members(members: Sequence[Member]) -> str:
    if not members:
        return ""
    open_ones = sum(member.state == "open" for member in members)
    roles = Counter(member.role for member in members)
    counted = ", ".join(f"{number:,} {role}" for role, number in sorted(roles.items()))
    places = [wording.place_of(member.entity) for member in members[:MEMBERS_SHOWN]]
    more = len(members) - len(places)
    rest = f"\nand {more:,} more (--json has all)" if more else ""
    return escape(f"{counted}; {open_ones:,} open\n" + "\n".join(places) + rest)


def _step(page: Page) -> Iterator[str]:
    for step in page.steps:
        channels = f" {', '.join(step.channels)}" if step.channels else ""
        yield f"{step.kind}{channels} at {wording.utc(step.at)}"


def _pairs(rows: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table


def _of_job(job: Job) -> tuple[str, ...]:
    return job.name, job.id, job.owner, job.namespace, job.workload, wording.work(job)


def _timeline(dossier: "Dossier") -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("TIME (UTC)", "EVENT", "DETAIL"):
        table.add_column(column, overflow="fold")
    for at, name, detail in sorted(_events(dossier), key=lambda event: event[0]):
        table.add_row(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", name, escape(detail))
    return table


def _events(dossier: "Dossier") -> Iterator[Line]:
    yield from _hops(dossier.incident)
    for entry in dossier.history:
        who = f" ({entry.by})" if entry.by else ""
        yield entry.at, "page", f"{entry.what}{who}"
    for attempt in dossier.attempts:
        latency = "" if attempt.latency_ms is None else f", {attempt.latency_ms} ms after the line"
        part = "" if attempt.part == "root" else f" {attempt.part}"
        detail = f"{attempt.channel}{part}: {attempt.outcome}{latency} {attempt.detail}"
        yield attempt.at, attempt.action, detail.strip()


def _hops(incident: Incident) -> Iterator[Line]:
    hops = incident.hops
    yield hops.observed_at, "line observed", incident.cause
    named = {
        "agent sent it": hops.sent_at,
        "queue took it": hops.queued_at,
        "function received it": hops.received_at,
        "incident decided": hops.decided_at,
    }
    for name, at in named.items():
        if at:
            yield at, name, f"+{(at - hops.observed_at) / timedelta(milliseconds=1):.0f} ms"


def as_document(dossier: "Dossier", members: Sequence[Member]) -> dict[str, Any]:
    """Return one incident in full, for machines."""
    return {
        "incident": dossier.incident.model_dump(mode="json", by_alias=True),
        "page": dossier.page.model_dump(mode="json", by_alias=True) if dossier.page else None,
        "members": [member.model_dump(mode="json") for member in members],
        "receipts": {
            channel: receipt.model_dump(mode="json")
            for channel, receipt in dossier.receipts.items()
        },
        "history": [entry.model_dump(mode="json") for entry in dossier.history],
        "attempts": [
            {
                "at": attempt.at.isoformat(),
                "channel": attempt.channel,
                "part": attempt.part,
                "action": attempt.action,
                "outcome": attempt.outcome,
                "detail": attempt.detail,
                "latency_ms": attempt.latency_ms,
                "hops": attempt.hops.model_dump(mode="json") if attempt.hops else None,
            }
            for attempt in dossier.attempts
        ],
    }
