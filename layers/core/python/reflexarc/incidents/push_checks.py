"""What a push asks of a document beside what its readers need. Pure.

It may ask for more from one release to the next: a document that is in force is not judged by it.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import get_args

from reflexarc.events.problems import Place, Problem
from reflexarc.events.severity import Severity
from reflexarc.events.signal import Entity
from reflexarc.incidents.checks import broken_names, named_twice
from reflexarc.incidents.config import IncidentsConfig
from reflexarc.incidents.document import ChannelConfig, Hours, Inhibition, Maintenance, Match, Route
from reflexarc.incidents.hours import known_zone
from reflexarc.incidents.matching import fits

# More often than this is no reminder but a storm of our own.
OFTEN = timedelta(minutes=1)
# Slack's ids of channels, groups and people's direct messages; or a channel's name.
_SLACK = re.compile(r"[CDGUW][A-Z0-9]{2,40}|#[a-z0-9_-]{1,80}")
_HTTPS = re.compile(r"https://[^\s/@]+(/\S*)?")
_NEVER_ABSENT = ("severity", "owner", "cause", "kind")
_KINDS = get_args(Entity.model_fields["kind"].annotation)


def problems(
    config: IncidentsConfig, now: datetime, known: frozenset[str] = frozenset()
) -> tuple[Problem, ...]:
    """Return all that is wrong with the incidents part, errors and warnings, in its order.

    `known` are names that count as there: those of parts that could not be read.
    """
    return (
        *broken_names(config, known),
        *_names(config),
        *_channels(config),
        *_routes(config),
        *_hours(config),
        *_groupings(config),
        *_inhibitions(config),
        *_maintenance(config, now),
        *_dead_man(config),
        *_unused(config),
    )


def impossible(match: Match) -> tuple[Place, str] | None:
    """Return why no incident can match, and where; None when one may.

    The labels severity, owner and kind have few values, and with cause they are never absent: a
    label that fits none of the values that the other conditions leave is a contradiction.
    """
    left: dict[str, list[str]] = {
        "severity": [each.value for each in match.severity or tuple(Severity)],
        "owner": list(match.owner or ("oncall", "job")),
        "kind": list(_KINDS),
    }
    for name, pattern in match.labels.items():
        if name in _NEVER_ABSENT and not pattern:
            return ("labels", name), f"no incident is without {name}"
        if name in left and not any(fits(pattern, value) for value in left[name]):
            return ("labels", name), f"{pattern} is none of {', '.join(left[name])}"
    return None


def _names(config: IncidentsConfig) -> Iterator[Problem]:
    yield from named_twice("routes", [each.name for each in config.routes])
    yield from named_twice("inhibitions", [each.name for each in config.inhibitions])
    yield from named_twice("maintenance", [each.name for each in config.maintenance])
    yield from named_twice("groupings", [each.family for each in config.groupings], "family")


def _channels(config: IncidentsConfig) -> Iterator[Problem]:
    told: dict[tuple[str, str], str] = {}
    for number, channel in enumerate(config.channels):
        if wrong := _destination(channel):
            yield Problem(place=("channels", number, "destination"), what=wrong)
        # PagerDuty has no destination: its services are told apart by the key they are told with.
        target = (channel.kind, channel.destination or channel.secret)
        if target in told:
            yield Problem(
                place=("channels", number),
                what=f"{channel.name} and {told[target]} tell the same people: what goes to both"
                " is told twice",
                level="warning",
            )
        told.setdefault(target, channel.name)


def _destination(channel: ChannelConfig) -> str:
    where = channel.destination
    if channel.kind == "slack" and not _SLACK.fullmatch(where):
        return "a Slack channel needs its id (C0123456789) or #name as its destination"
    if channel.kind == "webhook" and not _HTTPS.fullmatch(where):
        return "a webhook needs an https:// address without a password as its destination"
    if channel.kind == "sns" and where:
        # notify has the right to publish there and nowhere else.
        return "an SNS channel has no destination: subscribe to the stack's own topic"
    if channel.kind == "pagerduty" and where:
        return "PagerDuty has no destination: its secret names the service"
    return ""


def _routes(config: IncidentsConfig) -> Iterator[Problem]:
    for number, route in enumerate(config.routes):
        here: Place = ("routes", number)
        yield from _never(route.match, (*here, "match"), "no incident can take this route")
        yield from _told_twice(route, here)
        if route.repeat is not None and route.repeat < OFTEN:
            yield Problem(place=(*here, "repeat"), what="a reminder comes at most once a minute")
    if not any(_takes_critical(route) for route in config.routes):
        what = "no route takes critical incidents: nobody is told of them"
        yield Problem(place=("routes",), what=what, level="warning")


def _never(match: Match, place: Place, so: str) -> Iterator[Problem]:
    if found := impossible(match):
        where, why = found
        yield Problem(place=(*place, *where), what=f"{so}: {why}")


def _told_twice(route: Route, here: Place) -> Iterator[Problem]:
    told: set[str] = set()
    steps = [((*here, "channels"), route.channels)]
    steps += [
        ((*here, "escalate", n, "channels"), s.channels) for n, s in enumerate(route.escalate)
    ]
    for place, names in steps:
        for number, name in enumerate(names):
            if name in told:
                what = f"this route has told {name} already when it comes to this"
                yield Problem(place=(*place, number), what=what)
            told.add(name)


def _takes_critical(route: Route) -> bool:
    match = route.match
    asked = match.labels.get("severity", "*")
    return (
        Severity.CRITICAL in (match.severity or tuple(Severity))
        and fits(asked, Severity.CRITICAL.value)
        and impossible(match) is None
    )


def _hours(config: IncidentsConfig) -> Iterator[Problem]:
    for number, hours in enumerate(config.hours):
        for key, what in _wrong_hours(hours):
            yield Problem(place=("hours", number, key), what=what)


def _wrong_hours(hours: Hours) -> Iterator[tuple[str, str]]:
    if known_zone(hours.timezone) is None:
        yield "timezone", f"there is no time zone {hours.timezone[:60]!r} (write Europe/Berlin)"
    if hours.start == hours.end:
        yield "end", "hours that end when they start are either never or always: say which"
    if len(set(hours.days)) < len(hours.days):
        yield "days", "a day is named twice"


def _groupings(config: IncidentsConfig) -> Iterator[Problem]:
    for number, grouping in enumerate(config.groupings):
        for at, label in enumerate(grouping.by):
            if not all(name.strip() == name != "" for name in label.split("|")):
                what = "write a label's name, or alternatives as fabric|node"
                yield Problem(place=("groupings", number, "by", at), what=what)


def _inhibitions(config: IncidentsConfig) -> Iterator[Problem]:
    for number, inhibition in enumerate(config.inhibitions):
        here: Place = ("inhibitions", number)
        yield from _never(inhibition.source, (*here, "source"), "this inhibits nothing")
        yield from _never(inhibition.target, (*here, "target"), "this inhibits nothing")
        yield from _vain(inhibition, here)


def _vain(inhibition: Inhibition, here: Place) -> Iterator[Problem]:
    if inhibition.source in (Match(), inhibition.target):
        what = "the source takes in all of the target: incidents would keep each other quiet"
        yield Problem(place=(*here, "source"), what=what)
    elif not inhibition.equal:
        what = "one incident keeps the whole fleet's targets quiet: name labels in `equal`"
        yield Problem(place=here, what=what, level="warning")


def _maintenance(config: IncidentsConfig, now: datetime) -> Iterator[Problem]:
    for number, work in enumerate(config.maintenance):
        here: Place = ("maintenance", number)
        yield from _never(work.match, (*here, "match"), "this keeps nothing quiet")
        yield from _endless(work, here)
        if work.ends is not None and work.ends <= now:
            what = f"{work.name} has ended: it may be removed"
            yield Problem(place=(*here, "ends"), what=what, level="warning")
        if work.match == Match():
            what = f"while {work.name} lasts nobody is told of anything"
            yield Problem(place=(*here, "match"), what=what, level="warning")


def _endless(work: Maintenance, here: Place) -> Iterator[Problem]:
    if work.ends is None and not work.during:
        yield Problem(place=here, what="work must end: say `ends`, or `during` for each week")
    if work.starts is not None and work.ends is not None and work.ends <= work.starts:
        yield Problem(place=(*here, "ends"), what="it ends before it starts")


def _dead_man(config: IncidentsConfig) -> Iterator[Problem]:
    if config.dead_man_url and not _HTTPS.fullmatch(config.dead_man_url):
        what = "write an https:// address without a password"
        yield Problem(place=("dead_man_url",), what=what)


def _unused(config: IncidentsConfig) -> Iterator[Problem]:
    channels = {name for route in config.routes for name in route.channels}
    channels |= {n for route in config.routes for s in route.escalate for n in s.channels}
    hours = {route.during for route in config.routes} | {w.during for w in config.maintenance}
    named = [("channels", n, each.name, channels) for n, each in enumerate(config.channels)]
    named += [("hours", n, each.name, hours) for n, each in enumerate(config.hours)]
    for part, number, name, used in named:
        if name not in used:
            yield Problem(place=(part, number), what=f"nothing names {name}", level="warning")
