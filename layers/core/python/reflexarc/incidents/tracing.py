"""Where an incident would be told, and why: the decisions of a real one, explained. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from reflexarc.events.envelope import Value
from reflexarc.events.incident import Incident
from reflexarc.events.page import Mute, Step
from reflexarc.events.problems import problems_of
from reflexarc.incidents.document import Route
from reflexarc.incidents.grouping import group_of
from reflexarc.incidents.hours import end_of, next_start
from reflexarc.incidents.matching import misses
from reflexarc.incidents.model import Group, Policy
from reflexarc.incidents.mutes import asked, mute_of
from reflexarc.incidents.routes import title_of, wanted
from reflexarc.kernel.errors import Rejected

Role = Literal["leads or joins", "is the origin", "joins only"]


class RouteVerdict(Value):
    """What one route makes of an incident: `why_not` says which conditions do not hold.

    `hours` says what its hours do to it, empty where it has none.
    """

    route: str
    takes: bool
    channels: tuple[str, ...]
    why_not: tuple[str, ...] = ()
    hours: str = ""


class PageTrace(Value):
    """The page that an incident would lead, join, or only follow."""

    family: str
    by: dict[str, str]
    scope: str
    role: Role


class Trace(Value):
    """Where an incident would be told at a moment.

    `would_mute` names inhibitions that hold as soon as something that matches their source is open.
    """

    at: datetime
    routes: tuple[RouteVerdict, ...]
    channels: tuple[str, ...]
    steps: tuple[Step, ...]
    page: PageTrace
    muted: Mute | None
    would_mute: tuple[str, ...]


def imagined(labels: Mapping[str, str], cause: str, now: datetime) -> Incident:
    """Return an incident with these labels; raises Rejected for a value that none can have.

    What is not said is that of a critical fault of a GPU which on-call looks after.
    """
    said = {"severity": "critical", "owner": "oncall", "kind": "gpu", "cause": cause} | dict(labels)
    take = said.pop
    job = {"id": take("job", ""), "owner": take("job_owner", "")}
    entity = {name: take(name, "") for name in ("kind", "node", "device", "aspect")}
    values: dict[str, Any] = {
        "fingerprint": "0" * 32,
        "generation": 1,
        "version": 1,
        "state": "open",
        "severity": take("severity"),
        "owner": take("owner"),
        "entity": entity,
        "cause": said["cause"],
        "title": take("cause"),
        "job": job if any(job.values()) else None,
        "labels": said,
        "first_at": now,
        "last_at": now,
        "opened_at": now,
        "hops": {"observed_at": now},
    }
    try:
        return Incident.model_validate(values)
    except ValidationError as error:
        raise Rejected("; ".join(problems_of(error, "label"))) from error


def trace(
    incident: Incident, policy: Policy, held: Mapping[str, frozenset[str]], now: datetime
) -> Trace:
    """Return where an incident would be told at a moment, and what each route makes of it.

    `held` has the open incidents of each key that `mutes.asked` names, as far as they are known.
    """
    told = wanted(incident, policy, now)
    muted = mute_of(incident, policy, held, now)
    return Trace(
        at=now,
        routes=tuple(
            _verdict(number, route, incident, policy, now)
            for number, route in enumerate(policy.routes, start=1)
        ),
        channels=tuple(channel.name for channel in told.channels),
        steps=told.steps,
        page=_page(group_of(incident, policy, muted)),
        muted=muted,
        would_mute=tuple(
            inhibition.name for inhibition, key in asked(incident, policy) if not held.get(key)
        ),
    )


def _verdict(
    number: int, route: Route, incident: Incident, policy: Policy, now: datetime
) -> RouteVerdict:
    why_not = misses(route.match, incident, any_cause=True)
    return RouteVerdict(
        route=title_of(number, route),
        takes=not why_not,
        channels=route.channels,
        why_not=why_not,
        hours=_hours(route, policy, now),
    )


def _hours(route: Route, policy: Policy, now: datetime) -> str:
    hours = policy.hours.get(route.during)
    if hours is None:
        return ""
    if end := end_of(hours, now):
        return f"{hours.name}, until {end:%a %Y-%m-%d %H:%M} UTC"
    return f"{hours.name}, not before {next_start(hours, now):%a %Y-%m-%d %H:%M} UTC"


def _page(group: Group) -> PageTrace:
    role: Role = "joins only" if group.consequence else "leads or joins"
    return PageTrace(
        family=group.family,
        by=dict(group.by),
        scope=group.scope,
        role="is the origin" if group.origin else role,
    )
