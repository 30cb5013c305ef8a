"""Whom an incident is told to, and when there is news for them. Pure."""

from datetime import datetime

from reflexarc.events.incident import Incident
from reflexarc.events.notice import Action, Channel, Notice
from reflexarc.incidents.growth import gravity
from reflexarc.incidents.limits import join_marks
from reflexarc.incidents.model import Routing


def tell(
    before: Incident | None, stage: Incident, routing: Routing, now: datetime
) -> tuple[Incident, tuple[Notice, ...]]:
    """Return the stage with the channels it is told to, and what each is told that was not yet."""
    known = before if before is not None and before.generation == stage.generation else None
    if stage.state == "resolved":
        return _tell_resolved(stage, routing, now, news=known is not None and known.state == "open")
    graver = known is None or gravity(stage) > gravity(known)
    wanted = channels_for(stage, routing) if graver else ()
    fresh = {channel.name for channel in wanted} - set(stage.channels)
    changed = known is not None and noteworthy(known, stage)
    actions: dict[str, Action] = dict.fromkeys(stage.channels, "update") if changed else {}
    actions |= dict.fromkeys(fresh, "trigger")
    names = (*stage.channels, *(channel.name for channel in wanted if channel.name in fresh))
    told = stage.model_copy(update={"channels": names})
    return told, _notices(told, actions, routing, now)


def _tell_resolved(
    stage: Incident, routing: Routing, now: datetime, *, news: bool
) -> tuple[Incident, tuple[Notice, ...]]:
    if not news:
        return stage, ()
    gone = sorted(set(stage.channels) - {channel.name for channel in routing.channels})
    marks = tuple(
        f"channel {name} is gone from the configuration: resolve by hand" for name in gone
    )
    told = stage.model_copy(update={"marks": join_marks(stage.marks, marks)})
    return told, _notices(told, dict.fromkeys(stage.channels, "resolve"), routing, now)


def _notices(
    incident: Incident, actions: dict[str, Action], routing: Routing, now: datetime
) -> tuple[Notice, ...]:
    return tuple(
        Notice(action=actions[channel.name], channel=channel, incident=incident, created_at=now)
        for channel in routing.channels
        if channel.name in actions
    )


def channels_for(incident: Incident, routing: Routing) -> tuple[Channel, ...]:
    """Return the channels of every route that takes the incident, each once."""
    names = {
        name
        for route in routing.routes
        if (not route.match.severity or incident.severity in route.match.severity)
        and (not route.match.owner or incident.owner in route.match.owner)
        and route.match.labels.items() <= incident.labels.items()
        for name in route.channels
    }
    return tuple(channel for channel in routing.channels if channel.name in names)


def noteworthy(before: Incident, after: Incident) -> bool:
    """Return whether a reader of the alert would want to see the difference.

    That is another severity, owner, job or cause, or a count with one digit more: a storm of
    repeats rewrites a message at 10, 100, 1,000, and not 800,000 times.
    """
    return _read(before) != _read(after)


def _read(incident: Incident) -> tuple[object, ...]:
    causes = frozenset(cause.cause for cause in incident.causes)
    digits = len(str(incident.count))
    return incident.severity, incident.owner, incident.job, incident.cause, causes, digits
