"""When a change of an incident is news to whoever reads of it. Pure."""

from reflexarc.events.incident import Incident


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
