"""What `reflexarc incidents show` shows: one incident's whole story."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from reflexarc.cli.incident_list_screen import COLOURS
from reflexarc.events.gpu_faults import Job
from reflexarc.events.incident import Incident
from reflexarc.events.page import LIVE, Member, Page, Story
from reflexarc.notify import extent, wording

if TYPE_CHECKING:
    from reflexarc.runtime.operator import Dossier

NODES_SHOWN = 20
Line = tuple[datetime, str, str]


def shown(dossier: "Dossier", members: Sequence[Member], *, hint: bool) -> Group:
    """Return one incident in full; `hint` says below what to type next."""
    parts: list[Table | str] = [_facts(dossier.incident), ""]
    if dossier.page is not None:
        parts += [_page(dossier.page, members), ""]
    parts.append(_timeline(dossier))
    if hint and dossier.page is not None and dossier.page.state in LIVE:
        key = dossier.page.key[:8]
        parts.append(
            f"\n[dim]next: reflexarc incidents ack {key} (or silence, resolve, not-a-fault)[/]"
        )
    return Group(*parts)


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
            "reaches": _reaches(page, members),
            "told to": escape(f"{told} ({', '.join(page.routes) or 'no route'})"),
            "muted": escape(muted),
            "next": escape("; ".join(_step(page))),
            "acked by": escape(_acked(page)),
            "ended by": escape(page.resolved_by),
        }
    )


def _reaches(page: Page, members: Sequence[Member]) -> str:
    """Return what a page of several incidents is about, a line a node."""
    if not members:
        return ""
    reached = extent.of(Story(page=page, members=tuple(members)))
    aside = extent.aside(reached)
    whole = " + ".join(part for part in (extent.reach(reached), aside) if part)
    counted = f"{whole}; {reached.open_devices:,} of {reached.devices:,} still open"
    lines = [_spot(spot) for spot in reached.spots[:NODES_SHOWN]]
    more = len(reached.spots) - len(lines)
    rest = [f"and {more:,} more (--json has all)"] if more else []
    return escape("\n".join([counted, *lines, *rest]))


def _spot(spot: extent.Spot) -> str:
    kinds = Counter(kind for kind, _ in spot.devices)
    named = ", ".join(wording.things(kind, number) for kind, number in kinds.items())
    well = len(spot.devices) - len(spot.open_devices)
    return f"{spot.name}: {named}{f', {well:,} of them over' if well else ''}"


def _acked(page: Page) -> str:
    return f"{page.acked_by}, {wording.utc(page.acked_at)}" if page.acked_at else ""


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
    events = sorted(_events(dossier), key=lambda event: event[0])
    day = "%m-%d " if len({at.date() for at, _, _ in events}) > 1 else ""
    for at, name, detail in events:
        moment = f"{at:{day}%H:%M:%S}.{at.microsecond // 1000:03d}"
        table.add_row(moment, name, escape(detail))
    return table


def _events(dossier: "Dossier") -> Iterator[Line]:
    yield from _hops(dossier.incident)
    for entry in dossier.history:
        who = f" ({entry.by})" if entry.by else ""
        yield entry.at, "page", f"{entry.what}{who}"
    for attempt in dossier.attempts:
        latency = "" if attempt.latency_ms is None else f", {attempt.latency_ms} ms after the line"
        detail = (
            f"{attempt.channel}{_part(attempt.part)}: {attempt.outcome}{latency} {attempt.detail}"
        )
        yield attempt.at, attempt.action, detail.strip()


def _part(part: str) -> str:
    """Return which of a channel's messages this was, where it has several."""
    kind, _, number = part.partition("/")
    return {"history": " thread", "list": f" list {number}"}.get(kind, "")


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
