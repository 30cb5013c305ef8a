"""Whom an incident is to be told to, now and later: every route that matches counts. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from reflexarc.events.incident import Incident
from reflexarc.events.page import Step
from reflexarc.incidents.document import Route
from reflexarc.incidents.hours import in_hours, next_start
from reflexarc.incidents.matching import matches
from reflexarc.incidents.model import Policy, Wanted

__all__ = ["in_hours", "next_start", "takes", "title_of", "wanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    """A route that takes the incident, and when it begins to tell: now, or when hours begin."""

    name: str
    route: Route
    begins: datetime


def wanted(incident: Incident, policy: Policy, now: datetime) -> Wanted:
    """Return whom an incident is to be told to, without regard to what mutes it.

    A channel whose route is outside its hours is told when they begin, unless another route tells
    it now. Escalations and reminders count from when their route begins to tell.
    """
    taking = tuple(_taking(incident, policy, now))
    told = {name for each in taking if each.begins <= now for name in each.route.channels}
    return Wanted(
        channels=tuple(channel for channel in policy.channels if channel.name in told),
        steps=(*_begin(taking, told), *_escalate(taking, told), *_repeat(taking)),
        routes=tuple(each.name for each in taking),
    )


def takes(route: Route, incident: Incident) -> bool:
    """Return whether a route takes an incident; any of its causes will do."""
    return matches(route.match, incident, any_cause=True)


def title_of(number: int, route: Route) -> str:
    """Return a route's name, or what its place in the document calls it (from 1)."""
    return route.name or f"route {number}"


def _taking(incident: Incident, policy: Policy, now: datetime) -> Iterator[_Taking]:
    for number, route in enumerate(policy.routes, start=1):
        if takes(route, incident):
            hours = policy.hours.get(route.during)
            outside = hours is not None and not in_hours(hours, now)
            begins = next_start(hours, now) if hours and outside else now
            yield _Taking(name=title_of(number, route), route=route, begins=begins)


def _begin(taking: Iterable[_Taking], told: set[str]) -> Iterator[Step]:
    first: dict[str, datetime] = {}
    for each in taking:
        for name in each.route.channels:
            if name not in told:
                first[name] = min(each.begins, first.get(name, each.begins))
    for at, names in _by_moment((at, name) for name, at in first.items()):
        yield Step(kind="begin", at=at, channels=names)


def _escalate(taking: Iterable[_Taking], told: set[str]) -> Iterator[Step]:
    further = (
        (each.begins + step.after, name)
        for each in taking
        for step in each.route.escalate
        for name in step.channels
        if name not in told
    )
    for at, names in _by_moment(further):
        yield Step(kind="escalate", at=at, channels=names)


def _repeat(taking: Iterable[_Taking]) -> Iterator[Step]:
    """Yield the reminders; a channel that several routes would remind is reminded by the first."""
    often: dict[str, tuple[datetime, float]] = {}
    for each in taking:
        if each.route.repeat is not None:
            mine = (each.begins + each.route.repeat, each.route.repeat.total_seconds())
            for name in each.route.channels:
                often[name] = min(mine, often.get(name, mine))
    grouped: dict[tuple[datetime, float], list[str]] = defaultdict(list)
    for name, when in often.items():
        grouped[when].append(name)
    for (at, every_s), names in sorted(grouped.items()):
        yield Step(kind="repeat", at=at, channels=tuple(names), every_s=every_s)


def _by_moment(
    named: Iterable[tuple[datetime, str]],
) -> Iterator[tuple[datetime, tuple[str, ...]]]:
    """Yield the moments in their order, each with its names, each once."""
    moments: dict[datetime, dict[str, None]] = defaultdict(dict)
    for at, name in named:
        moments[at][name] = None
    for at in sorted(moments):
        yield at, tuple(moments[at])
