"""Why nobody is told of an incident for now: a silence, planned work, its cause is told. Pure."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from reflexarc.events.incident import Incident
from reflexarc.events.page import Mute, Silence
from reflexarc.incidents.document import Inhibition, Maintenance
from reflexarc.incidents.hours import end_of
from reflexarc.incidents.matching import labels_of, matches, matches_labels
from reflexarc.incidents.model import Hold, Policy


def asked(incident: Incident, policy: Policy) -> tuple[tuple[Inhibition, str], ...]:
    """Return the inhibitions that may keep an incident quiet, each with the key of its holds.

    What is a source of an inhibition is not its target as well: two such would each keep the other
    quiet, and nobody would hear of either.
    """
    return tuple(
        (inhibition, key)
        for inhibition in policy.inhibitions
        if matches(inhibition.target, incident)
        and not matches(inhibition.source, incident, any_cause=True)
        and (key := _key(inhibition, incident))
    )


def holds(incident: Incident, policy: Policy) -> tuple[Hold, ...]:
    """Return what an incident keeps quiet while it is open, as the source of inhibitions."""
    return tuple(
        Hold(key=key, fingerprint=incident.fingerprint)
        for inhibition in policy.inhibitions
        if matches(inhibition.source, incident, any_cause=True)
        and (key := _key(inhibition, incident))
    )


def mute_of(
    incident: Incident, policy: Policy, held: Mapping[str, frozenset[str]], now: datetime
) -> Mute | None:
    """Return why nobody is told now, None when people are to be told.

    A person's silence goes before planned work, that before an inhibition. `held` has the open
    incidents of each key that `asked` names. Of several of a kind the one that ends last counts.
    """
    return (
        max(_silenced(incident, policy, now), key=_end, default=None)
        or max(_maintained(incident, policy, now), key=_end, default=None)
        or next(_inhibited(incident, policy, held), None)
    )


def in_force(silence: Silence, now: datetime) -> bool:
    """Return whether a silence holds now; one that somebody ended never does."""
    return not silence.expired_by and silence.starts_at <= now < silence.ends_at


def window_end(work: Maintenance, policy: Policy, now: datetime) -> datetime | None:
    """Return when planned work ends that goes on now, None when it does not."""
    ends = [work.ends] if work.ends is not None else []
    if work.during:
        hours = policy.hours.get(work.during)
        inside = end_of(hours, now) if hours else None
        if inside is None:
            return None
        ends.append(inside)
    begun = work.starts is None or work.starts <= now
    end = min(ends, default=None)
    return end if begun and end is not None and now < end else None


def _silenced(incident: Incident, policy: Policy, now: datetime) -> Iterator[Mute]:
    labels = labels_of(incident) if policy.silences else {}
    for silence in policy.silences:
        if in_force(silence, now) and matches_labels(silence.labels, labels):
            why = f"{silence.author}: {silence.reason}"
            yield Mute(kind="silence", name=silence.id, why=why, until=silence.ends_at)


def _maintained(incident: Incident, policy: Policy, now: datetime) -> Iterator[Mute]:
    for work in policy.maintenance:
        if matches(work.match, incident) and (until := window_end(work, policy, now)):
            yield Mute(kind="maintenance", name=work.name, why=work.reason, until=until)


def _inhibited(
    incident: Incident, policy: Policy, held: Mapping[str, frozenset[str]]
) -> Iterator[Mute]:
    for inhibition, key in asked(incident, policy):
        if others := held.get(key, frozenset()) - {incident.fingerprint}:
            why = f"while incident {min(others)[:12]} is open"
            yield Mute(kind="inhibition", name=inhibition.name, why=why)


def _end(mute: Mute) -> tuple[str, str]:
    """Return what sorts mutes by their end."""
    return (mute.until.astimezone(UTC).isoformat() if mute.until else "", mute.name)


def _key(inhibition: Inhibition, incident: Incident) -> str:
    """Return the key of the holds of an incident's equal labels; "" where one is absent.

    Two incidents that both lack a label do not have it in common.
    """
    labels = labels_of(incident)
    if not all(labels.get(name) for name in inhibition.equal):
        return ""
    said = json.dumps([inhibition.name, *(labels[name] for name in inhibition.equal)])
    return hashlib.sha256(said.encode()).hexdigest()[:32]
