"""What an incident is told together with: its family of causes, and the labels it shares. Pure."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from reflexarc.events.incident import Incident
from reflexarc.events.page import Mute
from reflexarc.incidents.document import Grouping
from reflexarc.incidents.matching import fits, labels_of
from reflexarc.incidents.model import Group, Policy

BY_DEFAULT = ("cluster",)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Incidents of `cause` on a node where an incident of family `of` is open follow from it."""

    cause: str
    of: str
    says: str


def group_of(incident: Incident, policy: Policy, mute: Mute | None = None) -> Group:
    """Return what an incident may be told together with.

    What is muted is a group of its own: nothing that people must be told of may join it.
    """
    found = next(
        (each for each in (*policy.groupings, *_built_in()[0]) if _names(each, incident.cause)),
        None,
    )
    if found is None:
        found = Grouping(family=_as_name(incident.cause), causes=(incident.cause,), by=BY_DEFAULT)
    return _group(found, incident, policy, mute)


def echo_of(incident: Incident, policy: Policy) -> tuple[Echo, Group] | None:
    """Return the group of which this incident would be an echo, None where it is none."""
    for echo in _built_in()[1]:
        if echo.cause == incident.cause:
            return echo, _family(echo.of, incident, policy)
    return None


def echoed_by(incident: Incident, policy: Policy) -> tuple[Echo, Group] | None:
    """Return the group of what would be this incident's echo, None where it has none."""
    family = group_of(incident, policy).family
    for echo in _built_in()[1]:
        if echo.of == family:
            likeness = incident.model_copy(update={"cause": echo.cause})
            return echo, group_of(likeness, policy)
    return None


def _family(family: str, incident: Incident, policy: Policy) -> Group:
    known = (*policy.groupings, *_built_in()[0])
    found = next(each for each in known if each.family == family)
    return _group(found, incident, policy, None)


def _group(found: Grouping, incident: Incident, policy: Policy, mute: Mute | None) -> Group:
    labels = labels_of(incident)
    by = dict(_value(alternatives, labels) for alternatives in found.by)
    shared = {name: value for name, value in by.items() if value}
    muted = f"{mute.kind}:{mute.name}" if mute else ""
    said = json.dumps([found.family, sorted(shared.items()), muted])
    return Group(
        scope=hashlib.sha256(said.encode()).hexdigest()[:32],
        family=found.family,
        by=shared,
        window=found.window or policy.window,
        origin=_any(found.origin, incident.cause),
        consequence=_any(found.consequences, incident.cause),
    )


def _value(alternatives: str, labels: dict[str, str]) -> tuple[str, str]:
    names = alternatives.split("|")
    name = next((name for name in names if labels.get(name)), names[-1])
    return name, labels.get(name, "")


def _names(grouping: Grouping, cause: str) -> bool:
    return _any((*grouping.causes, *grouping.origin, *grouping.consequences), cause)


def _any(patterns: tuple[str, ...], cause: str) -> bool:
    return any(fits(pattern, cause) for pattern in patterns)


def _as_name(cause: str) -> str:
    plain = "".join(char if char in _PLAIN else "-" for char in cause.lower()).strip("-")
    return plain[:60] or "other"


@cache
def _built_in() -> tuple[tuple[Grouping, ...], tuple[Echo, ...]]:
    file = resources.files("reflexarc.incidents").joinpath("data", "groupings.json")
    document = json.loads(file.read_bytes())
    groupings = tuple(Grouping(**each) for each in document["groupings"])
    return groupings, tuple(Echo(**each) for each in document["echoes"])
